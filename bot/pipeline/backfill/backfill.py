"""Backfill after an outage longer than Slack's retries: missed messages are read and answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from psycopg.rows import DictRow

from bot.logs import fault
from bot.pipeline.backfill.messages import Conversation, MissedMessages
from bot.pipeline.backfill.window import CATCH_UP
from bot.queue.queue import REPLIES
from bot.slack.audiences import ConversationKind
from bot.slack.client import (
    SLACK_FAULTS,
    error_code,
    is_passing,
    next_cursor,
    retry_after,
)
from bot.slack.messages import split_thread_key
from memory import Pool
from memory.postgres import execute_statement, transaction

log = logging.getLogger(__name__)

READ_ON = "catch_up_missed_messages"
_FARTHEST_SECONDS = 86_400.0
_OVERLAP_SECONDS = 60.0
_FOLLOWED_DAYS = 7
_FOLLOWED_THREADS = 500
# Slack lets an app read fifty times a minute, and the turns read too.
_PAGES_AT_ONCE = 20
_PAUSE_SECONDS = 30.0
_AGAIN_SECONDS = 10.0
_CONVERSATIONS = 200
_RECENT_DM, _THREAD, _OTHER_DM, _CHANNEL = range(4)


class Backfill:
    """The `catching_up` table: one job lists what is to be read, further jobs read it.

    No job waits for Slack's limits: it ends, and goes on where it was when Slack lets it.
    """

    def __init__(self, missed_messages: MissedMessages) -> None:
        self._missed_messages = missed_messages
        self._pool = missed_messages.pool
        self._queue = missed_messages.queue
        self._slack = missed_messages.slack

    async def plan(self, team: str, since: str, cursor: str = "") -> None:
        """List what to read from `since`, a Unix time, on: one page of Slack's list, from `cursor`.

        The first job also lists the followed threads. A day is the farthest that is gone back.
        """
        oldest = f"{max(float(since) - _OVERLAP_SECONDS, time.time() - _FARTHEST_SECONDS):.6f}"
        try:
            following = await self._list_conversations(team, oldest, cursor)
        except SLACK_FAULTS as error:
            if is_passing(error):
                await self._plan_later(team, since, cursor, _delay(error))
            else:
                # A later attempt would be refused as well: the app has left, or lacks a scope.
                log.warning("what was missed is not looked for: %s", error_code(error))
            return
        if not cursor:
            await self._list_threads(team, oldest)
        if following:
            await self._plan_later(team, since, following)
        await self._read_later(team)

    async def _list_conversations(self, team: str, oldest: str, cursor: str) -> str:
        """List the conversations of a page; return the cursor of the next page."""
        answer = await self._slack.client(team).users_conversations(
            types="im,mpim,private_channel,public_channel",
            exclude_archived=True,
            limit=_CONVERSATIONS,
            cursor=cursor or None,
        )
        recent = {thread.channel_id for thread in await _followed(self._pool, team)}
        ranks = {
            Conversation(team_id=team, channel_id=str(channel["id"])): _rank(channel, recent)
            for channel in answer.get("channels") or []
        }
        await _list(self._pool, ranks, oldest)
        return next_cursor(answer)

    async def _list_threads(self, team: str, oldest: str) -> None:
        threads = await _followed(self._pool, team)
        await _list(self._pool, dict.fromkeys(threads, _THREAD), oldest)

    async def read_on(self, team: str) -> None:
        """Read what is listed, by rank, until Slack's limits are reached; schedule the rest."""
        for _ in range(_PAGES_AT_ONCE):
            row = await self._next(team)
            if row is None:
                return
            conversation = Conversation(
                team_id=team, channel_id=row["channel_id"], thread_ts=row["thread_ts"]
            )
            try:
                messages, cursor = await self._missed_messages.page(
                    conversation, row["oldest"], row["cursor"]
                )
                # A thread is returned with its first message, however old.
                messages = [found for found in messages if _is_newer(found, row["oldest"])]
                kind = await self._missed_messages.kind(conversation) if messages else None
            except SLACK_FAULTS as error:
                if is_passing(error):
                    await self._read_later(team, _delay(error))
                    return
                log.info("a conversation was not caught up with: %s", error_code(error))
                messages, cursor, kind = [], "", None
            if kind is not None:
                for found in messages:
                    await self._take(conversation, kind, row["oldest"], found)
            await self._done(row, cursor)
        await self._read_later(team, _PAUSE_SECONDS)

    async def _take(
        self,
        conversation: Conversation,
        kind: ConversationKind,
        oldest: str,
        found: Mapping[str, Any],
    ) -> None:
        ts = str(found["ts"])
        stored = await self._missed_messages.store(conversation, kind, found)
        if found.get("reply_count") and not conversation.thread_ts and (stored or kind.direct):
            thread = Conversation(
                team_id=conversation.team_id, channel_id=conversation.channel_id, thread_ts=ts
            )
            await _list(self._pool, {thread: _THREAD}, oldest)

    async def _next(self, team: str) -> DictRow | None:
        async with transaction(self._pool) as connection:
            await connection.execute(
                "DELETE FROM catching_up WHERE team_id = %s AND oldest::float < %s",
                (team, time.time() - 2 * _FARTHEST_SECONDS),
            )
            found = await connection.execute(
                "SELECT * FROM catching_up WHERE team_id = %s"
                " ORDER BY rank, channel_id DESC, thread_ts DESC LIMIT 1",
                (team,),
            )
            return await found.fetchone()

    async def _done(self, row: DictRow, cursor: str) -> None:
        # Another cursor: a later outage was planned meanwhile, and it is read from the beginning.
        key = (row["team_id"], row["channel_id"], row["thread_ts"], row["cursor"])
        where = "WHERE team_id = %s AND channel_id = %s AND thread_ts = %s AND cursor = %s"
        if cursor:
            statement, values = f"UPDATE catching_up SET cursor = %s {where}", (cursor, *key)
            await execute_statement(self._pool, statement, values)
        else:
            await execute_statement(self._pool, f"DELETE FROM catching_up {where}", key)

    async def _plan_later(self, team: str, since: str, cursor: str, delay: float = 0.0) -> None:
        """Schedule `plan`; of each outage one such job can wait."""
        await self._queue.defer(
            self._pool,
            CATCH_UP,
            queue=REPLIES,
            lock=f"{CATCH_UP}:{team}.{since}",
            delay=delay,
            team=team,
            since=since,
            cursor=cursor,
        )

    async def _read_later(self, team: str, delay: float = 0.0) -> None:
        lock = f"{READ_ON}:{team}"
        await self._queue.defer(
            self._pool, READ_ON, queue=REPLIES, lock=lock, delay=delay, team=team
        )


