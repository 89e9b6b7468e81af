"""A reply: its Markdown, sources, footer, and the chunks of its stream."""

from __future__ import annotations

import re
from typing import Any, TypeAlias
from uuid import UUID

from bot.locale import Reader
from bot.people import MemoryState
from bot.types import COMMENTARY, WEB_SEARCH, Reply, Task
from bot.ui.blocks import Block, button, note, plain_text, shortened
from bot.ui.lines import off_line
from bot.ui.panel import FEEDBACK, SHOW, Position

# A markdown block takes 12,000 characters a message.
PART_LIMIT = 11_500
# Slack cuts a longer text. Source: https://docs.slack.dev/reference/methods/chat.postMessage
MESSAGE_TEXT_LIMIT = 40_000
# Of the plain text for notifications and screen readers.
FALLBACK_LIMIT = 3_900
# An address that was made text.
_UNLINKED = re.compile(r"\w\[\.\]\w")


def reply_text(reader: Reader, reply: Reply) -> str:
    """Return a reply's whole Markdown, citations as links below it."""
    text = reply.text.rstrip()
    if reply.cut:
        text += "\n\n" + reader.say(reply.cut)
    if reply.citations:
        links = "\n".join(
            f"- [{_link_label(c.title)}]({_link_target(c.url)})" for c in reply.citations
        )
        text += f"\n\n**{reader.say('sources')}**\n{links}"
    return text


def with_notes(
    reader: Reader,
    text: str,
    *,
    left_out: bool = False,
    newest_only: bool,
) -> str:
    """Return an answer with the lines below it.

    `newest_only`: not all memories were searched. `left_out`: credentials of the message
    are not stored.
    """
    lines = [reader.say("newest_only")] if newest_only else []
    if left_out:
        lines.append(reader.say("left_out"))
    return "\n\n".join([text.rstrip(), *lines]) if lines else text


def _link_label(title: str) -> str:
    return title.replace("\n", " ").replace("[", "(").replace("]", ")").strip() or "link"


def _link_target(url: str) -> str:
    # A bracket or space would end the link early.
    return url.replace("(", "%28").replace(")", "%29").replace(" ", "%20")


def footer(
    reader: Reader,
    text: str,
    *,
    stand_in: bool,
    memory_state: MemoryState | None = None,
    recalled_turn: UUID | None = None,
    rated_turn: UUID | None = None,
) -> list[Block]:
    """Return what appears below every answer with this text.

    `stand_in`: no language model wrote the answer, which the first one to a person says.
    `memory_state` says whether memory was on for it. `recalled_turn` is the turn whose recalled
    memories the button shows, `rated_turn` the turn that the rating names; None leaves them out.
    """
    lines = [] if stand_in else [reader.say("footer")]
    if stand_in and memory_state is not None and memory_state.is_first:
        lines.append(reader.say("footer_stand_in"))
    if memory_state is not None and memory_state.off:
        lines.append(off_line(reader, memory_state.off))
    elif memory_state is not None and memory_state.needs_introduction:
        lines.append(reader.say("footer_memory"))
    if _UNLINKED.search(text):
        lines.append(reader.say("footer_links"))
    return [*([note(*lines)] if lines else []), *controls_row(reader, rated_turn, recalled_turn)]


def controls_row(reader: Reader, rated: UUID | None, recalled: UUID | None) -> list[Block]:
    """Return the row of small controls below an answer: its rating, and the memories it used.

    Source: https://docs.slack.dev/reference/block-kit/blocks/context-actions-block
    """

    def side(rating: str, text: str, label: str) -> Block:
        return {
            "text": plain_text(reader.say(text)),
            "value": f"{rating} {rated}",
            "accessibility_label": reader.say(label),
        }

    feedback = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK,
        "positive_button": side("good", "feedback_good", "feedback_good_label"),
        "negative_button": side("bad", "feedback_bad", "feedback_bad_label"),
    }
    used = Position(list="used", of=str(recalled)).value
    show = button(SHOW, reader.say("used_button"), used)
    rows: list[Block] = [{"type": "context_actions", "elements": [feedback]}] if rated else []
    return [*rows, *([{"type": "actions", "elements": [show]}] if recalled else [])]


def markdown(text: str) -> Block:
    """Return the text of a message of a reply as a block."""
    return {"type": "markdown", "text": text}


Chunk: TypeAlias = dict[str, Any]

_DETAIL_LIMIT = 200

_TITLES = {
    WEB_SEARCH: "task_web_search",
    COMMENTARY: "task_commentary",
    "memory_search": "task_recall",
    "ask_about_colleague": "task_recall",
}


def text_chunk(text: str) -> Chunk:
    """Return the chunk of a stream that adds Markdown."""
    return {"type": "markdown_text", "text": text}


def task_chunk(reader: Reader, task: Task) -> Chunk:
    """Return the chunk of a stream that shows a task, or changes how it is shown.

    Source: https://docs.slack.dev/reference/methods/chat.appendStream
    """
    title = reader.say(_TITLES.get(task.name, "task_memory"))
    chunk = {"type": "task_update", "id": task.id, "title": title, "status": task.state}
    return {**chunk, "details": shortened(task.detail, _DETAIL_LIMIT)} if task.detail else chunk
