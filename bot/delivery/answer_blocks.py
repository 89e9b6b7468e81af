"""An answer as Slack shows it: its Markdown, what is below it, and the chunks of its stream."""

from __future__ import annotations

import re

from bot.acts.blocks import Block, Chunk, actions, button, note, option
from bot.acts.kinds import ACT, Open, Position, Rate, Switch
from bot.acts.lines import off_line
from bot.locale import Localizer
from bot.people import MemoryState
from bot.types import Reply

MORE = "more"
"""The block of `more_buttons`, whose message is never updated, because it may be a stream."""
# What the link filter makes of an address with a scheme, and of a mail address.
_UNLINKED = re.compile(r"\w:/ /|\w@ \w")
# A bracket would end a label early.
_TO_LABEL = str.maketrans("[]", "()")


def reply_text(localizer: Localizer, reply: Reply) -> str:
    """Return a reply's whole Markdown, with citations as links below it."""
    text = reply.text.rstrip()
    if reply.cut:
        text += "\n\n" + localizer.say(reply.cut)
    if reply.citations:
        text += f"\n\n**{localizer.say('sources')}**"
        for citation in reply.citations:
            label = " ".join(citation.title.translate(_TO_LABEL).split()) or "link"
            text += f"\n- [{label}]({citation.url})"
    return text


def footer(
    localizer: Localizer,
    text: str,
    memory_state: MemoryState,
    *,
    stand_in: bool,
    can_be_rated: bool = False,
) -> list[Block]:
    """Return what appears below an answer with this text.

    `stand_in`: no language model wrote the answer, which a person's first answer says.
    `can_be_rated`: buttons rate it. If memory was off for the message, a line says so.
    """
    lines: list[str] = []
    if not stand_in:
        lines.append(localizer.say("footer"))
    elif memory_state.is_first:
        lines.append(localizer.say("footer_stand_in"))
    if memory_state.off is not None:
        lines.append(off_line(localizer, memory_state.off))
    elif memory_state.needs_introduction:
        lines.append(localizer.say("footer_memory"))
    if _UNLINKED.search(text):
        lines.append(localizer.say("footer_links"))
    blocks: list[Block] = []
    if lines:
        blocks.append(note(*lines))
    if can_be_rated:
        blocks.append(_rating(localizer))
    return blocks


def _rating(localizer: Localizer) -> Block:
    """Return the buttons that rate an answer.

    Source: https://docs.slack.dev/reference/block-kit/blocks/context-actions-block
    """
    good = Rate(rating="good")
    bad = Rate(rating="bad")
    buttons = {
        "type": "feedback_buttons",
        "action_id": ACT,
        "positive_button": option(localizer.say("feedback_good"), good.value),
        "negative_button": option(localizer.say("feedback_bad"), bad.value),
    }
    return {"type": "context_actions", "elements": [buttons]}


def more_buttons(localizer: Localizer) -> Block:
    """Return the buttons below a refusal: what the person may have wanted of memory."""
    return actions(
        button(localizer.say("more_see"), Position()),
        button(localizer.say("more_forget"), Position(list="forget")),
        button(localizer.say("more_pause"), Switch(to="off")),
        button(localizer.say("help_title"), Open(form="help")),
        block_id=MORE,
    )


def text_chunk(text: str) -> Chunk:
    """Return a stream chunk that adds Markdown."""
    return {"type": "markdown_text", "text": text}
