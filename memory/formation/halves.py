"""Read in halves what the memory model cannot read at once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from memory.model.errors import WordsUnreadable

_log = logging.getLogger(__name__)

Part = TypeVar("Part")
Found = TypeVar("Found")


async def read_in_halves(
    read: Callable[[Sequence[Part]], Awaitable[list[Found]]], parts: Sequence[Part]
) -> tuple[list[Found], list[Part]]:
    """Return what `read` finds in `parts`, and the parts that cannot be read.

    Parts that raise `WordsUnreadable` are read again in halves, down to single ones.
    """
    try:
        return await read(parts), []
    except WordsUnreadable as unreadable:
        _log.warning("%s", unreadable)
    if len(parts) == 1:
        return [], list(parts)
    middle = len(parts) // 2
    found: list[Found] = []
    unread: list[Part] = []
    for half in (parts[:middle], parts[middle:]):
        found_in_half, unread_in_half = await read_in_halves(read, half)
        found += found_in_half
        unread += unread_in_half
    return found, unread
