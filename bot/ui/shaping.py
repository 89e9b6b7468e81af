"""The window that shows what shaped an answer."""

from __future__ import annotations

from collections.abc import Sequence, Set

from bot.locale import Localizer
from bot.ui.blocks import SlackView
from bot.ui.forms import final_view
from bot.ui.lines import memory_line, with_sentence
from memory import Memory


def shaping_view(
    localizer: Localizer, memories: Sequence[Memory], in_answer: Set[str]
) -> SlackView:
    """Return the memories near an answer; those with words in it, by their keys, are marked."""
    if not memories:
        return final_view(localizer, "shaping_title", localizer.say("shaping_none"))
    rows = [_row(localizer, one, is_marked=one.key in in_answer) for one in memories]
    return final_view(localizer, "shaping_title", localizer.say("shaping_note"), *rows)


def _row(localizer: Localizer, memory: Memory, *, is_marked: bool) -> str:
    """Return a memory, its mark, and its source sentence if that says more."""
    line = memory_line(localizer, memory)
    text = line
    if is_marked:
        text = f"{line}\n*{localizer.say('shaping_in_answer')}*"
    return with_sentence(localizer, memory, line, text)
