"""A reply: its Markdown, sources, footer, and the chunks of its stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.locale import Language, say
from bot.types import COMMENTARY, WEB_SEARCH, MemoryState, Reply, Task
from bot.views.blocks import Block, actions, button, note, plain_text, shortened
from bot.views.dates import plain_moment
from bot.views.memory_state import incognito_button, incognito_line, memory_off_text
from bot.views.modal_triggers import BAD, FEEDBACK_ACTION, GOOD, USED_ACTION

# A markdown block takes 12,000 characters a message.
PART_LIMIT = 11_500
# Slack cuts a longer text. Source: https://docs.slack.dev/reference/methods/chat.postMessage
MESSAGE_TEXT_LIMIT = 40_000
_FALLBACK_LIMIT = 3_900
_CREDENTIALS: Mapping[str, str] = {
    "access_key": "credential_access_key",
    "bank_account": "credential_bank_account",
    "card_number": "credential_card_number",
    "id_number": "credential_id_number",
    "my_number": "credential_my_number",
    "password": "credential_password",
    "private_key": "credential_private_key",
    "security_code": "credential_security_code",
}


def reply_text(language: Language, reply: Reply) -> str:
    """Return a reply's whole Markdown, citations as links below it."""
    text = reply.text.rstrip()
    if reply.cut:
        text += "\n\n" + say(language, reply.cut)
    if reply.citations:
        links = "\n".join(
            f"- [{_link_label(c.title)}]({_link_target(c.url)})" for c in reply.citations
        )
        text += f"\n\n**{say(language, 'sources')}**\n{links}"
    return text


def with_notes(
    language: Language,
    text: str,
    left_out: Sequence[str] = (),
    *,
    newest_only: bool,
) -> str:
    """Return an answer with the lines below it.

    `newest_only`: not all memories were searched. `left_out` are the kinds of the credentials of
    the message, which are not stored.
    """
    lines = [say(language, "newest_only")] if newest_only else []
    if left_out:
        lines.append(say(language, "left_out", what=credentials_named(language, left_out)))
    return "\n\n".join([text.rstrip(), *lines]) if lines else text


def credentials_named(language: Language, kinds: Sequence[str]) -> str:
    """Return kinds of credentials as a sentence lists them: “a password and a card number”."""
    *others, last = (say(language, _CREDENTIALS[kind]) for kind in kinds)
    if not others:
        return last
    return say(language, "list_and", others=say(language, "listed").join(others), last=last)


def late_line(language: Language, ts: str, time_zone: str | None) -> str:
    """Return the line that says when a message was written, and that its answer is late.

    By the person's clock; with its date where that is not today's. Where their zone is unknown, in
    UTC, named.
    """
    try:
        zone: tzinfo = ZoneInfo(time_zone or "")
        suffix = ""
    except (ZoneInfoNotFoundError, ValueError):
        zone, suffix = UTC, " UTC"
    written = datetime.fromtimestamp(float(ts), zone)
    return say(language, "late", time=f"{plain_moment(written, zone, language)}{suffix}")


def _link_label(title: str) -> str:
    return title.replace("\n", " ").replace("[", "(").replace("]", ")").strip() or "link"


def _link_target(url: str) -> str:
    # A bracket or space would end the link early.
    return url.replace("(", "%28").replace(")", "%29").replace(" ", "%20")


def footer(
    language: Language,
    *,
    stand_in: bool,
    memory_state: MemoryState | None = None,
    recalled_turn: UUID | None = None,
    rated_turn: UUID | None = None,
    links_removed: bool = False,
) -> list[Block]:
    """Return what appears below every answer.

    `stand_in`: no language model wrote the answer, which the first one to a person says.
    `memory_state` says whether memory was on for it. `recalled_turn` is the turn whose recalled
    memories the button lists, `rated_turn` the turn that the rating buttons name; None leaves the
    buttons out. `links_removed`: addresses are shown as text.
    """
    lines = [] if stand_in else [say(language, "footer")]
    if stand_in and memory_state is not None and memory_state.is_first:
        lines.append(say(language, "footer_stand_in"))
    incognito = memory_state.incognito if memory_state is not None else None
    if incognito:
        lines.append(incognito_line(language, incognito))
    elif memory_state is not None and memory_state.off:
        lines.append(memory_off_text(language, memory_state.off, memory_state.settings))
    elif memory_state is not None and memory_state.needs_introduction:
        lines.append(say(language, "footer_memory"))
    if links_removed:
        lines.append(say(language, "footer_links"))
    end = [incognito_button(language, incognito, below_reply=True)] if incognito else []
    return [
        *([note(*lines)] if lines else []),
        *([actions(*end)] if end else []),
        *([feedback_block(language, rated_turn)] if rated_turn else []),
        *([actions(reply_memories_button(language, recalled_turn))] if recalled_turn else []),
    ]


def feedback_block(language: Language, turn: UUID) -> Block:
    """Return the two buttons below the answer of a turn."""

    def side(rating: str, text: str, label: str) -> Block:
        return {
            "text": plain_text(say(language, text)),
            "value": f"{rating} {turn}",
            "accessibility_label": say(language, label),
        }

    return {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": FEEDBACK_ACTION,
                "positive_button": side(GOOD, "feedback_good", "feedback_good_label"),
                "negative_button": side(BAD, "feedback_bad", "feedback_bad_label"),
            }
        ],
    }


def reply_memories_button(language: Language, turn: UUID) -> Block:
    """Return the button below a reply that memories were recalled for."""
    return button(
        USED_ACTION,
        say(language, "used_title"),
        str(turn),
        accessibility_label=say(language, "used_label"),
    )


def message_blocks(text: str, footer_blocks: list[Block]) -> list[Block]:
    """Return one message of a reply as blocks."""
    return [{"type": "markdown", "text": text}, *footer_blocks]


def fallback(text: str) -> str:
    """Return the plain text for notifications and screen readers."""
    return shortened(text, _FALLBACK_LIMIT)


Chunk: TypeAlias = dict[str, Any]

_DETAIL_LIMIT = 200

_TITLES = {
    WEB_SEARCH: "task_web_search",
    COMMENTARY: "task_commentary",
    "memory_search": "task_recall",
    "read_current_view": "task_look",
}


def text_chunk(text: str) -> Chunk:
    """Return the chunk of a stream that adds Markdown."""
    return {"type": "markdown_text", "text": text}


def task_chunk(language: Language, task: Task) -> Chunk:
    """Return the chunk of a stream that shows a task, or changes how it is shown.

    Source: https://docs.slack.dev/reference/methods/chat.appendStream
    """
    title = say(language, _TITLES.get(task.name, "task_memory"))
    chunk = {"type": "task_update", "id": task.id, "title": title, "status": task.state}
    return {**chunk, "details": shortened(task.detail, _DETAIL_LIMIT)} if task.detail else chunk
