"""Messages whose roles alternate, as the chat templates of some models want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memory.model import Json


def with_alternating_roles(items: Sequence[Json]) -> list[Json]:
    """Return messages, with consecutive ones of the same role merged into one.

    What others wrote stays in its frame: only the message around it is shared.
    """
    merged: list[Json] = []
    for item in items:
        before = merged[-1] if merged else {}
        role = item.get("role")
        if role is None or before.get("role") != role:
            merged.append(item)
        else:
            merged[-1] = {
                **before,
                "content": _joined(before["content"], item["content"]),
            }
    return merged


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    return list(content)
