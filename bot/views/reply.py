"""A reply: its Markdown, sources, footer, and the chunks of its stream."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.locale import Language, say
from bot.types import COMMENTARY, WEB_SEARCH, MemoryState, Reply, Task
from bot.views.blocks import Block, actions, button, note, plain_text, shortened
from bot.views.dates import plain_moment
from bot.views.memory_state import incognito_button, incognito_line, memory_off_text
from bot.views.modal_triggers import BAD, FEEDBACK_ACTION, GOOD, USED_ACTION
from bot.views.notices import NOTICE_LIMIT, NoticeContent, notice_blocks
from memory import CredentialKind

# A markdown block takes 12,000 characters a message, all blocks together about 13,200.
PART_LIMIT = 11_500
ReplyNote: TypeAlias = Literal["newest_only"]
MESSAGE_LIMIT = 13_200
# Slack cuts a longer text. Source: https://docs.slack.dev/reference/methods/chat.postMessage
MESSAGE_TEXT_LIMIT = 40_000
_FOOTER_LENGTH = 600
_UPDATABLE = "told."
_FALLBACK_LIMIT = 3_900
_CREDENTIALS: dict[CredentialKind, str] = {
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
    note: ReplyNote | None,
    left_out: Sequence[CredentialKind] = (),
) -> str:
    """Return an answer with the lines below it.

    `note` is the key of the line that says what was amiss with it; `left_out` are the kinds of the
    credentials of the message, which are not stored.
    """
    lines = [say(language, note)] if note else []
    if left_out:
        lines.append(say(language, "left_out", what=credentials_named(language, left_out)))
    return "\n\n".join([text.rstrip(), *lines]) if lines else text


def credentials_named(language: Language, kinds: Sequence[CredentialKind]) -> str:
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
    notice: NoticeContent | None = None,
    max_notice_length: int = NOTICE_LIMIT,
    zone: tzinfo = UTC,
) -> list[Block]:
    """Return what appears below every answer.

    `stand_in`: no language model wrote the answer, which the first one to a person says.
    `memory_state` says whether memory was on for it. `recalled_turn` is the turn whose recalled
    memories the button lists, `rated_turn` the turn that the rating buttons name; None leaves the
    buttons out. `links_removed`: addresses are shown as text. `notice` is what was remembered of
    the message, in at most `max_notice_length` characters.
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
        *updatable_footer(
            language,
            recalled_turn=recalled_turn,
            notice=notice,
            max_notice_length=max_notice_length,
            zone=zone,
        ),
    ]


def updatable_footer(
    language: Language,
    *,
    recalled_turn: UUID | None,
    notice: NoticeContent | None,
    max_notice_length: int,
    zone: tzinfo,
) -> list[Block]:
    """Return what of the footer can change later, marked so that it can be found again."""
    buttons = [reply_memories_button(language, recalled_turn)] if recalled_turn else []
    if notice:
        blocks = notice_blocks(
            language, notice, zone, max_length=max_notice_length, extra_buttons=buttons
        )
    else:
        blocks = [actions(*buttons)] if buttons else []
    return [{**block, "block_id": _block_id(place, block)} for place, block in enumerate(blocks)]


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


def without_updatable_footer(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks of a message from Slack, without `updatable_footer`."""
    return [one for one in blocks if not str(one.get("block_id")).startswith(_UPDATABLE)]


def _block_id(place: int, block: Block) -> str:
    # Slack wants another id for a block that has changed.
    digest = hashlib.blake2b(json.dumps(block, sort_keys=True).encode(), digest_size=9)
    return f"{_UPDATABLE}{place}.{digest.hexdigest()}"


def text_length(blocks: object) -> int:
    """Return how many characters the texts in blocks have.

    Markdown comes back from Slack as ``rich_text``, whose texts are in elements of elements.
    Source: https://docs.slack.dev/reference/block-kit/blocks/markdown-block
    """
    if isinstance(blocks, Mapping):
        text = blocks.get("text")
        return len(text) if isinstance(text, str) else text_length([*blocks.values()])
    return sum(map(text_length, blocks)) if isinstance(blocks, list) else 0


def max_notice_length_for(length: int) -> int:
    """Return how many characters of notices fit in one message with an answer of `length`."""
    return max(MESSAGE_LIMIT - length - _FOOTER_LENGTH, 0)


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
