"""The memories that were in view of a reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from uuid import UUID

from bot.locale import Language, say
from bot.views.blocks import Block, button, note, section
from bot.views.dates import day, minute
from bot.views.menus import with_menu
from bot.views.modal_triggers import USED_ACTION
from bot.views.views import View, information_view
from bot.views.wording import audience_name, describe_escaped
from memory import Memory

USED_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyMemories:
    """The memories in view of a reply; `forgotten` counts those that are no longer stored.

    `links` and `last_used` are by `Memory.reference`.
    """

    memories: tuple[Memory, ...]
    links: Mapping[str, str]
    last_used: Mapping[str, datetime]
    forgotten: int = 0


def used_memories_button(language: Language, turn: UUID) -> Block:
    """Return the button below a reply that draws on memories."""
    return button(
        USED_ACTION,
        say(language, "used_button"),
        str(turn),
        accessibility_label=say(language, "used_label"),
    )


def used_memories_view(language: Language, used: ReplyMemories, zone: tzinfo = UTC) -> View:
    """Return the memories in view of a reply; what they were used for the model alone knows."""
    blocks: list[Block] = [note(say(language, "used_note"))]
    blocks += memory_blocks(language, used.memories[:USED_SHOWN], used.links, used.last_used, zone)
    if more := len(used.memories) - USED_SHOWN:
        blocks += [note(say(language, "used_more", count=more))] if more > 0 else []
    if used.forgotten:
        blocks.append(note(say(language, "used_forgotten", count=used.forgotten)))
    return information_view(language, "used_title", blocks)


def other_person_view(language: Language) -> View:
    """Return what somebody sees who clicked below a reply to another person."""
    return information_view(language, "used_title", [section(say(language, "used_others"))])


def memory_blocks(
    language: Language,
    memories: Sequence[Memory],
    links: Mapping[str, str],
    last_used: Mapping[str, datetime],
    zone: tzinfo = UTC,
) -> list[Block]:
    """Return each memory with its date, where it may be used, its source and its menu."""
    blocks = []
    for memory in memories:
        details = [
            say(language, "used_since", day=day(memory.created_at, zone, language)),
            say(language, "used_where", where=audience_name(language, memory.namespace.audience)),
        ]
        if at := last_used.get(memory.reference):
            details.append(say(language, "used_last", day=minute(at, zone, language)))
        if link := links.get(memory.reference):
            details.append(f"<{link}|{say(language, 'used_source')}>")
        text = f"{describe_escaped(language, memory)}\n{' · '.join(details)}"
        blocks.append(with_menu(language, text, memory.reference))
    return blocks
