"""The thread of a message, read from Slack: context without credentials, never a memory."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bot.pipeline.attachments import excerpts, file_name
from bot.slack.client import (
    SLACK_FAULTS,
    TURN_PATIENCE_SECONDS,
    SlackApi,
    is_passing,
    next_cursor,
    slack_fault,
)
from bot.slack.content import MessageContent, author_of, read_content
from bot.slack.messages import Message, sanitize_payload
from bot.slack.posting import NOTICE_EVENT
from bot.slack.reading import excerpt, plain
from memory.model import Json

log = logging.getLogger(__name__)

_PAGE = 1_000
_KEPT = 50
_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What was written in a thread before a message and is not in the history, oldest first.

    A line is ``{from, text}``, with marks for names (`bot.slack.names`). It may have `attached`,
    lines that its author forwarded or pasted, and `not_shown`, the names of unread files and the
    number of other unread parts. `unread` is the number of all unread parts, and `is_cut` says that
    earlier messages could not be read just now.
    """

    lines: Sequence[Json] = ()
    unread: int = 0
    is_cut: bool = False


async def read_thread(
    slack: SlackApi,
    message: Message,
    *,
    left_out: Collection[str] = (),
    told_until: str = "",
    history_from: float = 0.0,
) -> Thread:
    """Return the first and the newest messages of the thread before `message`, fifty in all.

    Messages in `left_out` are not returned, nor is what the author of `message` and the app wrote
    before `history_from`, which may repeat what was forgotten then. The answer to the message at
    `told_until` has told what was unread before it. The first message, often an alert, is what the
    thread is about. Slack returns at most the oldest 1,000; if there are more, `is_cut` is set. A
    rate limit is waited for, within `TURN_PATIENCE_SECONDS`.
    """
    client = slack.client(message.team_id, patience=TURN_PATIENCE_SECONDS)
    try:
        answer = await client.conversations_replies(
            channel=message.channel_id,
            ts=message.thread_ts,
            latest=message.ts,
            limit=_PAGE,
            include_all_metadata=True,
        )
    except SLACK_FAULTS as error:
        log.warning("a thread could not be read: %s", slack_fault(error))
        return Thread(is_cut=is_passing(error))
    bot_user_id = slack.bot_user_id(message.team_id)
    not_shown = {message.ts, *left_out}
    own = {message.user_id, bot_user_id}
    found: list[Json] = []
    for one in answer.get("messages") or []:
        is_before = one.get("user") in own and float(one["ts"]) < history_from
        if _is_shown(one, not_shown) and not is_before:
            found.append(one)
    if len(found) > _KEPT:
        found = [found[0], *found[1 - _KEPT :]]
    lines, unread = _lines(found, bot_user_id, told_until)
    return Thread(lines=lines, unread=unread, is_cut=bool(next_cursor(answer)))


def _lines(
    messages: Sequence[Json], bot_user_id: str, told_until: str
) -> tuple[list[dict[str, Any]], int]:
    """Return messages of a thread with marks for names, and the number of unread parts.

    Parts of messages up to `told_until`, a ts, are not counted.
    """
    lines: list[dict[str, Any]] = []
    unread = 0
    for one in messages:
        if one.get("user") == bot_user_id:
            # The blocks of an answer are its text once more, with buttons.
            text = excerpt(str(one.get("text") or ""), bot_user_id, _CHARACTERS)
            lines.append({"from": "you", "text": text})
            continue
        content = _content(one)
        if str(one["ts"]) > told_until:
            unread += content.unread + len(content.files)
        author = plain(author_of(one))
        lines.append({"from": author, **_line(content, bot_user_id)})
    return lines, unread


def _is_shown(one: Json, left_out: Collection[str]) -> bool:
    """Return whether a message of a thread is context.

    What is in the place of a deleted one is not. Nor are the app's notices: they show memories, and
    memory may be off for this message.
    """
    if one.get("subtype") == "tombstone":
        return False
    is_notice = (one.get("metadata") or {}).get("event_type") == NOTICE_EVENT
    return not is_notice and str(one.get("ts")) not in left_out


def _content(one: Json) -> MessageContent:
    """Return what another's message holds; one that holds nothing, like a huddle, is unread."""
    content = read_content(sanitize_payload(one))
    if content.text or content.parts or content.files:
        return content
    return MessageContent(unread=content.unread or 1)


def _line(content: MessageContent, bot_user_id: str) -> dict[str, Any]:
    """Return a message of a thread with marks for names, cut to `_CHARACTERS` in all."""
    own = [part["text"] for part in content.parts if "from" not in part]
    said = "\n".join(filter(None, [content.text, *own]))
    words = excerpt(said, bot_user_id, _CHARACTERS)
    line: dict[str, Any] = {"text": words}
    others = [part for part in content.parts if "from" in part]
    if others:
        left = _CHARACTERS - len(words)
        line["attached"] = excerpts(others, bot_user_id, left)
    not_shown: list[str | int] = [file_name(file) or "a file" for file in content.files]
    if content.unread:
        not_shown.append(content.unread)
    if not_shown:
        line["not_shown"] = not_shown
    return line
