"""What Slack sends passes one function before anything reads it."""

from __future__ import annotations

from typing import Any

from psycopg import DataError

from memory import InvalidNamespace

MAX_CHARACTERS = 40_000
"""Characters kept of one text: as many as a message of Slack's can have.

Source: https://docs.slack.dev/changelog/2018-truncating-really-long-messages
"""
MAX_DEPTH = 60
"""Levels of nesting; Slack's deepest payloads, views of Block Kit, have about 15."""

UNREADABLE = (
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError),
    *(InvalidNamespace, DataError),
)
"""Exceptions of reading a payload of unexpected form."""


def received(value: Any, depth: int = 0) -> Any:
    """Return a part of a payload with texts that PostgreSQL can store, and of limited length.

    None takes the place of what is nested more deeply than `MAX_DEPTH`.
    """
    if isinstance(value, str):
        return storable(value[:MAX_CHARACTERS])
    if not isinstance(value, dict | list):
        return value
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, list):
        return [received(one, depth + 1) for one in value]
    return {storable(str(key)): received(one, depth + 1) for key, one in value.items()}


def storable(text: str) -> str:
    """Return `text` without what PostgreSQL cannot hold: NUL, and halves of characters."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list in a payload; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
