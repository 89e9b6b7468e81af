"""Arguments of a tool call, as a model writes them: JSON that may be malformed."""

from __future__ import annotations

from memory.model.text import MAX_DEPTH, Json, clean_content, depth, parse_json

MAX_ARGUMENTS = 50_000  # characters


def read_arguments(arguments: object) -> Json | None:
    """Return the arguments of a tool call, or None if they are not a usable JSON object.

    More than `MAX_ARGUMENTS` characters, more than `MAX_DEPTH` levels, and numbers that JSON does
    not have (NaN, infinity) are not usable. Invisible characters are removed from texts.
    """
    if not isinstance(arguments, str) or len(arguments) > MAX_ARGUMENTS:
        return None
    try:
        given = parse_json(arguments or "{}")
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict) or depth(given) > MAX_DEPTH:
        return None
    return clean_content(given)
