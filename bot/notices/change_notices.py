"""Notices of remembered changes, each a message of its own: below the answer, or ephemeral.

A turn has one notice: a row of ids, and a job, made in the transaction that remembers; neither
comes without the other. In a direct message the `ts` of its message is stored, which is updated or
deleted later; in a channel the person alone sees it, and nothing can change it but their own click.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from psycopg import AsyncConnection, Error
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.logs import fault
from bot.queue.queue import DELETE_WAITING, REPLIES, Queue
from bot.slack.client import (
    NOTICE_METADATA,
    SLACK_FAULTS,
    UPDATE,
    Installations,
    error_code,
    posts,
)
from bot.slack.ephemeral import ephemeral_thread
from bot.slack.messages import API_TEAM, split_thread_key
from bot.users.profiles import Profiles
from bot.views.blocks import Payload
from bot.views.notices import NoticeContent, notice_payload
from memory import (
    DM,
    Gone,
    Person,
    Pool,
    list_changes,
    open_questions,
    person_statement,
    person_transaction,
)

log = logging.getLogger(__name__)

SHOW = "show_notice"
RETRY_SECONDS = 60.0
"""Seconds after which the job shows a notice that `ChangeNotices.show_now` has not shown."""
NOTICE = "notice"
_LATER_SECONDS = (4.0, 12.0)


class ChangeNotices:
    """The `change_notices` table: adds, shows and updates notices."""

    def __init__(self, pool: Pool, queue: Queue, slack: Installations, people: Profiles) -> None:
        self._pool = pool
        self._queue = queue
        self._slack = slack
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
    ) -> bool:
        """Add to the notice of a turn, with a job that shows it, in the caller's transaction.

        With a `delay` the caller shows it by `show_now` after the commit, and the job, after so
        many seconds, is for a process that dies in between. False if there is nothing to show, and
        for callers of POST /ask, who are in no conversation of Slack.
        """
        if not (changes or questions) or person.team_id == API_TEAM:
            return False
        await connection.execute(
            "INSERT INTO change_notices AS known (turn_id, team_id, user_id, changes, questions)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (turn_id) DO UPDATE SET shown_at = NULL,"
            " changes = known.changes || excluded.changes,"
            " questions = known.questions || excluded.questions",
            (turn, person.team_id, person.user_id, list(changes), list(questions)),
        )
        lock = _retry_lock(turn) if delay else _lock(turn)
        await self._show_later(connection, person, turn, lock=lock, delay=delay)
        return True

    async def update_notices(
        self,
        connection: AsyncConnection[DictRow],
        person: Person,
        gone: Gone,
    ) -> None:
        """Update the notices in direct messages, without what is being forgotten.

        One that has nothing else to say is deleted.
        """
        found = await connection.execute(
            "SELECT turn_id FROM change_notices WHERE team_id = %(team)s AND user_id = %(user)s"
            " AND ts IS NOT NULL AND (questions && %(questions)s::uuid[] OR changes && ARRAY("
            " SELECT v.id FROM memory_versions v WHERE v.team_id = %(team)s"
            " AND v.user_id = %(user)s AND v.forgotten_id = %(id)s))",
            {**person.ids, "id": gone.id, "questions": list(gone.questions)},
        )
        turns = [row["turn_id"] for row in await found.fetchall()]
        jobs = {_lock(turn): {**person.ids, "turn": str(turn)} for turn in turns}
        await self._queue.defer_each(connection, SHOW, jobs, queue=REPLIES)

    async def repeat_notice(
        self, connection: AsyncConnection[DictRow], person: Person, turn: UUID
    ) -> None:
        """Show the notice of a turn, if it has one, when its answer has been given."""
        found = await connection.execute(
            "SELECT FROM change_notices WHERE (turn_id, team_id, user_id) = (%s, %s, %s)",
            (turn, person.team_id, person.user_id),
        )
        if await found.fetchone():
            await self._show_later(connection, person, turn)

    async def _show_later(
        self,
        where: AsyncConnection[DictRow] | Pool,
        person: Person,
        turn: UUID | str,
        *,
        lock: str = "",
        delay: float = 0.0,
    ) -> None:
        await self._queue.defer(
            where,
            SHOW,
            queue=REPLIES,
            lock=lock or _lock(turn),
            delay=delay,
            team=person.team_id,
            user=person.user_id,
            turn=str(turn),
        )

    async def show_now(self, person: Person, turn: UUID) -> None:
        """Show a notice whose changes have just been committed; a failure is logged only."""
        try:
            await self.show(person.team_id, person.user_id, str(turn))
        except (*SLACK_FAULTS, Error) as error:
            log.info("a notice was not shown now: %s", error_code(error) or fault(error))

    async def show(self, team: str, user: str, turn: str) -> None:
        """Post the notice of a turn, or update or delete its message.

        A message above the answer, which was given again, is deleted, and posted again below it.
        Postponed while Slack's rate limit refuses a call. Raises a fault of Slack's that may pass;
        where Slack refuses it, that is logged.
        """
        person = Person(team, user)
        found = await person_statement(
            self._pool,
            person,
            "SELECT t.channel_id AS channel, t.thread, t.audience, t.reply, t.question_ts,"
            " t.reply_ts <> '{}' AS replied, n.ts, n.shown_at IS NOT NULL AS shown,"
            " n.ts::numeric < t.reply_ts[1]::numeric AS above"
            " FROM change_notices n JOIN turns t"
            " ON (t.id, t.team_id, t.user_id) = (n.turn_id, n.team_id, n.user_id)"
            " WHERE n.turn_id = %(turn)s AND n.team_id = %(team)s AND n.user_id = %(user)s",
            {"turn": UUID(turn), **person.ids},
        )
        settings = await self._people.settings(person)
        if not found or not (settings.notices or found[0]["shown"] or found[0]["ts"]):
            return
        [row] = found
        ts = row["ts"]
        content = await self.content(person, f"{NOTICE} {turn}")
        language = settings.reply_language(row["reply"] or "")
        payload = notice_payload(language, content, settings.zone) if content else None
        try:
            if ts is not None and (row["above"] or payload is None):
                await self._delete(person, row["channel"], ts)
                row["ts"] = ts = None
                row["shown"] = payload is None
            if payload is not None and (ts is not None or not row["shown"]):
                ts = await self._send(person, row, payload)
        except SLACK_FAULTS as error:
            if error_code(error) == "ratelimited":
                delay = random.uniform(*_LATER_SECONDS)  # noqa: S311
                await self._show_later(self._pool, person, turn, delay=delay)
                return
            if not error_code(error):
                raise
            log.info("a notice could not be shown: %s", error_code(error))
        await person_statement(
            self._pool,
            person,
            "WITH shown AS (UPDATE change_notices SET ts = %(ts)s,"
            f" shown_at = COALESCE(shown_at, now()) WHERE turn_id = %(turn)s) {DELETE_WAITING}",
            {"turn": UUID(turn), "ts": ts, "lock": _retry_lock(turn)},
        )

    async def _delete(self, person: Person, channel: str, ts: str) -> None:
        try:
            await self._slack.client(person.team_id).chat_delete(channel=channel, ts=ts)
        except SlackApiError as error:
            if error_code(error) in ("", "ratelimited"):
                raise
            log.info("a notice could not be deleted: %s", error_code(error))

    async def _send(self, person: Person, row: DictRow, payload: Payload) -> str | None:
        """Let Slack show `payload`; return the ts if the message can be changed later."""
        client, channel = self._slack.client(person.team_id), row["channel"]
        thread_ts = split_thread_key(row["thread"])[2]
        arguments = {"channel": channel, "text": payload["text"], "blocks": payload["blocks"]}
        method = posts(channel)
        change: Callable[..., Awaitable[AsyncSlackResponse]] = client.chat_postMessage
        if row["ts"] is not None:
            method, change = UPDATE, client.chat_update
            arguments["ts"] = row["ts"]
        elif row["audience"] == DM:
            arguments |= {"thread_ts": thread_ts, "metadata": NOTICE_METADATA}
            arguments |= {"unfurl_links": False, "unfurl_media": False}
        else:
            change = client.chat_postEphemeral
            replied = row["replied"] or row["question_ts"] != thread_ts
            arguments["thread_ts"] = ephemeral_thread(thread_ts, has_reply=replied)
            arguments["user"] = person.user_id
        answer = await self._slack.limits.retry(
            person.team_id, method, lambda: change(**arguments), seconds=0.0
        )
        # Of an ephemeral message Slack says another one.
        return answer.get("ts")

    async def add(self, person: Person, surface: str, changes: Sequence[UUID]) -> None:
        """Add changes, made by the person's answer to a question, to the notice of a surface."""
        surface_kind, _, name = surface.partition(" ")
        if surface_kind != NOTICE:
            return
        async with person_transaction(self._pool, person) as connection:
            await connection.execute(
                "UPDATE change_notices SET changes = changes || %s WHERE turn_id = %s"
                " AND team_id = %s AND user_id = %s",
                (list(changes), UUID(name), person.team_id, person.user_id),
            )

    async def content(self, person: Person, surface: str) -> NoticeContent:
        """Return the content of the notice that `surface` names.

        Raises `ValueError` for words that name none.
        """
        notices = await person_statement(
            self._pool,
            person,
            "SELECT changes, questions FROM change_notices"
            " WHERE turn_id = %s AND team_id = %s AND user_id = %s",
            (UUID(surface.removeprefix(f"{NOTICE} ")), person.team_id, person.user_id),
        )
        row = notices[0] if notices else {"changes": (), "questions": ()}
        questions = await open_questions(self._pool, person) if row["questions"] else []
        return NoticeContent(
            surface=surface,
            entries=tuple(await list_changes(self._pool, person, ids=row["changes"]))[::-1],
            questions=tuple(one for one in questions if one.id in row["questions"]),
        )


def _lock(turn: UUID | str) -> str:
    return f"{SHOW}:{turn}"


def _retry_lock(turn: UUID | str) -> str:
    # Not that of `update_notices`: its jobs show the notice once more.
    return f"{_lock(turn)}:retry"
