"""Telling the person what was remembered: below the reply, or to them alone; never unasked anew.

A notice is a row of ids and a job, made in the transaction that remembers: neither comes without
the other, and a job that runs twice shows the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
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
from bot.surfaces.blocks import Block, Payload
from bot.surfaces.notices import Told, notice_payload
from bot.surfaces.reply import (
    Note,
    fallback,
    footer,
    late_line,
    message_blocks,
    noted,
    room_below,
    told_blocks,
    without_told,
)
from memory import DM, Memory, Person, Pool, changes_named, open_questions, person_transaction

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
    part: int
    text: str | None
    drew_on: bool
    introduces: bool
    question_ts: str
    late: bool
    note: Note | None

    @property
    def in_dm_reply(self) -> bool:
        """Whether the notice can stand below the reply: nobody else sees that."""
        return self.audience == DM and bool(self.reply_ts)


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
        await self._show_later(connection, person, notice)

    async def withdraw(
        self,
        connection: AsyncConnection[DictRow],
        person: Person,
        memories: Sequence[Memory] | None,
    ) -> None:
        """Let what stands below replies be shown anew, without memories that are being forgotten.

        What one person alone saw cannot be changed. With None it is all of the person's.
        """
        found = await connection.execute(
            "SELECT DISTINCT ON (turn_id) id FROM change_notices WHERE team_id = %(team)s"
            " AND user_id = %(user)s AND (%(keys)s::text[] IS NULL OR changes && ARRAY("
            " SELECT c.id FROM memory_changes c WHERE c.team_id = %(team)s"
            " AND c.user_id = %(user)s AND c.key = ANY(%(keys)s)))",
            {
                "team": person.team_id,
                "user": person.user_id,
                "keys": None if memories is None else [memory.key for memory in memories],
            },
        )
        for row in await found.fetchall():
            await self._show_later(connection, person, row["id"])

    async def _show_later(
        self, connection: AsyncConnection[DictRow], person: Person, notice: UUID
    ) -> None:
        await self._queue.defer(
            connection,
            SHOW,
            queue=REPLIES,
            lock=f"{SHOW}:{notice}",
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
        if turn is None or not (settings.notices or await self._was_shown(person, notice)):
            return
        language = settings.reads()
        in_reply = await self._shown_in_reply(person, turn, language)
        # What only one person sees cannot be changed or looked up: it is shown once.
        if not in_reply and not await self._was_shown(person, notice):
            told = await self.told(person, f"{NOTICE} {notice}")
            if told:
                await self._show_alone(person, turn, notice_payload(language, told))
        async with person_transaction(self._pool, person) as connection:
            await connection.execute(
                "UPDATE change_notices SET shown_at = now() WHERE id = %s AND shown_at IS NULL",
                (UUID(notice),),
            )

    async def _was_shown(self, person: Person, notice: str) -> bool:
        async with person_transaction(self._pool, person) as connection:
            found = await connection.execute(
                "SELECT FROM change_notices WHERE id = %s AND shown_at IS NOT NULL",
                (UUID(notice),),
            )
            return await found.fetchone() is not None

    async def show_in_reply(self, person: Person, turn_id: str) -> None:
        """Show anew what stands below a reply, after something of it was undone or answered."""
        turn = await self._turn(person, "id = %s", turn_id)
        if turn is not None:
            language = await self._people.language(person)
            await self._shown_in_reply(person, turn, language)

    async def add(self, person: Person, where: str, change: UUID) -> None:
        """Let what is told in a place tell of one more change: what a person's answer did."""
        place, _, name = where.partition(" ")
        if place not in (REPLY, NOTICE):
            return
        condition = "turn_id = %s" if place == REPLY else "id = %s"
        async with person_transaction(self._pool, person) as connection:
            await connection.execute(
                "UPDATE change_notices SET changes = changes || %s WHERE id = (SELECT id"
                f" FROM change_notices WHERE {condition} AND team_id = %s AND user_id = %s"
                " ORDER BY made_at DESC LIMIT 1)",
                (change, UUID(name), person.team_id, person.user_id),
            )

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
                " question_ts, reply_note, EXISTS (SELECT FROM inbox_events e"
                " WHERE e.team_id = turns.team_id AND e.channel_id = turns.channel_id"
                " AND e.ts = turns.question_ts AND e.late) AS late"
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
            part=max(len(posted) - 1, 0),
            # Of an answer in several messages it is not known which part the last one holds.
            text=row["reply"] if len(posted) == 1 else None,
            drew_on=bool(row["recalled"]),
            introduces=row["introduces"],
            question_ts=row["question_ts"],
            late=row["late"],
            note=row["reply_note"],
        )

    async def _shown_in_reply(self, person: Person, turn: _Turn, language: Language) -> bool:
        """Put everything that is told of a turn below its reply; False where that cannot be."""
        if not turn.in_dm_reply:
            return False
        told = await self.told(person, f"{REPLY} {turn.id}")
        try:
            text, blocks = await self._reply(person, turn, language, told)
            if not blocks:
                return False
            await asyncio.sleep(await self._budgets.reserve(person.team_id, UPDATE))
            await patiently(
                lambda: self._client.chat_update(
                    channel=turn.channel,
                    ts=turn.reply_ts,
                    text=text,
                    blocks=blocks,
                    metadata=turn_metadata(turn.id, turn.part),
                )
            )
        except SlackApiError as error:
            if not error_code(error):
                raise
            log.info("a notice could not stand below its reply: %s", error_code(error))
            return False
        return True

    async def _reply(
        self, person: Person, turn: _Turn, language: Language, told: Told
    ) -> tuple[str, list[Block]]:
        """Return a reply's last message as it is to be, its text and blocks; none if it is gone."""
        drew_on = turn.id if turn.drew_on else None
        if turn.text is None:
            message = await self._standing_there(turn)
            kept = without_told(message.get("blocks") or [])
            length = sum(len(str(block.get("text"))) for block in kept)
            room = room_below("x" * length)
            new = told_blocks(language, drew_on=drew_on, told=told, room=room)
            return str(message.get("text") or ""), [*kept, *new] if kept else []
        text = noted(language, turn.text, turn.note)
        if turn.late:
            settings = await self._people.settings(person)
            text = f"{late_line(language, turn.question_ts, settings.time_zone)}\n\n{text}"
        below = footer(
            language,
            stand_in=self._stand_in,
            standing=Standing(settings=PersonSettings()) if turn.introduces else None,
            drew_on=drew_on,
            told=told,
            room=room_below(text),
        )
        return fallback(text), message_blocks(text, below)

    async def _standing_there(self, turn: _Turn) -> dict[str, Any]:
        """Return the message as Slack has it: its text was forgotten here, or is only a part."""
        answer = await patiently(
            lambda: self._client.conversations_replies(
                channel=turn.channel,
                ts=turn.thread_ts,
                oldest=turn.reply_ts,
                latest=turn.reply_ts,
                inclusive=True,
                limit=2,
            )
        )
        found = [m for m in answer.get("messages") or [] if m.get("ts") == turn.reply_ts]
        return dict(found[0]) if found else {}

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
