"""Lists of memories, and the question before some are forgotten."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from bot.locale import Language, say
from bot.surfaces.reply import Block
from memory import Memory, subject

PAGE_SIZE = 20
CHOICES = 10
FORGET_ACTION = "forget_memory"
FORGET_ALL_ACTION = "forget_everything"
UNDO_ACTION = "undo_forget"
PAGE_ACTION = "memories_page"
# Ten lines with number and date fit into a section's 3,000 characters.
_LINE_LIMIT = 265
_CONFIRM_LIMIT = 300
# A taste below this score is a distaste.
_DISLIKED = 40

Payload = dict[str, Any]
Numbered = Sequence[tuple[int, Memory]]


def numbered(memories: Sequence[Memory]) -> list[tuple[int, Memory]]:
    """Give the memories the numbers people see: grouped by kind, newest first in each group.

    The group of the newest memory comes first. `memories` are newest first.
    """
    kinds = list(dict.fromkeys(memory.kind for memory in memories))
    ordered = [memory for kind in kinds for memory in memories if memory.kind == kind]
    return list(enumerate(ordered, start=1))


def describe(language: Language, kind: str, content: Mapping[str, Any]) -> str:
    """Return one memory as a plain line a person understands."""
    what = subject(kind, content)
    details = [
        str(content[name])
        for name in ("category", "cuisine")
        if content.get(name) and str(content[name]) != what
    ]
    level = content.get("interest_level", content.get("preference"))
    if isinstance(level, int):
        details.append(say(language, "score", score=level))
    sentence = _sentence(language, kind, what, level)
    line = f"{sentence} ({', '.join(details)})" if details else sentence
    description = content.get("description")
    if description and str(description) not in line:
        line += f": {description}"
    line = " ".join(line.split())
    return line if len(line) <= _LINE_LIMIT else line[: _LINE_LIMIT - 1] + "…"


def _sentence(language: Language, kind: str, what: str, level: object) -> str:
    keys = {
        "UserFoodPreference": ("food", "food_disliked"),
        "UserTechInterest": ("tech", "tech_not"),
    }
    if kind not in keys:
        return what
    turned_away = isinstance(level, int) and level < (
        _DISLIKED if kind == "UserFoodPreference" else 1
    )
    return say(language, keys[kind][turned_away], what=what)


def kind_title(language: Language, kind: str) -> str:
    """Return the heading of a group of memories."""
    keys = {
        "UserFoodPreference": "kind_food",
        "UserTechInterest": "kind_tech",
        "UserFact": "kind_fact",
    }
    return say(language, keys.get(kind, "kind_other"))


def _line(language: Language, number: int, memory: Memory) -> str:
    text = _escaped(describe(language, memory.kind, memory.content))
    return f"*{number}.* {text} _({memory.updated_at.date().isoformat()})_"


def _escaped(text: str) -> str:
    # An escape is longer than what it stands for, and counts as what it is.
    escaped = html.escape(text, quote=False)
    while len(escaped) > _LINE_LIMIT:
        text = text[: len(text) * (_LINE_LIMIT - 1) // len(escaped)]
        escaped = html.escape(text, quote=False) + "…"
    return escaped


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
        {"type": "header", "text": _plain(title)},
        *(_section(group) for group in groups),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": note} for note in notes]},
    ]
    if buttons := _page_buttons(language, page, pages):
        blocks.append({"type": "actions", "elements": buttons})
    return private("\n".join([title, *groups, notes[0]]), blocks)


def _groups(language: Language, found: Numbered) -> list[str]:
    # A section takes 3,000 characters: ten lines at the most.
    texts: list[str] = []
    for kind, members in groupby(found, key=lambda pair: pair[1].kind):
        lines = [_line(language, number, memory) for number, memory in members]
        for start in range(0, len(lines), 10):
            heading = [f"*{kind_title(language, kind)}*"] if start == 0 else []
            texts.append("\n".join([*heading, *lines[start : start + 10]]))
    return texts


def _page_buttons(language: Language, page: int, pages: int) -> list[Block]:
    turns = [("memories_previous", page - 1), ("memories_next", page + 1)]
    return [
        {
            "type": "button",
            "action_id": f"{PAGE_ACTION}_{target}",
            "text": _plain(say(language, key)),
            "value": str(target),
        }
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
        return private(say(language, "forget_no_match", words=_escaped(words[:80])))
    key = "search_similar" if similar else "search_title"
    title = say(language, key, words=_escaped(words[:80]))
    shown = found[:PAGE_SIZE]
    if similar:
        groups = ["\n".join(_line(language, number, memory) for number, memory in shown[:10])]
    else:
        groups = _groups(language, shown)
    blocks: list[Block] = [_section(title), *(_section(group) for group in groups)]
    if len(found) > len(shown):
        blocks.append(_note(say(language, "forget_more", count=len(found) - len(shown))))
    if stand_in:
        blocks.append(_note(say(language, "stand_in_note")))
    return private("\n".join([title, *groups]), blocks)


def forget_question(language: Language, found: Numbered, *, stand_in: bool = False) -> Payload:
    """Return what would be forgotten, each with its button, and one button for all of it."""
    shown = found[:CHOICES]
    title = (
        say(language, "forget_ask")
        if len(found) == 1
        else say(language, "forget_ask_many", count=len(found))
    )
    lines = [_line(language, number, memory) for number, memory in shown]
    blocks: list[Block] = [_section(title)]
    for line, (_, memory) in zip(lines, shown, strict=True):
        blocks.append({**_section(line), "accessory": _forget_button(language, [memory])})
    if len(found) > len(shown):
        blocks.append(_note(say(language, "forget_more", count=len(found) - len(shown))))
    elif len(shown) > 1:
        every = _forget_button(language, [memory for _, memory in shown])
        every["action_id"] = f"{FORGET_ACTION}_all"
        every["text"] = _plain(say(language, "forget_all_button", count=len(shown)))
        blocks.append({"type": "actions", "elements": [every]})
    if stand_in:
        blocks.append(_note(say(language, "stand_in_note")))
    return private("\n".join([title, *lines]), blocks)


def forget_everything_question(language: Language, count: int) -> Payload:
    """Return the question before everything is forgotten."""
    key = "forget_everything_ask" if count else "forget_words_ask"
    text = say(language, key, **({"count": count} if count else {}))
    button = {
        "type": "button",
        "action_id": FORGET_ALL_ACTION,
        "text": _plain(say(language, "forget_everything_button")),
        "style": "danger",
        "value": "everything",
        "confirm": _confirm(language, text, "forget_everything_button"),
    }
    return private(text, [_section(text), {"type": "actions", "elements": [button]}])


def forgotten_notice(language: Language, memories: Sequence[Memory], undo: str) -> Payload:
    """Return what was forgotten, with its Undo."""
    if len(memories) == 1:
        what = _escaped(describe(language, memories[0].kind, memories[0].content))
        text = say(language, "forgotten", what=what)
    elif not memories:
        text = say(language, "forgotten_words")
    else:
        text = say(language, "forgotten_many", count=len(memories))
    button = {
        "type": "button",
        "action_id": UNDO_ACTION,
        "text": _plain(say(language, "undo_button")),
        "value": undo,
    }
    blocks = [
        _section(text),
        {"type": "actions", "elements": [button]},
        _note(say(language, "undo_note")),
    ]
    return private(text, blocks)


def _forget_button(language: Language, memories: Sequence[Memory]) -> Block:
    what = "\n".join(describe(language, memory.kind, memory.content) for memory in memories)
    return {
        "type": "button",
        "action_id": FORGET_ACTION,
        "text": _plain(say(language, "forget_button")),
        "style": "danger",
        "value": json.dumps({"memories": [memory.reference for memory in memories]}),
        "confirm": _confirm(language, what, "forget_button"),
    }


def _confirm(language: Language, what: str, button: str) -> Block:
    end = say(language, "forget_confirm_text")
    room = _CONFIRM_LIMIT - len(end) - 2
    shown = what if len(what) <= room else what[: room - 1] + "…"
    return {
        "title": _plain(say(language, "forget_confirm_title")),
        "text": _plain(f"{shown}\n{end}"),
        "confirm": _plain(say(language, button)),
        "deny": _plain(say(language, "forget_keep")),
        "style": "danger",
    }


def private(text: str, blocks: list[Block] | None = None) -> Payload:
    """Return a response only the person sees."""
    return {
        "response_type": "ephemeral",
        "text": text[:3_900],
        "blocks": blocks or [_section(text)],
    }


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _note(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
