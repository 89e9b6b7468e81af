"""The window that shows what shaped an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.locale import Localizer
from bot.ui.blocks import SlackView
from bot.ui.forms import final_view
from bot.ui.lines import memory_line, said_line
from memory import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """The memories that may have shaped an answer, nearest first; `in_answer` are keys."""

    memories: Sequence[Memory] = ()
    in_answer: frozenset[str] = frozenset()


def shaping_view(localizer: Localizer, shaping: Shaping) -> SlackView:
    """Return the memories near an answer; those with words in it are marked."""
    if not shaping.memories:
        return final_view(localizer, "shaping_title", localizer.say("shaping_none"))
    rows = [_row(localizer, one, shaping) for one in shaping.memories]
    return final_view(localizer, "shaping_title", localizer.say("shaping_note"), *rows)


def _row(localizer: Localizer, memory: Memory, shaping: Shaping) -> str:
    """Return a memory, its mark, and its source sentence if that says more."""
    line = memory_line(localizer, memory)
    details: list[str] = []
    if memory.key in shaping.in_answer:
        details.append(f"*{localizer.say('shaping_in_answer')}*")
    if said := said_line(localizer, memory, line):
        details.append(said)
    if not details:
        return line
    return f"{line}\n{' · '.join(details)}"
