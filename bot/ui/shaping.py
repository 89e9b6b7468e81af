"""The window that shows what shaped an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.locale import Reader
from bot.ui.blocks import Block, SlackView, as_mrkdwn, section, shortened
from bot.ui.cards import sentence_of
from bot.ui.forms import final_view
from bot.ui.lines import memory_line
from memory import Memory

_SAID_LIMIT = 120  # characters of the sentence of a memory in its row


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
    said = as_mrkdwn(shortened(sentence_of(memory), _SAID_LIMIT))
    details: list[str] = []
    if memory.key in shaping.in_answer:
        details.append(f"*{reader.say('shaping_in_answer')}*")
    if said and said not in line:
        details.append(reader.say("row_said", what=said))
    return section("\n".join([line, " · ".join(details)]).rstrip())
