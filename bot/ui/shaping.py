"""The window that shows what shaped an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.locale import Reader
from bot.ui.blocks import Block, SlackView, section
from bot.ui.forms import final_view
from bot.ui.lines import memory_line, said_line
from memory import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """The memories that may have shaped an answer, nearest first; `in_answer` are keys."""

    memories: Sequence[Memory] = ()
    in_answer: frozenset[str] = frozenset()


def shaping_view(reader: Reader, shaping: Shaping) -> SlackView:
    """Return the memories near an answer, those with words in it marked."""
    if not shaping.memories:
        return final_view(reader, "shaping_title", reader.say("shaping_none"))
    view = final_view(reader, "shaping_title", reader.say("shaping_note"))
    rows = [_row(reader, one, shaping) for one in shaping.memories]
    return {**view, "blocks": [*view["blocks"], *rows]}


def _row(reader: Reader, memory: Memory, shaping: Shaping) -> Block:
    """Return a memory, its mark, and the sentence it comes from where that says more."""
    line = memory_line(reader, memory)
    details: list[str] = []
    if memory.key in shaping.in_answer:
        details.append(f"*{reader.say('shaping_in_answer')}*")
    if said := said_line(reader, memory, line):
        details.append(said)
    return section("\n".join([line, " · ".join(details)]).rstrip())
