"""The thread of a message, read from Slack: context without credentials, never a memory."""

from __future__ import annotations

import logging
from collections.abc import Collection

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

_PAGE = 1_000
_KEPT = 50
_CHARACTERS = 1_000


async def read_thread(
    slack: Installations,
    message: Message,
    *,
    forgotten: Collection[str] = (),
    history_from: float = 0.0,
) -> tuple[list[dict[str, str]], bool]:
    """Return the newest fifty messages of the thread before `message`, without those `forgotten`.

    What its author and the app said before `history_from` is left out, too: it may tell what was
    forgotten then.
    Slack returns a thread oldest first, 1,000 replies at most: what is beyond them counts as
    unread. A rate limit is waited for, within `TURN_PATIENCE_SECONDS`.
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
        log.warning("a thread could not be read: %s", error_code(error) or fault(error))
        return [], is_passing(error)
    # Notices tell of memories, which may be off for this message.
    left_out, notice = {message.ts, *forgotten}, NOTICE_METADATA["event_type"]
    bot_user_id = await slack.bot_user_id(message.team_id)
    own = {message.user_id, bot_user_id}
    found = [
        one
        for one in answer.get("messages") or []
        if one.get("text")
        and not (one.get("user") in own and float(one["ts"]) < history_from)
        and str(one.get("ts")) not in left_out
        and (one.get("metadata") or {}).get("event_type") != notice
    ]
    lines = [
        {
            "from": str(one.get("user") or one.get("bot_id") or "unknown"),
            "text": excerpt(str(one["text"]), bot_user_id, _CHARACTERS),
        }
        for one in found[-_KEPT:]
    ]
    return lines, bool(next_cursor(answer))
