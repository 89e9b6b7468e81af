"""A running thread the bot is first called into: read once, bounded, as context only."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.logs import fault
from bot.messages import Message
from bot.person.settings import Off
from bot.slack import SLACK_FAULTS, error_code
from bot.turns import Context
from bot.words import plain, storable
from memory import DM, redact

log = logging.getLogger(__name__)

# Slack returns a thread oldest first, `_PAGE` replies at most at once.
_PAGE = 1_000
_PAGES = 10
_KEPT = 50
_CHARACTERS = 1_000


async def read_thread(
    client: AsyncWebClient,
    message: Message,
    context: Context,
    bot_user_id: str,
    *,
    off: Off | None = None,
) -> list[dict[str, str]]:
    """Return the newest fifty messages of the thread before `message`, in order: ``{from, text}``.

    Empty in a direct message, where the thread is the bot's own already (its history is known) or
    just begins. Where memory is off there is no history of ours, and the thread is read anyway.
    These words are context, without credentials, and never form a memory. Of more than 10,000
    replies the first 10,000 are read; where Slack refuses a page, the newest of those before it are
    returned.
    """
    known = message.audience == DM or any(e.thread == message.thread for e in context.exchanges)
    if message.opens_thread or (known and not off):
        return []
    left_out = {message.ts, *context.forgotten}
    newest: dict[str, Mapping[str, Any]] = {}
    cursor = ""
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
    return [
        {
            "from": str(found.get("user") or found.get("bot_id") or "unknown"),
            "text": redact(plain(storable(str(found["text"])), bot_user_id)).text[:_CHARACTERS],
        }
        for found in newest.values()
    ]


async def _page(
    client: AsyncWebClient, message: Message, cursor: str
) -> tuple[Sequence[Mapping[str, Any]], str]:
    answer = await client.conversations_replies(
        channel=message.channel_id,
        ts=message.thread_ts,
        latest=message.ts,
        limit=_PAGE,
        cursor=cursor or None,
    )
    following = (answer.get("response_metadata") or {}).get("next_cursor") or ""
    return answer.get("messages") or [], str(following)
