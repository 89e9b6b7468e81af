"""The earlier messages of a thread in which the bot is mentioned for the first time."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.logs import fault
from bot.slack.client import (
    NOTICE_METADATA,
    SLACK_FAULTS,
    TURN_PATIENCE_SECONDS,
    Installations,
    error_code,
    is_passing,
    next_cursor,
)
from bot.slack.messages import Message, excerpt

log = logging.getLogger(__name__)

# Slack returns a thread oldest first, `_PAGE` replies at most at once.
_PAGE = 1_000
_PAGES = 10
_KEPT = 50
_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Thread:
    """Messages in order, ``{from, text}``; `unread`: some of them could not be read just now."""

    messages: Sequence[dict[str, str]] = ()
    unread: bool = False


async def read_thread(
    slack: Installations,
    message: Message,
    *,
    forgotten: Collection[str] = (),
) -> Thread:
    """Return the newest fifty messages of the thread before `message`, without those `forgotten`.

    These words are context, without credentials, and never form a memory. Of more than 10,000
    replies the first 10,000 are read. A rate-limited page is waited for, within
    `TURN_PATIENCE_SECONDS`; where one cannot be read, the newest of those before it are returned.
    """
    left_out = {message.ts, *forgotten}
    newest: dict[str, Mapping[str, Any]] = {}
    cursor, unread = "", False
    client = slack.client(message.team_id, patience=TURN_PATIENCE_SECONDS)
    bot_user_id = await slack.bot_user_id(message.team_id)
    try:
        for _ in range(_PAGES):
            page, cursor = await _page(client, message, cursor)
            # Each page begins with the thread's first message.
            newest |= {
                str(one.get("ts")): one
                for one in page
                if one.get("text") and str(one.get("ts")) not in {*left_out, *newest}
            }
            newest = dict(list(newest.items())[-_KEPT:])
            left_out.add(message.thread_ts)
            if not cursor:
                break
    except SLACK_FAULTS as error:
        log.warning("a thread could not be read: %s", error_code(error) or fault(error))
        unread = is_passing(error)
    messages = [
        {
            "from": str(found.get("user") or found.get("bot_id") or "unknown"),
            "text": excerpt(str(found["text"]), bot_user_id, _CHARACTERS),
        }
        for found in newest.values()
    ]
    return Thread(tuple(messages), unread)


async def _page(
    client: AsyncWebClient, message: Message, cursor: str
) -> tuple[Sequence[Mapping[str, Any]], str]:
    answer = await client.conversations_replies(
        channel=message.channel_id,
        ts=message.thread_ts,
        latest=message.ts,
        limit=_PAGE,
        cursor=cursor or None,
        include_all_metadata=True,
    )
    found = answer.get("messages") or []
    # Notices tell of memories, which may be off for this message.
    kind = NOTICE_METADATA["event_type"]
    said = [one for one in found if (one.get("metadata") or {}).get("event_type") != kind]
    return said, next_cursor(answer)
