"""A running thread the bot is first called into: read once, bounded, as context only."""

from __future__ import annotations

import logging

from slack_sdk.web.async_client import AsyncWebClient

from bot.logs import fault
from bot.messages import Message
from bot.person.settings import Off
from bot.slack import SLACK_FAULTS, error_code
from bot.turns import Context
from bot.words import plain, storable
from memory import DM

log = logging.getLogger(__name__)

# Slack sends a thread's oldest messages first, and as many as this at once.
_READ = 1_000
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
    """Return what was written last in the thread before `message`, in order: ``{from, text}``.

    Empty in a direct message, where the thread is the bot's own already (its history is known) or
    just begins. Where memory is off there is no history of ours, and the thread is read anyway.
    These words are context and never form a memory.
    """
    known = message.audience == DM or any(e.thread == message.thread for e in context.exchanges)
    if message.opens_thread or (known and not off):
        return []
    try:
        answer = await client.conversations_replies(
            channel=message.channel_id, ts=message.thread_ts, latest=message.ts, limit=_READ
        )
    except SLACK_FAULTS as error:
        log.warning("a thread could not be read: %s", error_code(error) or fault(error))
        return []
    return [
        {
            "from": str(found.get("user") or found.get("bot_id") or "unknown"),
            "text": plain(storable(str(found.get("text") or "")), bot_user_id)[:_CHARACTERS],
        }
        for found in (answer.get("messages") or [])[-_KEPT:]
        if str(found.get("ts")) not in {message.ts, *context.forgotten} and found.get("text")
    ]
