"""Lists of memories."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bot.locale import Language, say
from bot.surfaces.blocks import Block, Payload, button, escaped, note, plain_text, private, section
from bot.surfaces.wording import kind_title, memory_line
from memory import Memory

PAGE_SIZE = 20
PAGE_ACTION = "memories_page"

Numbered = Sequence[tuple[int, Memory]]


def numbered(memories: Sequence[Memory]) -> list[tuple[int, Memory]]:
    """Give the memories the numbers people see: grouped by kind, newest first in each group.

    The group of the newest memory comes first. `memories` are newest first.
    """
    kinds = list(dict.fromkeys(memory.kind for memory in memories))
    ordered = [memory for kind in kinds for memory in memories if memory.kind == kind]
    return list(enumerate(ordered, start=1))


def memory_list(
    language: Language, found: Numbered, *, page: int = 1, stand_in: bool = False
) -> Payload:
    """Return a page of all memories, grouped and numbered; pages start at 1."""
    if not found:
        return private(say(language, "memories_none"))
    pages = -(-len(found) // PAGE_SIZE)
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    notes = [
        say(language, "memories_count", count=len(found), page=page, pages=pages),
        say(language, "memories_hint"),
        *([say(language, "stand_in_note")] if stand_in else []),
    ]
    title = say(language, "memories_title")
    groups = _groups(language, shown)
    blocks: list[Block] = [
        {"type": "header", "text": plain_text(title)},
        *(section(group) for group in groups),
        note(*notes),
    ]
    if buttons := _page_buttons(language, page, pages):
        blocks.append({"type": "actions", "elements": buttons})
    return private("\n".join([title, *groups, notes[0]]), blocks)


def _groups(language: Language, found: Numbered) -> list[str]:
    # A section takes 3,000 characters: ten lines at the most.
    texts: list[str] = []
    for kind, members in groupby(found, key=lambda pair: pair[1].kind):
        lines = [memory_line(language, number, memory) for number, memory in members]
        for start in range(0, len(lines), 10):
            heading = [f"*{kind_title(language, kind)}*"] if start == 0 else []
            texts.append("\n".join([*heading, *lines[start : start + 10]]))
    return texts


def _page_buttons(language: Language, page: int, pages: int) -> list[Block]:
    turns = [("memories_previous", page - 1), ("memories_next", page + 1)]
    return [
        button(f"{PAGE_ACTION}_{target}", say(language, key), str(target))
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
        return private(say(language, "forget_no_match", words=escaped(words[:80])))
    key = "search_similar" if similar else "search_title"
    title = say(language, key, words=escaped(words[:80]))
    shown = found[:PAGE_SIZE]
    if similar:
        groups = ["\n".join(memory_line(language, number, memory) for number, memory in shown[:10])]
    else:
        groups = _groups(language, shown)
    blocks: list[Block] = [section(title), *(section(group) for group in groups)]
    if len(found) > len(shown):
        blocks.append(note(say(language, "forget_more", count=len(found) - len(shown))))
    if stand_in:
        blocks.append(note(say(language, "stand_in_note")))
    return private("\n".join([title, *groups]), blocks)
