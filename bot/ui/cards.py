"""*How to work with me*: the card as a colleague sees it, and the form of its questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.ui.blocks import LINE_LIMIT, Payload, bulleted, escaped, payload, shortened
from bot.ui.reader import Reader
from memory import Memory

QUESTIONS = ("reviews", "meetings", "names", "messages", "focus")
"""The names of the questions of the form; the sentences are ``card_NAME``."""
MOST_LINES = 12


def colleague_name(user: Mapping[str, Any]) -> str:
    """Return the name of Slack's user object that other people see."""
    profile = user.get("profile") or {}
    names = (profile.get("display_name"), user.get("real_name"), user.get("name"))
    return next((str(one) for one in names if one), "")


def sentence_of(memory: Memory) -> str:
    """Return the newest sentence of the person that a memory comes from; empty if none is kept."""
    said = [str(one.get("evidence") or "") for one in memory.sources]
    return " ".join(next((one for one in reversed(said) if one), "").split())


def card_lines(reader: Reader, memories: Sequence[Memory]) -> list[str]:
    """Return each line of a card: the person's own sentence, and its day."""
    return [
        reader.say(
            "card_line",
            what=escaped(shortened(sentence, LINE_LIMIT)),
            day=reader.day(memory.created_at),
        )
        for memory in memories
        if (sentence := sentence_of(memory))
    ]


def card_payload(reader: Reader, name: str, memories: Sequence[Memory]) -> Payload:
    """Return what a colleague is shown."""
    said = reader.say("card_says", who=escaped(name))
    return payload(f"{said}\n{bulleted(card_lines(reader, memories))}")


def no_card(reader: Reader, name: str) -> Payload:
    """Return that a colleague has told nothing to share."""
    return payload(reader.say("card_nothing", who=escaped(name)))
