"""Lists of memories, and the question before one is forgotten."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.locale import Language, say
from bot.surfaces.reply import Block
from memory import Memory, subject

PAGE_SIZE = 20
CHOICES = 10
FORGET_ACTION = "forget_memory"
PAGE_ACTION = "memories_page"
# Ten lines with number and date fit into a section's 3,000 characters.
_LINE_LIMIT = 270

Payload = dict[str, Any]


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
    return say(language, keys[kind][level == 0], what=what)


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
    language: Language, memories: Sequence[Memory], *, page: int = 1, stand_in: bool = False
) -> Payload:
    """Return a page of all memories, newest first and numbered; pages start at 1."""
    if not memories:
        return private(say(language, "memories_none"))
    pages = -(-len(memories) // PAGE_SIZE)
    page = min(max(page, 1), pages)
    first = (page - 1) * PAGE_SIZE
    lines = [
        _line(language, number, memory)
        for number, memory in enumerate(memories[first : first + PAGE_SIZE], start=first + 1)
    ]
    notes = [
        say(language, "memories_count", count=len(memories), page=page, pages=pages),
        say(language, "memories_hint"),
        *([say(language, "stand_in_note")] if stand_in else []),
    ]
    blocks: list[Block] = [
        {"type": "header", "text": _plain(say(language, "memories_title"))},
        *(_section("\n".join(lines[i : i + 10])) for i in range(0, len(lines), 10)),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": n} for n in notes]},
    ]
    turns = [
        (say(language, "memories_previous"), page - 1),
        (say(language, "memories_next"), page + 1),
    ]
    if buttons := [
        {
            "type": "button",
            "action_id": f"{PAGE_ACTION}_{target}",
            "text": _plain(label),
            "value": str(target),
        }
        for label, target in turns
        if 1 <= target <= pages
    ]:
        blocks.append({"type": "actions", "elements": buttons})
    return private("\n".join([say(language, "memories_title"), *lines]), blocks)


def forget_question(
    language: Language, found: Sequence[tuple[int, Memory]], *, stand_in: bool = False
) -> Payload:
    """Return what would be forgotten, each with its button. `found` pairs numbers and memories."""
    shown = found[:CHOICES]
    title = (
        say(language, "forget_ask")
        if len(found) == 1
        else say(language, "forget_ask_many", count=len(found))
    )
    lines = [_line(language, number, memory) for number, memory in shown]
    blocks: list[Block] = [_section(title)]
    for line, (_, memory) in zip(lines, shown, strict=True):
        blocks.append({**_section(line), "accessory": _forget_button(language, memory)})
    if len(found) > len(shown):
        blocks.append(_note(say(language, "forget_more", count=len(found) - len(shown))))
    if stand_in:
        blocks.append(_note(say(language, "stand_in_note")))
    return private("\n".join([title, *lines]), blocks)


def _forget_button(language: Language, memory: Memory) -> Block:
    return {
        "type": "button",
        "action_id": FORGET_ACTION,
        "text": _plain(say(language, "forget_button")),
        "style": "danger",
        "value": json.dumps({"memory": memory.reference}),
        "confirm": {
            "title": _plain(say(language, "forget_confirm_title")),
            "text": _plain(
                f"{describe(language, memory.kind, memory.content)}\n"
                f"{say(language, 'forget_confirm_text')}"[-300:]
            ),
            "confirm": _plain(say(language, "forget_button")),
            "deny": _plain(say(language, "forget_keep")),
            "style": "danger",
        },
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
