"""Replies to the sentences of a message, based on what the prompt says about the person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from kioku_stand_in.memories import Document, apply, framed, level_of, name_of, shown_in, tools_in
from kioku_stand_in.sentences import (
    REPLIES,
    STATEMENTS,
    Said,
    is_japanese,
    read,
    singular,
    statements,
    without_marks,
)
from openai_double.prompt import Prompt

_OTHERS: Final = re.compile(r"(?:<(thread|forwarded|files)>\n[^<>]*\n</\1>\n?)+")
"""A message that is frames of what others wrote: in a thread, forwarded, in files."""
_KINDS: Final = tools_in(
    "UserTechInterest(topic, interest_level?, description?) UserFact(fact, topic?)"
    " UserFoodPreference(food_name, preference?, description?)"
)


@dataclass(frozen=True)
class _Known:
    """One thing known about the person: `kind` is ``food``, ``tech`` or ``""`` for a fact."""

    kind: str
    text: str
    level: int
    name: str = ""


def reply_to(prompt: Prompt) -> tuple[str, bool]:
    """Return the reply to all sentences of the message, and whether it understood none of them."""
    words = prompt.last_user_text
    others = "\n".join(turn.text for turn in prompt.turns if _OTHERS.fullmatch(turn.text))
    brought = [one for name in ("forwarded", "files") for one in framed(others, name)]
    brought = [one for one in brought if "text" in one and "sent" not in one]
    say = {name: text[is_japanese(f"{words}{brought}")] for name, text in REPLIES.items()}
    files = [turn.files for turn in prompt.turns if turn.role == "user"][-1:]
    if lines := [*map(_line, brought), *(f"- `{one}`" for each in files for one in each)]:
        return say["files"].format("\n".join(dict.fromkeys(lines))), False
    said, known = read(words), _known(prompt, say)
    kept = statements(words)
    heard = [one for one in said if one in kept or one.name not in {*STATEMENTS, "unknown"}]
    told = list(dict.fromkeys(_reply(one, known, say) for one in heard))
    unknown = (len(heard) < len(said) and any(one.name == "unknown" for one in said)) or not said
    together = "\n\n" if "\n" in "".join(told) else " "
    return together.join([*told, *([say["unknown"]] if unknown else [])]), not told


def _line(brought: dict[str, Any]) -> str:
    if "name" in brought:
        return f"- `{brought['name']} ({brought.get('type')}, {brought.get('bytes')} bytes)`"
    return f"> {brought.get('from', '')}: {str(brought.get('text'))[:200]}"


def _known(prompt: Prompt, say: dict[str, str]) -> list[_Known]:
    """Return what the prompt says about the person, the most liked first."""
    documents = []
    for content in shown_in(prompt):
        sentences = statements(str(content.get("said", "")))
        documents += [] if sentences else [Document(kind="", content=dict(content))]
        for said in sentences:
            apply(said, documents, _KINDS)
    own = [turn.text for turn in prompt.turns if turn.role == "user"]
    recent = map(str, framed(prompt.instructions, "recent_words"))
    for words in [*recent, *(text for text in own if not _OTHERS.fullmatch(text))]:
        for said in statements(words):
            apply(said, documents, _KINDS)
    known = [_as_known(one.content, say) for one in documents if not one.removed]
    return sorted(known, key=lambda one: -one.level)


def _as_known(content: dict[str, Any], say: dict[str, str]) -> _Known:
    level, name = level_of(content), name_of(content)
    text = next((str(value) for value in (name, *content.values()) if value), "")
    if not name:
        return _Known("", text, level)
    kind = "food" if "food_name" in content else "tech"
    if special := [one for one in statements(str(content.get("description"))) if one.things]:
        text = special[0].things[0]
    disliked = kind == "food" and level < 50
    return _Known(kind, say["dislike"].format(name) if disliked else text, level, name)


def _reply(one: Said, known: list[_Known], say: dict[str, str]) -> str:
    avoided = [fact for fact in known if fact.level < 50 or (not fact.kind and _avoids(fact))]
    liked = [fact for fact in known if fact.kind and fact.level >= 50]
    liked = [fact for fact in liked if not any(_names(other, fact) for other in avoided)]
    if one.name in STATEMENTS:
        return say["said"].format(without_marks(one.clause))
    if one.name == "eat":
        foods = [fact.text for fact in liked if fact.kind == "food"]
        lines = [say["eat"].format(f"**{foods[0]}**") if foods else say["nothing"]]
        lines += [f"- {food}" for food in foods[1:3]]
        if avoided:
            lines += ["", say["mind"].format("”, “".join(fact.text for fact in avoided))]
        return "\n".join(lines)
    if one.name == "topics":
        interest, *general = say["topics"].split("|")
        topics = [interest.format(fact.text) for fact in liked if fact.kind == "tech"]
        bold = (re.sub(r"^(.*?): ", r"**\1**: ", line) for line in [*topics, *general][:3])
        return "\n".join(f"{number}. {line}" for number, line in enumerate(bold, 1))
    if one.name == "show_memories" or one.name.startswith("recall"):
        kind = {"recall_like": "food", "recall_interest": "tech"}.get(one.name)
        asked = [fact for fact in liked if fact.kind == kind] if kind else known
        lines = [f"- **{fact.text}**" for fact in asked]
        return say["recall"].format("\n".join(lines)) if lines else say["nothing"]
    return say.get(one.name, say["cannot"])


def _avoids(fact: _Known) -> list[str]:
    avoided = [one for one in statements(fact.text) if one.name in {"avoid", "diet"}]
    return [thing for one in avoided for thing in one.things]


def _names(avoided: _Known, fact: _Known) -> bool:
    """Return whether a fact is about what is avoided: its name holds that one."""
    things = [avoided.name] if avoided.name else _avoids(avoided)
    return any(singular(thing) in singular(fact.name) for thing in things)
