"""*What colleagues can see*: the card as a colleague sees it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.locale import Localizer
from bot.slack.messages import person_reference
from bot.ui.blocks import as_mrkdwn, bulleted
from bot.ui.lines import sentence_of
from memory import Memory, Person

MOST_LINES = 200  # more than a message holds, which says that there are others


def card_lines(localizer: Localizer, memories: Sequence[Memory]) -> list[str]:
    """Return each line of a card: the person's own sentence, and its day."""
    lines: list[str] = []
    for memory in memories:
        if sentence := sentence_of(memory):
            said = localizer.say("row_said", what=as_mrkdwn(sentence))
            day = localizer.stored_day(memory.said_on)
            lines.append(localizer.say("detailed", what=said, details=day))
    return lines


def card_line(localizer: Localizer, owner: Person, memories: Sequence[Memory]) -> str:
    """Return a person's card as a colleague sees it.

    Slack sends no notification for a mention to somebody who cannot see it.
    """
    who = person_reference(owner.user_id)
    lines = card_lines(localizer, memories)
    if not lines:
        return localizer.say("card_nothing", who=who)
    return f"{localizer.say('card_says', who=who)}\n{bulleted(lines)}"
