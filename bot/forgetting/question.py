"""Which memories and messages to forget: each with its button."""

from __future__ import annotations

from collections.abc import Sequence

from bot.acts.blocks import (
    Payload,
    actions,
    escaped,
    explained_button,
    one_line,
    payload,
    section,
)
from bot.acts.buttons import forget_all_button, forget_button
from bot.acts.kinds import Forget
from bot.acts.lines import asked_text, own_line, repeated_sentences, with_sentence
from bot.locale import Localizer
from memory import Memory
from memory.model import MessageKey

_MOST_ROWS = 10  # rows of memories that can each be forgotten


def forget_question(
    localizer: Localizer,
    memories: Sequence[Memory],
    total: int | None = None,
    messages: Sequence[tuple[MessageKey, str]] = (),
) -> Payload:
    """Return the question whether to forget a memory or message, or which of several.

    Words may have been found in the sentence of a memory only, so it is shown if it says more.
    `total`: how many memories there are, if that is more than one button can forget. `messages`,
    each with its text, are those without a memory.
    """
    rows = [*_forget_rows(localizer, memories), *_message_rows(localizer, messages)]
    if len(rows) == 1:
        [(text, forget, _)] = rows
        if memories:
            [memory] = memories
            line = own_line(localizer, memory)
            question = localizer.say("forget_ask", what=line)
            text = with_sentence(localizer, memory, line, question)
        return payload(text, forget_button(localizer, forget))
    count = len(memories)
    shown = rows[:_MOST_ROWS]
    below = [
        section(text, explained_button(localizer, "menu_forget", forget, line))
        for text, forget, line in shown
    ]
    lines = [localizer.say("forget_which")]
    if total is not None and total > count:
        lines.append(localizer.say("forget_part", total=total, count=count))
    elif len(rows) > len(shown):
        more = len(rows) - len(shown)
        lines.append(localizer.say("forget_more", count=more))
    everything = Forget(
        keys=tuple(memory.key for memory in memories),
        messages=tuple(message for message, _ in messages),
    )
    below.append(actions(forget_all_button(localizer, everything)))
    which = payload("\n".join(lines))
    return {**which, "blocks": [*which["blocks"], *below]}


def _forget_rows(
    localizer: Localizer, memories: Sequence[Memory]
) -> list[tuple[str, Forget, str]]:
    """Return the text of each memory, what forgets it, and what its button is about."""
    rows: list[tuple[str, Forget, str]] = []
    repeated = repeated_sentences(memories)
    for memory in memories:
        line = own_line(localizer, memory, repeated)
        text = with_sentence(localizer, memory, line, line)
        rows.append((text, Forget(keys=(memory.key,)), line))
    return rows


def _message_rows(
    localizer: Localizer, messages: Sequence[tuple[MessageKey, str]]
) -> list[tuple[str, Forget, str]]:
    """Return the same of each message."""
    rows: list[tuple[str, Forget, str]] = []
    for message, said in messages:
        what = escaped(one_line(asked_text(localizer, said)))
        line = localizer.say("forget_message", what=what)
        rows.append((line, Forget(messages=(message,)), line))
    return rows
