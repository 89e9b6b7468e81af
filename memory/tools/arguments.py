"""Arguments of a tool call, as a model writes them: JSON that may be malformed."""

from __future__ import annotations

from typing import Any

from memory.model.text import MAX_DEPTH, clean_content, depth, parse_json

MAX_ARGUMENTS = 50_000  # characters


def read_arguments(arguments: object) -> dict[str, Any] | None:
    """Return the arguments of a tool call, or None if they are no JSON object that can be used.

    That is also the case for more than `MAX_ARGUMENTS` characters, for more than `MAX_DEPTH` levels
    and for numbers that JSON does not have (NaN, infinity). Texts are without invisible characters.
    """
    if not isinstance(arguments, str) or len(arguments) > MAX_ARGUMENTS:
        return None
    try:
        given = parse_json(arguments or "{}")
    except (ValueError, RecursionError):
        return None
    usable = isinstance(given, dict) and depth(given) <= MAX_DEPTH
    return clean_content(given, None) if usable else None
