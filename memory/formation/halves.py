"""Read in halves what the memory model cannot read at once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from memory.formation.evidence import TypedMessage
from memory.model.errors import WordsUnreadable

_log = logging.getLogger(__name__)

Part = TypeVar("Part")
Found = TypeVar("Found")

_SMALLEST = 1_000  # characters; a shorter message is not halved


async def read_in_halves(
    read: Callable[[Sequence[Part]], Awaitable[list[Found]]],
    parts: Sequence[Part],
    halve: Callable[[Sequence[Part]], Sequence[Sequence[Part]]],
) -> tuple[list[Found], list[Part]]:
    """Return what `read` finds in `parts`, and the parts that cannot be read.

    Parts that raise `WordsUnreadable` are read again in the halves that `halve` returns; if it
    returns none, they cannot be read.
    """
    try:
        return await read(parts), []
    except WordsUnreadable as unreadable:
        _log.warning("%s", unreadable)
    found: list[Found] = []
    unread: list[Part] = []
    smaller = halve(parts)
    if not smaller:
        return [], list(parts)
    for half in smaller:
        found_in_half, unread_in_half = await read_in_halves(read, half, halve)
        found += found_in_half
        unread += unread_in_half
    return found, unread


def halves(parts: Sequence[Part]) -> Sequence[Sequence[Part]]:
    """Return the first and the second half; nothing for a single part."""
    if len(parts) < 2:
        return []
    middle = len(parts) // 2
    return [parts[:middle], parts[middle:]]


def halves_of_messages(
    messages: Sequence[TypedMessage],
) -> Sequence[Sequence[TypedMessage]]:
    """Return the halves of several messages, or of the sentences of one long message."""
    if is_smallest(messages):
        return []
    if len(messages) > 1:
        return halves(messages)
    [message] = messages
    middle, _ = message.sentences[len(message.sentences) // 2]
    smaller = []
    for text in (message.typed(0, middle), message.typed(middle, len(message.text))):
        original = replace(message.original, text=text)
        smaller.append([TypedMessage(original, message.references)])
    return smaller


def is_smallest(messages: Sequence[TypedMessage]) -> bool:
    """Return whether there is only one message, too short to be halved or a single sentence."""
    if len(messages) > 1:
        return False
    [message] = messages
    return len(message.text) <= _SMALLEST or len(message.sentences) < 2
