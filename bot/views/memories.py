"""Lists of memories, each with a menu of what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from bot.locale import Language, say
from bot.views.blocks import (
    Block,
    Payload,
    button,
    ephemeral_payload,
    escaped,
    note,
    plain_text,
    section,
)
from bot.views.menus import with_menu
from bot.views.wording import kind_title, memory_line
from memory import Memory

PAGE_SIZE = 20
PAGE_ACTION = "memories_page"
PREVIEW_ACTION = "preview_page"

Numbered = Sequence[tuple[int, Memory]]


def numbered(memories: Sequence[Memory]) -> list[tuple[int, Memory]]:
    """Give the memories the numbers people see: grouped by kind, newest first in each group.

    The group of the newest memory comes first. `memories` are newest first.
    """
    kinds = list(dict.fromkeys(memory.kind for memory in memories))
    ordered = [memory for kind in kinds for memory in memories if memory.kind == kind]
    return list(enumerate(ordered, start=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListPage:
    """One page of a list: the texts above and below it, and its action to turn pages."""

    title: str
    notes: tuple[str, ...]
    action: str
    target: str = ""


def memory_list(
    language: Language, found: Numbered, *, page: int = 1, stand_in: bool = False
) -> Payload:
    """Return a page of all memories, grouped and numbered; pages start at 1."""
    if not found:
        return ephemeral_payload(say(language, "memories_none"))
    notes = (say(language, "memories_hint"), *_stand_in(language, stand_in))
    listed = _ListPage(title=say(language, "memories_title"), notes=notes, action=PAGE_ACTION)
    return _page(language, found, page, listed)


def preview_list(
    language: Language,
    found: Numbered,
    *,
    channel: str,
    direct: bool = False,
    why: str,
    page: int = 1,
    stand_in: bool = False,
) -> Payload:
    """Return what a reply in `channel` could draw on; `why` is the sentence that says so.

    `direct`: it is the person's direct messages with the app, whose name says nothing.
    """
    key = "preview_title_dm" if direct else "preview_title"
    title = say(language, key, channel=f"<#{channel}>")
    if not found:
        none = say(language, "preview_none")
        return ephemeral_payload(f"{title}\n{none}", [section(f"*{title}*\n{none}"), note(why)])
    listed = _ListPage(
        title=title,
        notes=(why, *_stand_in(language, stand_in)),
        action=PREVIEW_ACTION,
        target=channel,
    )
    return _page(language, found, page, listed)


def _stand_in(language: Language, stand_in: bool) -> list[str]:
    return [say(language, "stand_in_note")] if stand_in else []


def _page(language: Language, found: Numbered, page: int, layout: _ListPage) -> Payload:
    pages = -(-len(found) // PAGE_SIZE)
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    key = "memories_count" if pages > 1 else "memories_all"
    count = say(language, key, count=len(found), page=page, pages=pages)
    blocks: list[Block] = [
        # A header shows no link to a conversation.
        section(f"*{layout.title}*")
        if layout.target
        else {"type": "header", "text": plain_text(layout.title)},
        *_groups(language, shown),
        note(count, *layout.notes),
    ]
    if buttons := _page_buttons(language, page, pages, layout):
        blocks.append({"type": "actions", "elements": buttons})
    return ephemeral_payload("\n".join([layout.title, *_lines(language, shown), count]), blocks)


def _lines(language: Language, found: Numbered) -> list[str]:
    return [memory_line(language, number, memory) for number, memory in found]


def _groups(language: Language, found: Numbered) -> list[Block]:
    blocks: list[Block] = []
    for kind, members in groupby(found, key=lambda pair: pair[1].kind):
        blocks.append(section(f"*{kind_title(language, kind)}*"))
        blocks += _rows(language, list(members))
    return blocks


def _rows(language: Language, found: Numbered) -> list[Block]:
    return [
        with_menu(language, memory_line(language, number, memory), memory.reference)
        for number, memory in found
    ]


def _page_buttons(language: Language, page: int, pages: int, layout: _ListPage) -> list[Block]:
    turns = [("memories_previous", page - 1), ("memories_next", page + 1)]
    return [
        button(f"{layout.action}_{target}", say(language, key), f"{target} {layout.target}".strip())
        for key, target in turns
        if 1 <= target <= pages
    ]


def search_results(
    language: Language, found: Numbered, words: str, *, similar: bool, stand_in: bool = False
) -> Payload:
    """Return what a search found.

    `similar` says that none has the words themselves; `found` is then the nearest first.
    """
    if not found:
        return ephemeral_payload(say(language, "forget_no_match", words=escaped(words[:80])))
    key = "search_similar" if similar else "search_title"
    title = say(language, key, words=escaped(words[:80]))
    shown = found[:PAGE_SIZE]
    rows = _rows(language, shown[:10]) if similar else _groups(language, shown)
    blocks: list[Block] = [section(title), *rows]
    if len(found) > len(shown):
        blocks.append(note(say(language, "forget_more", count=len(found) - len(shown))))
    if stand_in:
        blocks.append(note(say(language, "stand_in_note")))
    return ephemeral_payload("\n".join([title, *_lines(language, shown)]), blocks)
