"""Lists of memories, each with a menu of what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import groupby
from typing import Literal, TypeAlias, cast

from bot.locale import Language, say
from bot.views.blocks import (
    OPTION_VALUE,
    Block,
    Payload,
    actions,
    button,
    ephemeral_payload,
    escaped,
    header,
    note,
    option,
    page_buttons,
    section,
)
from bot.views.dates import day, minute
from bot.views.labels import audience_name, describe_escaped, kind_title, memory_line
from bot.views.modal_triggers import MENU_ACTION, USED_ACTION
from bot.views.views import SlackView, information_view
from memory import MAX_MEMORIES, Memory

PAGE_SIZE = 20
PAGE_ACTION = "memories_page"
# Memories in view of a reply: the first modal shows five, the second up to 40 others.
NEAREST_SHOWN, REPLY_MEMORIES_SHOWN = 5, 40

Numbered = Sequence[tuple[int, Memory]]
MemoryMenuAction: TypeAlias = Literal["edit", "forget", "place", "history"]
_MENU: Mapping[MemoryMenuAction, str] = {
    "edit": "menu_edit",
    "forget": "forget_button",
    "place": "place_title",
    "history": "history_modal_title",
}


def numbered(memories: Sequence[Memory]) -> list[tuple[int, Memory]]:
    """Give the memories the numbers people see: grouped by kind, newest first in each group.

    The group of the newest memory comes first. `memories` are newest first.
    """
    kinds = list(dict.fromkeys(memory.kind for memory in memories))
    ordered = [memory for kind in kinds for memory in memories if memory.kind == kind]
    return list(enumerate(ordered, start=1))


def memory_list(
    language: Language,
    found: Numbered,
    *,
    page: int = 1,
    unformed: int = 0,
    zone: tzinfo,
) -> Payload:
    """Return a page of all memories, grouped and numbered; pages start at 1.

    `unformed` is the number of messages that no memories have been formed of yet.
    """
    waiting = [say(language, "memories_unformed", count=unformed)] if unformed else []
    if not found:
        return ephemeral_payload(waiting[0] if waiting else say(language, "memories_none"))
    title = say(language, "memories_title")
    full = [say(language, "memories_full", limit=MAX_MEMORIES)] * (len(found) >= MAX_MEMORIES)
    notes = [*full, *waiting, say(language, "memories_hint")]
    return _page(language, found, page, title, notes, zone)


def one_memory(language: Language, number: int, memory: Memory, zone: tzinfo) -> Payload:
    """Return one memory of the list as a message, with its menu."""
    blocks = _rows(language, [(number, memory)], zone)
    return ephemeral_payload(
        memory_line(language, number, memory, zone), [*blocks, note(say(language, "only_you"))]
    )


def no_such_number(language: Language, number: int, count: int) -> str:
    """Return that the list of `count` memories has no such number."""
    if not count:
        return say(language, "memories_none")
    return say(language, "no_number", number=number, count=count)


def _page(
    language: Language,
    found: Numbered,
    page: int,
    title: str,
    notes: Sequence[str],
    zone: tzinfo,
) -> Payload:
    pages = -(-len(found) // PAGE_SIZE)
    missing = [say(language, "memories_no_page", page=page)] if page > pages else []
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    key = "memories_count" if pages > 1 else "memories_all"
    count = say(language, key, count=len(found), page=page, pages=pages)
    blocks: list[Block] = [
        header(title),
        *map(note, missing),
        *_groups(language, shown, zone),
        note(count, *notes),
        *page_buttons(language, PAGE_ACTION, page, pages),
    ]
    return ephemeral_payload(
        "\n".join([title, *missing, *_lines(language, shown, zone), count]), blocks
    )


def _lines(language: Language, found: Numbered, zone: tzinfo) -> list[str]:
    return [memory_line(language, number, memory, zone) for number, memory in found]


def _groups(language: Language, found: Numbered, zone: tzinfo) -> list[Block]:
    blocks: list[Block] = []
    for kind, members in groupby(found, key=lambda pair: pair[1].kind):
        blocks.append(section(f"*{kind_title(language, kind)}*"))
        blocks += _rows(language, list(members), zone)
    return blocks


def _rows(language: Language, found: Numbered, zone: tzinfo) -> list[Block]:
    return [
        with_menu(language, memory_line(language, number, memory, zone), memory.key)
        for number, memory in found
    ]


def search_results(
    language: Language, found: Numbered, words: str, *, similar: bool, zone: tzinfo
) -> Payload:
    """Return what a search found; that nothing is similar, where it found nothing.

    `similar` says that none has the words themselves; `found` is then the nearest first.
    """
    if not found:
        return ephemeral_payload(say(language, "forget_no_match", words=escaped(words[:80])))
    key = "search_similar" if similar else "search_title"
    title = say(language, key, words=escaped(words[:80]))
    shown = found[:PAGE_SIZE]
    rows = _rows(language, shown[:10], zone) if similar else _groups(language, shown, zone)
    blocks: list[Block] = [section(title), *rows]
    if len(found) > len(shown):
        blocks.append(note(say(language, "forget_more", count=len(found) - len(shown))))
    return ephemeral_payload("\n".join([title, *_lines(language, shown, zone)]), blocks)


def with_menu(language: Language, text: str, reference: str) -> Block:
    """Return a section about the memory that `reference` names, with its menu."""
    values = {f"{action} {reference}": key for action, key in _MENU.items()}
    if any(len(value) > OPTION_VALUE for value in values):
        return section(text)
    options = [option(say(language, key), value) for value, key in values.items()]
    return section(text, {"type": "overflow", "action_id": MENU_ACTION, "options": options})


def parse_menu_value(value: str) -> tuple[MemoryMenuAction, str] | None:
    """Read an option's value: what is to be done, and the memory's reference."""
    action, _, reference = value.partition(" ")
    return (cast("MemoryMenuAction", action), reference) if action in _MENU and reference else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyMemories:
    """The memories in view of the reply of a turn, the nearest to its question or the others.

    `links` and `last_used` are by `Memory.reference`. `more` counts those that come after
    `memories`, and `forgotten` those that are no longer stored.
    """

    turn: str
    memories: tuple[Memory, ...]
    links: Mapping[str, str]
    last_used: Mapping[str, datetime]
    others: bool = False
    more: int = 0
    forgotten: int = 0


def reply_memories_view(language: Language, used: ReplyMemories, zone: tzinfo) -> SlackView:
    """Return the memories in view of a reply; which of them the model used is not known."""
    blocks: list[Block] = [note(say(language, "used_note"))]
    blocks += memory_blocks(language, used.memories, used.links, used.last_used, zone)
    if used.more and used.others:
        blocks.append(note(say(language, "used_more", count=used.more)))
    elif used.more:
        text = say(language, "used_show_others", count=used.more)
        blocks.append(actions(button(USED_ACTION, text, f"{used.turn} others")))
    if used.forgotten:
        blocks.append(note(say(language, "used_forgotten", count=used.forgotten)))
    return information_view(language, "used_title", blocks)


def memory_blocks(
    language: Language,
    memories: Sequence[Memory],
    links: Mapping[str, str],
    last_used: Mapping[str, datetime],
    zone: tzinfo,
) -> list[Block]:
    """Return each memory with its date, where it may be used, its source and its menu."""
    blocks = []
    for memory in memories:
        details = [
            say(language, "used_as_of", day=day(memory.updated_at, zone, language)),
            say(language, "used_where", where=audience_name(language, memory.namespace.audience)),
        ]
        if at := last_used.get(memory.key):
            details.append(say(language, "used_last", day=minute(at, zone, language)))
        if link := links.get(memory.key):
            details.append(f"<{link}|{say(language, 'used_source')}>")
        text = f"{describe_escaped(language, memory, zone)}\n{' · '.join(details)}"
        blocks.append(with_menu(language, text, memory.key))
    return blocks
