"""The thread of a message, read from Slack: context without credentials, never a memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from slack_sdk.web.async_client import AsyncWebClient

from bot.answer_limits import AnswerTooLarge
from bot.answering.attachments import file_name
from bot.answering.limits import shorten_all, without_credentials
from bot.slack.client import (
    SLACK_FAULTS,
    SlackApi,
    is_passing,
    next_cursor,
    slack_fault,
)
from bot.slack.content import read_content
from bot.slack.messages import Message, blocks_beside_text
from bot.slack.posting import NOTICE_EVENT
from memory.model import Json, with_texts

log = logging.getLogger(__name__)

_SECONDS = 2.0
_PAGE = 50  # of the first page; the next ones are larger if its messages are short
_SMALL_PAGE = 5
_LONG_CHARACTERS = 100_000  # of a page's texts
_KEPT = 50
_FIRST_TOKENS = 750  # of the first message, often an alert or a report
_LINE_TOKENS = 250

ThreadTrouble: TypeAlias = Literal["thread_not_now", "thread_long", "thread_refused"]
"""Why messages of a thread were not read: Slack was busy or slow, they are too many, it refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What was written in a thread before a message and is not in the history, oldest first.

    A line is ``{from, text}``, with marks for names (`bot.slack.names`). It may have `attached`,
    lines that its author forwarded or pasted, and `not_shown`, the names of unread files and the
    number of other unread parts. `unread` is the number of all unread parts. `left_out` messages
    were between the first and the second line, and because of `trouble` others were not read.
    """

    lines: Sequence[Json] = ()
    unread: int = 0
    left_out: int = 0
    trouble: ThreadTrouble | None = None


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
    thread is about. Slack's pages are read for two seconds at most.
    """
    client = slack.client(message.team_id, patience=_SECONDS)
    bot_user_id = slack.bot_user_id(message.team_id)
    not_shown = {message.ts, *left_out}
    own = {message.user_id, bot_user_id}
    found: list[Json] = []
    between = 0
    trouble: ThreadTrouble | None = None
    try:
        async with asyncio.timeout(_SECONDS):
            async for one in _messages(client, message):
                is_before = one.get("user") in own and float(one["ts"]) < history_from
                if is_before or not _is_shown(one, not_shown):
                    continue
                found.append(one)
                if len(found) > _KEPT:
                    del found[1]
                    between += 1
    except AnswerTooLarge:
        trouble = "thread_long"
    except TimeoutError:
        trouble = "thread_long" if found else "thread_not_now"
    except SLACK_FAULTS as error:
        trouble = "thread_not_now" if is_passing(error) else "thread_refused"
        log.warning("a thread could not be read: %s", slack_fault(error))
    lines, unread = await asyncio.to_thread(_lines, found, bot_user_id, told_until)
    return Thread(lines=lines, unread=unread, left_out=between, trouble=trouble)


async def _messages(client: AsyncWebClient, message: Message) -> AsyncIterator[Json]:
    """Yield the messages of a thread before `message`, the first one first.

    A page that is too large is asked for again, smaller.
    """
    cursor: str | None = None
    limit = _PAGE
    while cursor != "":
        try:
            page = await client.conversations_replies(
                channel=message.channel_id,
                ts=message.thread_ts,
                latest=message.ts,
                limit=limit,
                cursor=cursor,
                include_all_metadata=True,
            )
        except AnswerTooLarge:
            if limit == _SMALL_PAGE:
                raise
            limit = _SMALL_PAGE
            continue
        messages = page.get("messages") or []
        characters = sum(len(one.get("text") or "") for one in messages)
        limit = 4 * _PAGE if characters < _LONG_CHARACTERS else _SMALL_PAGE
        for one in messages:
            # Slack begins each page with the first message.
            if cursor is None or one["ts"] != message.thread_ts:
                # Blocks of people repeat their texts, and take three times the room.
                yield {**one, "blocks": blocks_beside_text(one)}
        cursor = next_cursor(page)


def _is_shown(one: Json, left_out: Collection[str]) -> bool:
    """Return whether a message of a thread is context.

    What is in the place of a deleted one is not. Nor are the app's notices: they show memories, and
    memory may be off for this message.
    """
    if one.get("subtype") == "tombstone":
        return False
    is_notice = (one.get("metadata") or {}).get("event_type") == NOTICE_EVENT
    return not is_notice and str(one.get("ts")) not in left_out


def _lines(
    messages: Sequence[Json], bot_user_id: str, told_until: str
) -> tuple[list[Json], int]:
    """Return messages of a thread with marks for names, and the number of unread parts.

    Parts of messages up to `told_until`, a ts, are not counted.
    """
    lines: list[Json] = []
    unread = 0
    budget = _FIRST_TOKENS
    for one in messages:
        line, parts = _line(one, bot_user_id)
        if str(one["ts"]) > told_until:
            unread += parts
        safe = with_texts(line, without_credentials)
        lines.append(shorten_all(safe, budget))
        budget = _LINE_TOKENS
    return lines, unread


def _line(one: Json, bot_user_id: str) -> tuple[Json, int]:
    """Return a message of a thread, and the number of its unread parts."""
    if one.get("user") == bot_user_id:
        # The blocks of an answer are its text once more, with buttons.
        said = read_content({"text": one.get("text")}, bot_user_id)
        return {"from": "you", "text": said.text}, 0
    content = read_content(one, bot_user_id)
    text = "\n".join(filter(None, [content.text, content.words]))
    not_shown: list[str | int] = [file_name(file) or "a file" for file in content.files]
    unread = content.unread
    if not (text or content.attached or not_shown):
        # Such as a huddle.
        unread = max(unread, 1)
    if unread:
        not_shown.append(unread)
    line: dict[str, object] = {"from": content.author, "text": text}
    if content.attached:
        line["attached"] = content.attached
    if not_shown:
        line["not_shown"] = not_shown
    return line, unread + len(content.files)
