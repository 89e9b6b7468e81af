"""Arguments of a tool call, as a model writes them: JSON that may be malformed."""

from __future__ import annotations

from memory.model.text import Json, clean_content, parse_json

MAX_ARGUMENTS = 50_000  # characters


def read_arguments(arguments: object) -> Json | None:
    """Return the arguments of a tool call, or None if they are not a usable JSON object.

    More than `MAX_ARGUMENTS` characters, hundreds of levels, and numbers that JSON does not have
    (NaN, infinity) are not usable. Invisible characters are removed from texts.
    """
    if not isinstance(arguments, str) or len(arguments) > MAX_ARGUMENTS:
        return None
    try:
        given = parse_json(arguments or "{}")
        return clean_content(given) if isinstance(given, dict) else None
    except (ValueError, RecursionError):
        return None
