"""Shows what tools have changed where the turn of the message has ended without showing it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError

from bot.conversation.callbacks import AddNotice
from bot.conversation.tool_done import ids_of, note_in_notice, note_shown
from bot.memories.tool_undo import UndoableChanges
from bot.queue.queue import REPLIES, Queue
from bot.slack.client import CONVERSATION_GONE, Installations, error_code
from bot.slack.ephemeral import show_privately
from bot.slack.messages import Message, split_thread_key
from bot.types import ToolChanges
from bot.users.profiles import Profiles
from memory import DM, Person, Pool, person_transaction

log = logging.getLogger(__name__)

SHOW_TOOL_CHANGES = "show_tool_changes"
_RETRY_SECONDS = 60.0


async def show_later(
    queue: Queue, connection: AsyncConnection[DictRow], person: Person, turn: UUID
) -> None:
    """Add the job that shows what tools have changed in a turn; it looks after a minute."""
    await queue.defer(
        connection,
        SHOW_TOOL_CHANGES,
        queue=REPLIES,
        lock=f"{SHOW_TOOL_CHANGES}:{turn}",
        delay=_RETRY_SECONDS,
        team=person.team_id,
        user=person.user_id,
        turn=str(turn),
    )


@dataclass(frozen=True, slots=True)
class UnshownChanges:
    """Reads `turns.tool_done`, shows it to the person alone, and deletes it."""

    pool: Pool
    queue: Queue
    slack: Installations
    people: Profiles
    undoing: UndoableChanges
    add_notice: AddNotice

    async def show(self, team: str, user: str, turn: str) -> None:
        """Show what tools have changed in a turn, unless its message is still to be answered.

        Then it looks again after a minute. Raises what the Slack client raises; what cannot be
        shown because the conversation is gone is not tried again.
        """
        person, identity = Person(team, user), UUID(turn)
        async with person_transaction(self.pool, person) as connection:
            found = await connection.execute(
                "SELECT t.tool_done, t.channel_id, t.thread, t.audience, t.question_ts,"
                " t.reply_ts <> '{}' AS replied, e.status FROM turns t LEFT JOIN inbox_events e"
                " ON e.team_id = t.team_id AND e.channel_id = t.channel_id AND e.ts = t.question_ts"
                " WHERE t.id = %s AND t.team_id = %s AND t.user_id = %s AND tool_done IS NOT NULL",
                (identity, team, user),
            )
            row = await found.fetchone()
            if row is None:
                return
            if row["status"] == "waiting":
                await show_later(self.queue, connection, person, identity)
                return
            ids = [ids_of(row["tool_done"], name) for name in ("changes", "questions")]
            await self.add_notice(connection, person, identity, ids[0], ids[1])
            await note_in_notice(connection, person, identity)
        done = ToolChanges.of(row["tool_done"])
        if done:
            await self._show(person, row, done)
        await note_shown(self.pool, person, identity, row["tool_done"])

    async def _show(self, person: Person, row: DictRow, done: ToolChanges) -> None:
        language = await self.people.language(person)
        payload = await self.undoing.shown(person, language, done=done)
        _, channel, thread_ts = split_thread_key(row["thread"])
        deleted = row["status"] == "withdrawn" and thread_ts == row["question_ts"]
        message = Message(
            event_id="",
            team_id=person.team_id,
            user_id=person.user_id,
            user_team_id=person.team_id,
            channel_id=channel,
            ts=row["question_ts"],
            # Under a deleted message there is no thread.
            thread_ts="" if deleted else thread_ts,
            text="",
            audience=row["audience"],
            addressed=True,
        )
        try:
            await show_privately(
                self.slack.client(person.team_id),
                message,
                payload,
                in_dm=row["audience"] == DM,
                replied=row["replied"],
            )
        except SlackApiError as error:
            if error_code(error) not in CONVERSATION_GONE:
                raise
            log.info("what a tool changed could not be shown: %s", error_code(error))
