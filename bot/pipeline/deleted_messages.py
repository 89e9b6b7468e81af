"""Deletion of unfinished answers to messages that their authors deleted."""

from __future__ import annotations

import logging

from psycopg.rows import DictRow

from bot.conversation.inbox import THREAD_SETTING
from bot.delivery.outbox import messages_of_turn, replies_after
from bot.delivery.sessions import Sessions
from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, Installations, delete_message, error_code
from bot.slack.messages import split_thread_key
from memory import Pool, execute_statement, measured

log = logging.getLogger(__name__)


class DeletedMessageCleanup:
    """Deletes the answers to withdrawn messages in Slack, and their texts in `turns`."""

    def __init__(self, pool: Pool, slack: Installations, sessions: Sessions) -> None:
        self._pool = pool
        self._slack = slack
        self._sessions = sessions

    @measured("withdrawals")
    async def clear(self, thread: str) -> None:
        """Delete answers in `thread` to messages that were deleted while they were answered."""
        scope = {THREAD_SETTING: thread}
        rows = await execute_statement(
            self._pool,
            "SELECT turns.id, turns.team_id, turns.channel_id, question_ts, reply_ts,"
            " extract(epoch FROM posting_since)::float8 AS since,"
            " ARRAY(SELECT unnest(other.reply_ts) FROM turns other"
            "  WHERE other.thread = turns.thread) AS recorded"
            " FROM turns JOIN inbox_events events"
            " ON events.team_id = turns.team_id AND events.channel_id = turns.channel_id"
            " AND events.ts = turns.question_ts WHERE turns.thread = %s"
            " AND turns.status = 'answering' AND events.status = 'withdrawn'",
            (thread,),
            scope=scope,
        )
        for row in rows:
            thread_ts = split_thread_key(thread)[2]
            times = [*row["reply_ts"], *await self._lost(row, thread_ts)]
            for ts in times:
                await self._delete(row["team_id"], row["channel_id"], ts)
            # The worker that answered may have died.
            await self._sessions.activate(row["team_id"], row["channel_id"], thread_ts)
            await execute_statement(
                self._pool,
                "UPDATE turns SET status = 'stopped', question = '', words = '', reply = NULL,"
                " ended_at = now(), formed_at = now() WHERE id = %s",
                (row["id"],),
                scope=scope,
            )

    async def _lost(self, row: DictRow, thread_ts: str) -> list[str]:
        """Return the messages that a worker may have posted and not recorded."""
        if row["since"] is None:
            return []
        try:
            found = await replies_after(
                self._slack.client(row["team_id"]),
                row["channel_id"],
                thread_ts,
                row["question_ts"],
            )
            bot_user_id = await self._slack.bot_user_id(row["team_id"])
        except SLACK_FAULTS as error:
            log.warning("a thread could not be looked at: %s", error_code(error) or fault(error))
            return []
        return messages_of_turn(
            found,
            bot_user_id=bot_user_id,
            turn_id=row["id"],
            since=row["since"],
            recorded=row["recorded"],
        )

    async def _delete(self, team_id: str, channel: str, ts: str) -> None:
        try:
            await delete_message(self._slack.client(team_id), channel, ts)
        except SLACK_FAULTS as error:
            log.warning("a reply was not deleted: %s", error_code(error) or fault(error))
