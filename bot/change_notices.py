"""Telling the person what was remembered: below the reply, or to them alone; never unasked anew.

A notice is a row of ids and a job, made in the transaction that remembers: neither comes without
the other, and a job that runs twice shows the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.budgets import UPDATE, Budgets
from bot.locale import Language
from bot.people import People
from bot.person_settings import PersonSettings, Standing
from bot.posts import turn_metadata
from bot.queue import REPLIES, Queue
from bot.slack import error_code, patiently
from bot.surfaces.blocks import Payload
from bot.surfaces.notices import Told, notice_payload
from bot.surfaces.reply import fallback, footer, late_line, message_blocks, room_below
from memory import DM, Person, Pool, changes_named, open_questions, person_transaction

log = logging.getLogger(__name__)

SHOW = "show_notice"
REPLY, NOTICE = "reply", "notice"
# Refused for a reason that the next attempt meets again: the conversation or the person is gone.
_NOWHERE = frozenset(
    {
        "channel_not_found",
        "is_archived",
        "not_in_channel",
        "user_not_in_channel",
        "thread_not_found",
        "messages_tab_disabled",
        "account_inactive",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """The turn a notice belongs to; `text` is its reply where one message holds all of it."""

    id: UUID
    channel: str
    thread_ts: str
    audience: str
    reply_ts: str
    text: str | None
    drew_on: bool
    introduces: bool
    question_ts: str
    late: bool

    @property
    def in_reply(self) -> bool:
        """Whether the notice can stand below the reply: nobody else sees that."""
        return self.audience == DM and self.text is not None


class ChangeNotices:
    """The `change_notices` table, and what is shown of it."""

    def __init__(
        self, pool: Pool, queue: Queue, client: AsyncWebClient, people: People, *, stand_in: bool
    ) -> None:
        self._pool = pool
        self._queue = queue
        self._client = client
        self._budgets = Budgets(pool)
        self._people = people
        self._stand_in = stand_in

    async def announce(
        self,
        connection: AsyncConnection[DictRow],
        person: Person,
        turn: UUID,
        changes: Sequence[UUID],
        questions: Sequence[UUID] = (),
    ) -> None:
        """Let the person be told of changes and questions, if the caller's transaction commits."""
        if not (changes or questions):
            return
        notice = uuid4()
        await connection.execute(
            "INSERT INTO change_notices (id, team_id, user_id, turn_id, changes, questions)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (notice, person.team_id, person.user_id, turn, list(changes), list(questions)),
        )
        await self._queue.defer(
            connection,
            SHOW,
            queue=REPLIES,
            lock=f"{SHOW}:{turn}:{notice}",
            team=person.team_id,
            user=person.user_id,
            notice=str(notice),
        )

    async def show(self, team: str, user: str, notice: str) -> None:
        """Show one notice; raises what Slack raised where a later attempt may do better."""
        person = Person(team, user)
        of_notice = "id = (SELECT turn_id FROM change_notices WHERE id = %s)"
        turn = await self._turn(person, of_notice, notice)
        settings = await self._people.settings(person)
        if turn is None or not settings.notices:
            return
        language = settings.reads()
        if not await self._shown_in_reply(person, turn, language):
            told = await self.told(person, f"{NOTICE} {notice}")
            if told:
                await self._show_alone(person, turn, notice_payload(language, told))
        async with person_transaction(self._pool, person) as connection:
            await connection.execute(
                "UPDATE change_notices SET shown_at = now() WHERE id = %s AND shown_at IS NULL",
                (UUID(notice),),
            )

    async def show_in_reply(self, person: Person, turn_id: str) -> None:
        """Show anew what stands below a reply, after something of it was undone or answered."""
        turn = await self._turn(person, "id = %s", turn_id)
        if turn is not None:
            language = await self._people.language(person)
            await self._shown_in_reply(person, turn, language)

    async def told(self, person: Person, where: str) -> Told:
        """Return what a notice tells, or all those below a reply; `where` names one or the other.

        Raises `ValueError` for words that name neither.
        """
        place, _, name = where.partition(" ")
        condition = "turn_id = %s" if place == REPLY else "id = %s"
        async with person_transaction(self._pool, person) as connection:
            found = await connection.execute(
                f"SELECT changes, questions FROM change_notices WHERE {condition}"
                " AND team_id = %s AND user_id = %s ORDER BY made_at",
                (UUID(name), person.team_id, person.user_id),
            )
            notices = await found.fetchall()
        changes = [identity for row in notices for identity in row["changes"]]
        asked = {identity for row in notices for identity in row["questions"]}
        questions = await open_questions(self._pool, person) if asked else []
        return Told(
            where=where,
            entries=tuple(await changes_named(self._pool, person, changes)),
            questions=tuple(one for one in questions if one.id in asked),
        )

    async def _turn(self, person: Person, condition: str, name: str) -> _Turn | None:
        async with person_transaction(self._pool, person) as connection:
            found = await connection.execute(
                "SELECT id, channel_id, thread, audience, reply_ts, reply, recalled, EXISTS (SELECT"
                " FROM person_settings s WHERE s.team_id = turns.team_id AND s.user_id ="
                " turns.user_id AND s.told_at BETWEEN intended_at AND ended_at) AS introduces,"
                " question_ts, EXISTS (SELECT FROM inbox_events e WHERE e.team_id = turns.team_id"
                " AND e.channel_id = turns.channel_id AND e.ts = turns.question_ts AND e.late)"
                " AS late"
                " FROM turns"
                f" WHERE {condition} AND team_id = %s AND user_id = %s",
                (UUID(name), person.team_id, person.user_id),
            )
            row = await found.fetchone()
        if row is None:
            return None
        posted = row["reply_ts"]
        return _Turn(
            id=row["id"],
            channel=row["channel_id"],
            thread_ts=row["thread"].split(".", 2)[2],
            audience=row["audience"],
            reply_ts=posted[-1] if posted else "",
            # Of an answer in several messages it is not known which part the last one holds.
            text=row["reply"] if len(posted) == 1 else None,
            drew_on=bool(row["recalled"]),
            introduces=row["introduces"],
            question_ts=row["question_ts"],
            late=row["late"],
        )

    async def _shown_in_reply(self, person: Person, turn: _Turn, language: Language) -> bool:
        """Put everything that is told of a turn below its reply; False where that cannot be."""
        if not turn.in_reply or turn.text is None:
            return False
        told = await self.told(person, f"{REPLY} {turn.id}")
        text = turn.text
        if turn.late:
            settings = await self._people.settings(person)
            text = f"{late_line(language, turn.question_ts, settings.time_zone)}\n\n{text}"
        below = footer(
            language,
            stand_in=self._stand_in,
            standing=Standing(settings=PersonSettings()) if turn.introduces else None,
            drew_on=turn.id if turn.drew_on else None,
            told=told,
            room=room_below(text),
        )
        await asyncio.sleep(await self._budgets.reserve(person.team_id, UPDATE))
        try:
            await patiently(
                lambda: self._client.chat_update(
                    channel=turn.channel,
                    ts=turn.reply_ts,
                    text=fallback(text),
                    blocks=message_blocks(text, below),
                    metadata=turn_metadata(turn.id),
                )
            )
        except SlackApiError as error:
            if not error_code(error):
                raise
            log.info("a notice could not stand below its reply: %s", error_code(error))
            return False
        return True

    async def _show_alone(self, person: Person, turn: _Turn, payload: Payload) -> None:
        try:
            await patiently(
                lambda: self._client.chat_postEphemeral(
                    channel=turn.channel,
                    user=person.user_id,
                    thread_ts=turn.thread_ts,
                    text=payload["text"],
                    blocks=payload["blocks"],
                )
            )
        except SlackApiError as error:
            if error_code(error) not in _NOWHERE:
                raise
            log.info("a notice had nowhere to stand: %s", error_code(error))
