"""A memory in words a person understands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from bot.locale import Language, say
from bot.views.blocks import LINE_LIMIT, escaped, shortened
from bot.views.dates import day
from memory import DM, PUBLIC, Memory, subject

# What a score from 0 to 100 is in words: the least one of each, with the key of its sentence.
_TASTES = ((90, "food_loved"), (60, "food"), (40, "food_fine"), (0, "food_disliked"))
_INTERESTS = ((85, "tech_very"), (40, "tech"), (1, "tech_little"), (0, "tech_not"))
# Of “I like …” and 「…が好きです」; and what ends a word before the subject in Japanese.
_FEW_LETTERS, _ENDS = 8, "はがもの"
KIND_TITLES = {
    "UserFoodPreference": "kind_food",
    "UserTechInterest": "kind_tech",
    "UserFact": "kind_fact",
    "UserInstruction": "kind_instruction",
    "Episode": "kind_episode",
}
# Of the built-in kinds: the name of a field, in whichever kind, and the key of its label.
FIELD_LABELS: Mapping[str, str] = {
    "topic": "field_topic",
    "category": "field_category",
    "interest_level": "field_interest_level",
    "description": "field_description",
    "food_name": "field_food_name",
    "cuisine": "field_cuisine",
    "preference": "field_preference",
    "fact": "field_fact",
    "instruction": "field_instruction",
    "observation": "field_observation",
    "action": "field_action",
    "result": "field_result",
}
# The fields of a built-in kind that are shown beside its subject; of an operator's own, all.
_DETAILS: Mapping[str, tuple[str, ...]] = {
    "UserFoodPreference": ("cuisine",),
    "UserTechInterest": ("category",),
    "UserFact": (),
    "UserInstruction": (),
}

# A user's id, as Slack makes them, unless it was cut off.
_MENTION = re.compile(r"(?<![\w@])@([UW][A-Z0-9]{7,20}+)(?![\w…])")


def describe(language: Language, kind: str, content: Mapping[str, Any]) -> str:
    """Return one memory as a plain line that a person understands, cut at `LINE_LIMIT`."""
    what = subject(kind, content)
    if kind == "Episode":
        parts = (what, content.get("action"), content.get("result"))
        return _one_line(" → ".join(str(part) for part in parts if part))
    if kind in _DETAILS:
        values = (str(content.get(name) or "") for name in _DETAILS[kind])
        details = [value for value in values if value not in ("", what)]
    else:
        details = _named_fields(content, what)
    sentence = _sentence(language, kind, what, content)
    line = sentence
    if details:
        listed = say(language, "listed").join(details)
        line = say(language, "detailed", what=sentence, details=listed)
    description = str(content.get("description") or "")
    if description and description not in line and not says_nothing_more(kind, content):
        line = say(language, "explained", what=line, more=description)
    return _one_line(line)


def says_nothing_more(kind: str, content: Mapping[str, Any]) -> bool:
    """Say whether a description only names the subject again: “I like ramen” of ramen.

    Few letters are left of it without the subject, and they do not belong to it, as in “miso
    ramen” or 「味噌ラーメン」.
    """
    what = subject(kind, content).casefold()
    description = str(content.get("description") or "").casefold()
    before, found, after = description.partition(what) if what else ("", "", "")
    left = (before + after).strip(" .!。！")
    if not found or len(left) > _FEW_LETTERS or (before[-1:].isalnum() and before[-1] not in _ENDS):
        return False
    return not left.isascii() or len(left.split()) != 1


def _one_line(text: str) -> str:
    return shortened(" ".join(text.split()), LINE_LIMIT)


def _sentence(language: Language, kind: str, what: str, content: Mapping[str, Any]) -> str:
    """Return what is liked, or of interest, and how much: a score says nothing to a person."""
    match kind:
        case "UserFoodPreference":
            level, usual, words = content.get("preference"), "food", _TASTES
        case "UserTechInterest":
            level, usual, words = content.get("interest_level"), "tech", _INTERESTS
        case _:
            return what
    if isinstance(level, int):
        usual = next((key for least, key in words if level >= least), usual)
    return say(language, usual, what=what)


def _named_fields(content: Mapping[str, Any], what: str) -> list[str]:
    """Return the fields beside the subject, each with its name."""
    return [
        f"{name.replace('_', ' ')}: {value}"
        for name, value in sorted(content.items())
        if isinstance(value, str | int | float) and value != what
    ]


def kind_title(language: Language, kind: str) -> str:
    """Return the heading of a group of memories; an operator's own kind goes by its name."""
    if kind in KIND_TITLES:
        return say(language, KIND_TITLES[kind])
    own = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind)
    return say(language, "kind_other") if kind == "Memory" else escaped(own)


def last_day(language: Language, end: datetime, zone: tzinfo) -> str:
    """Return the last day of what ends at `end`, often a midnight, as mrkdwn in parentheses."""
    return say(language, "change_until", day=day(end - timedelta(seconds=1), zone, language))


def memory_line(language: Language, number: int, memory: Memory, zone: tzinfo) -> str:
    """Return a memory as a line of a numbered list."""
    text = describe_escaped(language, memory, zone)
    return f"*{number}.* {text} _({day(memory.updated_at, zone, language)})_"


def describe_escaped(language: Language, memory: Memory, zone: tzinfo) -> str:
    """Return a memory as a line of mrkdwn without markup of its own, with its last day."""
    text = with_mentions(escaped(describe(language, memory.kind, memory.content)))
    return f"{text} {last_day(language, memory.expires_at, zone)}" if memory.expires_at else text


def with_mentions(text: str) -> str:
    """Return escaped text with the mentions that `bot.slack.messages.plain` made plain, as names.

    Slack sends no notification for a mention in an ephemeral message, a view or an update.
    """
    return _MENTION.sub(r"<@\1>", text)


def audience_name(language: Language, audience: str) -> str:
    """Return where a memory may be used, as mrkdwn that ends a sentence."""
    if audience == DM:
        return say(language, "place_dm")
    if audience == PUBLIC:
        return say(language, "place_public")
    return say(language, "place_own", channel=f"<#{audience}>")
