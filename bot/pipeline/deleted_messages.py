"""Deletion of unfinished answers to messages that their authors deleted."""

from __future__ import annotations

import logging

from psycopg.rows import DictRow
from slack_sdk.web.async_client import AsyncWebClient

from bot.conversation.inbox import THREAD_SETTING
from bot.conversation.texts import delete_withdrawn_texts
from bot.delivery.outbox import messages_of_turn, replies_after
from bot.delivery.posted_messages import SETTLED_SECONDS
from bot.delivery.sessions import Sessions
from bot.logs import fault
from bot.slack.client import (
    PATIENCE_SECONDS,
    SLACK_FAULTS,
    Installations,
    delete_message,
    error_code,
    is_passing,
)
from bot.slack.messages import split_thread_key
from memory import Person, Pool
from memory.metrics import step
from memory.postgres import execute_statement

log = logging.getLogger(__name__)


class DeletedMessageCleanup:
    """Deletes the answers to withdrawn messages in Slack, and their texts in `messages`."""

    def __init__(self, pool: Pool, slack: Installations, sessions: Sessions) -> None:
        self._pool = pool
        self._slack = slack
        self._sessions = sessions

    @step("withdrawals")
    async def clear(self, thread: str) -> None:
        """Delete answers in `thread` to messages that were deleted while they were answered.

        The texts are deleted in any case. The turn ends when no more can be deleted in Slack: until
        then the upkeep, which looks for turns that have not ended, calls this again each minute.
        """
        rows = await execute_statement(
            self._pool,
            "SELECT id, team_id, user_id, channel_id, ts, reply_ts,"
            " extract(epoch FROM posting_since)::float8 AS since,"
            " extract(epoch FROM now() - posting_since)::float8 AS age,"
            " ARRAY(SELECT unnest(other.reply_ts) FROM messages other"
            "  WHERE other.thread = messages.thread) AS recorded"
            " FROM messages WHERE thread = %s AND status = 'gone' AND ended_at IS NULL",
            (thread,),
            scope={THREAD_SETTING: thread},
        )
        for row in rows:
            client = self._slack.client(row["team_id"], patience=PATIENCE_SECONDS)
            thread_ts = split_thread_key(thread)[2]
            lost = await self._lost(client, row, thread_ts)
            complete = lost is not None
            for ts in [*row["reply_ts"], *(lost or ())]:
                complete &= await _delete(client, row["channel_id"], ts)
            # The worker that answered may have died.
            await self._sessions.activate(row["team_id"], row["channel_id"], thread_ts)
            person = Person(row["team_id"], row["user_id"])
            await delete_withdrawn_texts(self._pool, person, row["id"], thread, complete=complete)

    async def _lost(self, client: AsyncWebClient, row: DictRow, thread_ts: str) -> list[str] | None:
        """Return the messages that a worker may have posted and not recorded.

        None if that is not known yet: Slack did not answer, or a message may still appear.
        """
        if row["since"] is None:
            return []
        try:
            found = await replies_after(client, row["channel_id"], thread_ts, row["ts"])
            bot_user_id = await self._slack.bot_user_id(row["team_id"])
        except SLACK_FAULTS as error:
            log.warning("a thread could not be looked at: %s", error_code(error) or fault(error))
            return None if is_passing(error) else []
        lost = messages_of_turn(
            found,
            bot_user_id=bot_user_id,
            turn_id=row["id"],
            since=row["since"],
            recorded=row["recorded"],
        )
        return lost if lost or row["age"] > SETTLED_SECONDS else None


async def _delete(client: AsyncWebClient, channel: str, ts: str) -> bool:
    """Delete a message of the app; False where Slack may do so later."""
    try:
        await delete_message(client, channel, ts)
    except SLACK_FAULTS as error:
        log.warning("a reply was not deleted: %s", error_code(error) or fault(error))
        return not is_passing(error)
    return True
