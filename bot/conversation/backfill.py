"""Messages that Slack did not deliver, as in an outage: read from Slack, stored and answered.

Slack delivers an event again for about six minutes. After a longer time in which no process could
store events, the messages of that time are read from Slack: a day back at most. `heard_at` of the
table `installation` is when events were received last. After a gap one job lists the conversations
and threads, and one job reads a page of each; a job that Slack refuses is
tried again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.app import App
from bot.conversation.audiences import invalidate_kinds, look_up_kind
from bot.conversation.inbox import store_message
from bot.logs import fault
from bot.queue.queue import BACKGROUND
from bot.slack.client import GAP_SECONDS, list_messages, next_cursor, unless_refused
from bot.slack.members import kind_of
from bot.slack.messages import Message, read_found_message, split_thread_key
from memory import Pool
from memory.postgres import (
    Connection,
    execute_statement,
    fetch_rows,
    load_statements,
    transaction,
)

log = logging.getLogger(__name__)

_SQL = load_statements("bot.conversation", "backfill")
_INSTALLATION = load_statements("bot", "installation")
CATCH_UP = "catch_up"
READ_MISSED = "read_missed_messages"
HEARD_SECONDS = 20.0
PAGE = 100
_DAY_SECONDS = 86_400.0
_OVERLAP_SECONDS = 60.0
_FOLLOWED_DAYS = 7
_FOLLOWED_THREADS = 500
_CONVERSATIONS = 200
_TYPES = "im,mpim,private_channel,public_channel"
# Slack lets an app read fifty times a minute, and the turns read too.
_SPACING_SECONDS = 1.5


async def record_heard(app: App) -> None:
    """Record that this process receives events; after a gap, schedule a backfill.

    Only the first of several processes to return schedules it; the others find what it recorded.
    Kinds of conversations are looked up again, because events about their changes were missed.
    While the app is uninstalled nothing is recorded.
    """
    team_id = app.presence.team_id
    async with transaction(app.pool) as connection:
        for row in await fetch_rows(
            connection, _INSTALLATION["hear"], {"team": team_id}
        ):
            gap = row["gap"]
            if gap <= GAP_SECONDS:
                continue
            log.warning("no events came for %d minutes: catching up", gap // 60)
            await invalidate_kinds(connection, team_id)
            job = {"team": team_id, "since": row["heard"], "cursor": ""}
            await _schedule(app, connection, CATCH_UP, [job])


async def keep_heard(app: App, receives: Callable[[], Awaitable[bool]]) -> None:
    """Record at once, and every `HEARD_SECONDS`, that events come in, if this process `receives`.

    Whether the app is installed is read each time, too. This does not return.
    """
    while True:
        try:
            await app.presence.refresh()
            if await receives():
                await record_heard(app)
        except Exception as error:  # noqa: BLE001 - the next time is stored again
            log.warning("the time of the last events was not stored: %s", fault(error))
        await asyncio.sleep(HEARD_SECONDS)


async def catch_up(app: App, team: str, since: str, cursor: str = "") -> None:
    """Schedule reading what was written after `since`, a Unix time, in a page of conversations.

    `cursor` names the page of Slack's list. Direct messages come first, then the threads that the
    app took part in, then channels; those that are shared with another organisation are not read.
    """
    day_ago = time.time() - _DAY_SECONDS
    oldest = f"{max(float(since) - _OVERLAP_SECONDS, day_ago):.6f}"
    answer: AsyncSlackResponse | dict[str, Any] = {}
    with unless_refused("list the app's conversations"):
        answer = await app.slack.client(team).users_conversations(
            types=_TYPES,
            exclude_archived=True,
            limit=_CONVERSATIONS,
            cursor=cursor or None,
        )
    listed = answer.get("channels") or []
    channels = [one for one in listed if not kind_of(one, one["id"])[1]]
    places = [(one["id"], "") for one in channels if one.get("is_im")]
    if not cursor:
        values = {"team": team, "days": _FOLLOWED_DAYS, "most": _FOLLOWED_THREADS}
        followed = await execute_statement(app.pool, _SQL["followed_threads"], values)
        places += [split_thread_key(row["thread"])[1:] for row in followed]
    places += [(one["id"], "") for one in channels if not one.get("is_im")]
    reads = [_reading(team, channel, thread, oldest) for channel, thread in places]
    await _schedule(app, app.pool, READ_MISSED, reads, _SPACING_SECONDS)
    following = next_cursor(answer)
    if following:
        job = {"team": team, "since": since, "cursor": following}
        await _schedule(app, app.pool, CATCH_UP, [job], _SPACING_SECONDS * len(places))


async def read_follow_ups(app: App, message: Message, since: str) -> None:
    """Schedule reading what was written after `since` in the thread of a mention that came late."""
    job = _reading(message.team_id, message.channel_id, message.thread_ts, since)
    await _schedule(app, app.pool, READ_MISSED, [job])


async def read_missed_messages(
    app: App, team: str, channel: str, thread: str, oldest: str, cursor: str = ""
) -> None:
    """Store a page of the messages after `oldest` in a channel, or in one `thread` of it.

    Which of them are for the app is decided as for delivered messages. None is older than a day, in
    a conversation that is shared with another organisation, or from before its author was erased.
    """
    answer: AsyncSlackResponse | dict[str, Any] = {}
    with unless_refused("show what was missed"):
        answer = await list_messages(
            app.slack.client(team),
            channel,
            thread,
            oldest=oldest,
            limit=PAGE,
            cursor=cursor or None,
        )
    # A thread is returned with its first message, however old.
    messages = answer.get("messages") or []
    # The job may have waited.
    since = max(float(oldest), time.time() - _DAY_SECONDS)
    found = [one for one in messages if float(one["ts"]) > since]
    # Slack lists direct messages without saying so, and a thread's channel is not listed.
    if found and (await look_up_kind(app, team, channel)).shared:
        return
    later: list[dict[str, str]] = []
    following = next_cursor(answer)
    if following:
        later.append(_reading(team, channel, thread, oldest, following))
    for one in sorted(found, key=lambda one: float(one["ts"])):
        installation = app.slack.installation_in(team)
        message = read_found_message(one, installation, channel_id=channel)
        if message is not None:
            await store_message(app, message, missed=True)
        if one.get("reply_count") and not thread:
            later.append(_reading(team, channel, str(one["ts"]), oldest))
    await _schedule(app, app.pool, READ_MISSED, later, _SPACING_SECONDS)


async def _schedule(
    app: App,
    where: Connection | Pool,
    name: str,
    jobs: Sequence[Mapping[str, str]],
    spacing: float = 0.0,
) -> None:
    """Schedule jobs `spacing` seconds apart; a job that is scheduled twice runs twice in order."""
    by_lock = {".".join([name, *job.values()]): job for job in jobs}
    await app.queue.defer(where, name, by_lock, queue=BACKGROUND, delay=spacing)


def _reading(
    team: str, channel: str, thread: str, oldest: str, cursor: str = ""
) -> dict[str, str]:
    """Return the arguments of a job that calls `read_missed_messages`."""
    return {
        "team": team,
        "channel": channel,
        "thread": thread,
        "oldest": oldest,
        "cursor": cursor,
    }
