"""A reply: its Markdown, sources and footer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Literal, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.locale import Language, say
from bot.types import MemoryState, Reply
from bot.views.blocks import Block, note
from bot.views.dates import plain_moment
from bot.views.feedback import feedback_block
from bot.views.memory_state import incognito_button, incognito_line, off_line
from bot.views.notices import ROOM, Told, notice_blocks
from bot.views.used import used_button
from memory import CredentialKind

# A markdown block takes 12,000 characters a message, all blocks together about 13,200.
PART_LIMIT = 11_500
Note: TypeAlias = Literal["newest_only"]
MESSAGE_LIMIT = 13_200
_FOOTER_ROOM = 600
_TOLD = "told."
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
        links = "\n".join(f"- [{_label(c.title)}]({_target(c.url)})" for c in reply.citations)
        text += f"\n\n**{say(language, 'sources')}**\n{links}"
    return text


def noted(
    language: Language,
    text: str,
    note: Note | None,
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
    return say(language, "list_and", others=say(language, "list_comma").join(others), last=last)


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


def _label(title: str) -> str:
    return title.replace("\n", " ").replace("[", "(").replace("]", ")").strip() or "link"


def _target(url: str) -> str:
    # A bracket or space would end the link early.
    return url.replace("(", "%28").replace(")", "%29").replace(" ", "%20")


def footer(
    language: Language,
    *,
    stand_in: bool,
    memory_state: MemoryState | None = None,
    drew_on: UUID | None = None,
    rates: UUID | None = None,
    unlinked: bool = False,
    told: Told | None = None,
    room: int = ROOM,
    zone: tzinfo = UTC,
) -> list[Block]:
    """Return what stands below every answer.

    `memory_state` says whether memory was on for it; `drew_on` is the turn whose memories were in
    view, if any were; `rates` the turn that can be rated, if it can; `unlinked` says that
    addresses in it are text; `told` what was remembered of it, in at most `room` characters.
    """
    lines = [say(language, "footer_stand_in" if stand_in else "footer")]
    incognito = memory_state.incognito if memory_state is not None else None
    if incognito:
        lines.append(incognito_line(language, incognito))
    elif memory_state is not None and memory_state.off:
        lines.append(off_line(language, memory_state.off, memory_state.settings))
    elif memory_state is not None and memory_state.introduces:
        lines.append(say(language, "footer_memory"))
    if unlinked:
        lines.append(say(language, "footer_links"))
    end = [incognito_button(language, incognito)] if incognito else []
    return [
        note(*lines),
        *([{"type": "actions", "elements": end}] if end else []),
        *([feedback_block(language, rates)] if rates else []),
        *told_blocks(language, drew_on=drew_on, told=told, room=room, zone=zone),
    ]


def told_blocks(
    language: Language,
    *,
    drew_on: UUID | None,
    told: Told | None,
    room: int,
    zone: tzinfo = UTC,
) -> list[Block]:
    """Return what of the footer can change later, marked so that it can be found again."""
    buttons = [used_button(language, drew_on)] if drew_on else []
    if told:
        blocks = notice_blocks(language, told, zone, room=room, beside=buttons)
    else:
        blocks = [{"type": "actions", "elements": buttons}] if buttons else []
    return [{**block, "block_id": _mark(place, block)} for place, block in enumerate(blocks)]


def without_told(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks of a message as it stands in Slack, without `told_blocks`."""
    return [one for one in blocks if not str(one.get("block_id")).startswith(_TOLD)]


def _mark(place: int, block: Block) -> str:
    # Slack wants another id for a block that has changed.
    digest = hashlib.blake2b(json.dumps(block, sort_keys=True).encode(), digest_size=9)
    return f"{_TOLD}{place}.{digest.hexdigest()}"


def text_length(blocks: object) -> int:
    """Return how many characters the texts in blocks have.

    Markdown comes back from Slack as ``rich_text``, whose texts are in elements of elements.
    Source: https://docs.slack.dev/reference/block-kit/blocks/markdown-block
    """
    if isinstance(blocks, Mapping):
        text = blocks.get("text")
        return len(text) if isinstance(text, str) else text_length([*blocks.values()])
    return sum(map(text_length, blocks)) if isinstance(blocks, list) else 0


def room_below(length: int) -> int:
    """Return how many characters of notices fit in one message with an answer of `length`."""
    return max(MESSAGE_LIMIT - length - _FOOTER_ROOM, 0)


def message_blocks(text: str, below: list[Block]) -> list[Block]:
    """Return one message of a reply as blocks."""
    return [{"type": "markdown", "text": text}, *below]


def fallback(text: str) -> str:
    """Return the plain text for notifications and screen readers."""
    return text if len(text) <= _FALLBACK_LIMIT else text[: _FALLBACK_LIMIT - 1] + "…"
