"""Taking away the answers to messages that were deleted before these were whole."""

from __future__ import annotations

import logging
from contextlib import suppress

from psycopg.rows import DictRow
from slack_sdk.web.async_client import AsyncWebClient

from bot.inbox import THREAD_SETTING
from bot.logs import fault
from bot.slack import SLACK_FAULTS, error_code, patiently
from memory import Pool, transaction

log = logging.getLogger(__name__)


class Withdrawals:
    """Leaves nothing of a withdrawn message's answer, in Slack or in `turns`."""

    def __init__(self, pool: Pool, client: AsyncWebClient) -> None:
        self._pool = pool
        self._client = client

    async def clear(self, thread: str) -> None:
        """Take away what stands in `thread` for messages that were withdrawn while answered."""
        async with transaction(self._pool, {THREAD_SETTING: thread}) as connection:
            found = await connection.execute(
                "SELECT turns.id, turns.channel_id, reply_ts FROM turns JOIN inbox_events events"
                " ON events.team_id = turns.team_id AND events.channel_id = turns.channel_id"
                " AND events.ts = turns.question_ts WHERE turns.thread = %s"
                " AND turns.status = 'answering' AND events.status = 'withdrawn'",
                (thread,),
            )
            rows = await found.fetchall()
        for row in rows:
            await self._take_away(row, thread)
            async with transaction(self._pool, {THREAD_SETTING: thread}) as connection:
                await connection.execute(
                    "UPDATE turns SET status = 'stopped', question = '', words = '', reply = NULL,"
                    " ended_at = now(), formed_at = now() WHERE id = %s",
                    (row["id"],),
                )

    async def _take_away(self, row: DictRow, thread: str) -> None:
        channel = row["channel_id"]
        for ts in row["reply_ts"]:
            await self._delete(channel, ts)
        if not row["reply_ts"]:
            # Only a reply clears the status line by itself.
            with suppress(*SLACK_FAULTS):
                await self._client.assistant_threads_setStatus(
                    channel_id=channel, thread_ts=thread.rpartition(f"{channel}.")[2], status=""
                )

    async def _delete(self, channel: str, ts: str) -> None:
        # What still streams cannot be deleted; what does not cannot be stopped.
        with suppress(*SLACK_FAULTS):
            await patiently(lambda: self._client.chat_stopStream(channel=channel, ts=ts))
        try:
            await patiently(lambda: self._client.chat_delete(channel=channel, ts=ts))
        except SLACK_FAULTS as error:
            log.warning("a reply was not deleted: %s", error_code(error) or fault(error))
