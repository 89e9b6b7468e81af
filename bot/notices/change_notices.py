"""Notices of remembered changes: below the reply, or to the person alone.

A notice is a row of ids and a job, made in the transaction that remembers: neither comes without
the other, and a job that runs twice shows the same.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Sequence
from uuid import UUID, uuid4

from psycopg import AsyncConnection, Error
from psycopg.rows import DictRow

from bot.logs import fault
from bot.notices.notice_messages import NoticeMessages, UpdatesRefused
from bot.queue.queue import DELETE_WAITING, REPLIES, Queue
from bot.slack.client import SLACK_FAULTS, Installations, error_code
from bot.slack.messages import API_TEAM
from bot.users.profiles import Profiles
from bot.views.notices import NoticeContent, notice_payload
from memory import (
    Memory,
    Person,
    Pool,
    changes_named,
    open_questions,
    person_statement,
    person_transaction,
)

log = logging.getLogger(__name__)

SHOW = "show_notice"
RETRY_SECONDS = 60.0
"""Seconds after which the job shows a notice that `ChangeNotices.show_now` has not shown."""
REPLY, NOTICE = "reply", "notice"
_LATER_SECONDS = (4.0, 12.0)


class ChangeNotices:
    """The `change_notices` table: adds, shows and updates notices."""

    def __init__(
        self, pool: Pool, queue: Queue, slack: Installations, people: Profiles, *, stand_in: bool
    ) -> None:
        self._pool = pool
        self._queue = queue
        self._messages = NoticeMessages(pool, slack, stand_in=stand_in)
        self._people = people

    async def add_notice(
        self,
        connection: AsyncConnection[DictRow],
        person: Person,
        turn: UUID,
        changes: Sequence[UUID],
        questions: Sequence[UUID] = (),
        *,
        delay: float = 0.0,
    ) -> UUID | None:
        """Add a notice, and its job, in the caller's transaction; return the notice's id.

        With a `delay` the caller shows it by `show_now` after the commit, and the job, after so
        many seconds, is for a process that dies in between. None if there is nothing to show, and
        for callers of POST /ask, who are in no conversation of Slack.
        """
        if not (changes or questions) or person.team_id == API_TEAM:
            return None
        notice = uuid4()
        await connection.execute(
            "INSERT INTO change_notices (id, team_id, user_id, turn_id, changes, questions)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (notice, person.team_id, person.user_id, turn, list(changes), list(questions)),
        )
        lock = _retry_lock(notice) if delay else _lock(notice)
        await self._show_later(connection, person, notice, lock=lock, delay=delay)
        return notice

    async def update_notices(
        self,
        connection: AsyncConnection[DictRow],
        person: Person,
        memories: Sequence[Memory] | None,
        besides: Collection[UUID] = (),
    ) -> None:
        """Update the notices below replies, without memories that are being forgotten.

        What one person alone saw cannot be changed. With None it is all of the person's. `besides`
        are the ids of further changes and questions that are deleted.
        """
        found = await connection.execute(
            "SELECT DISTINCT ON (turn_id) id FROM change_notices WHERE team_id = %(team)s"
            " AND user_id = %(user)s AND (%(keys)s::text[] IS NULL OR changes && ARRAY("
            " SELECT c.id FROM memory_changes c WHERE c.team_id = %(team)s"
            " AND c.user_id = %(user)s AND c.key = ANY(%(keys)s))"
            " OR changes && %(besides)s::uuid[] OR questions && %(besides)s::uuid[])",
            {
                **person.ids,
                "keys": None if memories is None else [memory.key for memory in memories],
                "besides": list(besides),
            },
        )
        notices = [row["id"] for row in await found.fetchall()]
        jobs = {_lock(notice): {**person.ids, "notice": str(notice)} for notice in notices}
        await self._queue.defer_each(connection, SHOW, jobs, queue=REPLIES)

    async def repeat_notice(
        self, connection: AsyncConnection[DictRow], person: Person, turn: UUID
    ) -> None:
        """Show the notice of a turn again, after its reply was overwritten."""
        found = await connection.execute(
            "SELECT id FROM change_notices WHERE turn_id = %s AND team_id = %s AND user_id = %s"
            " ORDER BY made_at DESC LIMIT 1",
            (turn, person.team_id, person.user_id),
        )
        if row := await found.fetchone():
            await self._show_later(connection, person, row["id"])

    async def _show_later(
        self,
        where: AsyncConnection[DictRow] | Pool,
        person: Person,
        notice: UUID | str,
        *,
        lock: str = "",
        delay: float = 0.0,
    ) -> None:
        await self._queue.defer(
            where,
            SHOW,
            queue=REPLIES,
            lock=lock or _lock(notice),
            delay=delay,
            team=person.team_id,
            user=person.user_id,
            notice=str(notice),
        )

    async def show_now(self, person: Person, notice: UUID) -> None:
        """Show a notice that has just been committed; its job tries again if that fails."""
        try:
            await self.show(person.team_id, person.user_id, str(notice))
        except (*SLACK_FAULTS, Error) as error:
            log.info("a notice will be shown later: %s", error_code(error) or fault(error))

    async def show(self, team: str, user: str, notice: str) -> None:
        """Show one notice; raises the error of Slack if a later attempt can succeed.

        It is postponed while Slack's limits leave room for answers only.
        """
        person = Person(team, user)
        turn = await self._messages.turn(person, notice)
        settings = await self._people.settings(person)
        if turn is None or not (settings.notices or turn.notice_shown):
            return
        below = await self.content(person, f"{REPLY} {turn.id}")
        try:
            in_reply = await self._messages.below_reply(person, turn, settings, below, waits=False)
        except UpdatesRefused:
            delay = random.uniform(*_LATER_SECONDS)  # noqa: S311
            await self._show_later(self._pool, person, notice, delay=delay)
            return
        # What only one person sees cannot be changed or looked up: it is shown once.
        if not in_reply and not turn.notice_shown:
            content = await self.content(person, f"{NOTICE} {notice}")
            if content:
                language = settings.reply_language(turn.text or "")
                payload = notice_payload(language, content, settings.zone)
                await self._messages.post_ephemeral(person, turn, payload)
        await person_statement(
            self._pool,
            person,
            "WITH shown AS (UPDATE change_notices SET shown_at = now()"
            f" WHERE id = %(notice)s AND shown_at IS NULL) {DELETE_WAITING}",
            {"notice": UUID(notice), "lock": _retry_lock(notice)},
        )

    async def show_in_reply(self, person: Person, turn_id: str) -> bool:
        """Update the notice below a reply, after a change was undone or a question answered.

        Returns False where there is no such reply, or Slack refuses.
        """
        turn = await self._messages.turn(person, turn_id)
        if turn is None:
            return False
        below = await self.content(person, f"{REPLY} {turn.id}")
        settings = await self._people.settings(person)
        return await self._messages.below_reply(person, turn, settings, below)

    async def add(self, person: Person, surface: str, changes: Sequence[UUID]) -> None:
        """Add changes, made by the person's answer to a question, to the notice of a surface."""
        surface_kind, _, name = surface.partition(" ")
        if surface_kind not in (REPLY, NOTICE):
            return
        condition = "turn_id = %s" if surface_kind == REPLY else "id = %s"
        async with person_transaction(self._pool, person) as connection:
            await connection.execute(
                "UPDATE change_notices SET changes = changes || %s WHERE id = (SELECT id"
                f" FROM change_notices WHERE {condition} AND team_id = %s AND user_id = %s"
                " ORDER BY made_at DESC LIMIT 1)",
                (list(changes), UUID(name), person.team_id, person.user_id),
            )

    async def content(self, person: Person, surface: str) -> NoticeContent:
        """Return the content of a notice, or of all those below a reply; `surface` names it.

        Raises `ValueError` for words that name neither.
        """
        surface_kind, _, name = surface.partition(" ")
        condition = "turn_id = %s" if surface_kind == REPLY else "id = %s"
        notices = await person_statement(
            self._pool,
            person,
            f"SELECT changes, questions FROM change_notices WHERE {condition}"
            " AND team_id = %s AND user_id = %s ORDER BY made_at",
            (UUID(name), person.team_id, person.user_id),
        )
        changes = [identity for row in notices for identity in row["changes"]]
        question_ids = {identity for row in notices for identity in row["questions"]}
        questions = await open_questions(self._pool, person) if question_ids else []
        return NoticeContent(
            surface=surface,
            entries=tuple(await changes_named(self._pool, person, changes)),
            questions=tuple(one for one in questions if one.id in question_ids),
        )


def _lock(notice: UUID | str) -> str:
    return f"{SHOW}:{notice}"


def _retry_lock(notice: UUID | str) -> str:
    # Not that of `update_notices` and `repeat_notice`: their jobs show the notice once more.
    return f"{_lock(notice)}:retry"