def _is_newer(found: Mapping[str, Any], oldest: str) -> bool:
    return float(found.get("ts") or 0) > float(oldest)


def _rank(channel: Mapping[str, Any], recent: set[str]) -> int:
    """Return when a listed conversation is read. The list does not fully say what kind it is."""
    if not channel.get("is_im"):
        return _CHANNEL
    return _RECENT_DM if channel["id"] in recent else _OTHER_DM


async def _followed(pool: Pool, team: str) -> list[Conversation]:
    found = await execute_statement(
        pool,
        "SELECT thread FROM followed_threads(%s, now() - make_interval(days => %s), %s)",
        (team, _FOLLOWED_DAYS, _FOLLOWED_THREADS),
    )
    keys = [split_thread_key(row["thread"]) for row in found]
    return [
        Conversation(team_id=team, channel_id=channel, thread_ts=root) for _, channel, root in keys
    ]


async def _list(pool: Pool, ranks: Mapping[Conversation, int], oldest: str) -> None:
    # An entry of an earlier outage begins earlier, and is read from the newest message again, from
    # which Slack lists.
    await execute_statement(
        pool,
        "INSERT INTO catching_up (team_id, channel_id, thread_ts, oldest, rank)"
        " SELECT team, channel, thread, %s, rank FROM unnest(%s::text[], %s::text[],"
        " %s::text[], %s::int[]) AS new (team, channel, thread, rank)"
        " ON CONFLICT (team_id, channel_id, thread_ts)"
        " DO UPDATE SET cursor = '' WHERE catching_up.oldest::float < excluded.oldest::float",
        (
            oldest,
            [conversation.team_id for conversation in ranks],
            [conversation.channel_id for conversation in ranks],
            [conversation.thread_ts for conversation in ranks],
            list(ranks.values()),
        ),
    )


def _delay(error: BaseException) -> float:
    if wait := retry_after(error):
        return wait
    log.warning("what was missed could not be read: %s", error_code(error) or fault(error))
    return _AGAIN_SECONDS
