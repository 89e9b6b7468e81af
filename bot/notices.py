"""Notices of remembered changes, each a message of its own: below the answer, or ephemeral.

A turn has one notice: a row, and a job, made in the transaction that remembers; neither comes
without the other. What it says follows from the changes and questions of the turn's batch. In a
direct message the `ts` of its message is stored, which is updated or deleted later; in a channel
the person alone sees it, and nothing can change it but their own click.

What the memory model could not read is told, too: a row of `notices` for each message, which the
panel counts, and once a day a line below the message.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Sequence
from uuid import UUID

from psycopg import AsyncConnection, Error
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError

from bot.access import claim_refusal
from bot.app import App
from bot.logs import fault
from bot.people import read_settings
from bot.queue.queue import REPLIES, Queue
from bot.slack.client import SLACK_FAULTS, error_code, show_privately
from bot.slack.messages import API_TEAM, split_thread_key
from bot.ui.blocks import Payload, payload
from bot.ui.lines import notable_changes
from bot.ui.messages import notice_payload
from memory import DM, Change, FormationResult, Person, Pool, list_changes, open_questions
from memory.model import PROMISE_KIND
from memory.postgres import person_statement, person_transaction

log = logging.getLogger(__name__)

SHOW_NOTICE = "show_notice"
TELL_UNREAD = "tell_unread"
_RETRY_SECONDS = 60.0
"""Seconds after which the job shows a notice that `show_now` has not shown."""
_LATER_SECONDS = (4.0, 12.0)
_UNREAD_DAYS = 7  # that the panel counts a message
_DAY_SECONDS = 86_400.0
_FEW_SECONDS = 5.0


async def add_notice(
    app: App,
    connection: AsyncConnection[DictRow],
    person: Person,
    turn: UUID,
    formed: FormationResult | None = None,
) -> bool:
    """Add the notice of a turn's batch, with a job that shows it, in the caller's transaction.

    With `formed` the caller shows it by `show_now` after the commit; the job, a minute later, shows
    it if the process died in between. Returns False, without a notice, if confirmations alone were
    `formed`, and for callers of POST /ask, who are in no conversation of Slack.
    """
    told = formed is None or formed.questions or notable_changes(formed.changes)
    if person.team_id == API_TEAM or not told:
        return False
    await connection.execute(
        "INSERT INTO change_notices (turn_id, team_id, user_id) VALUES (%s, %s, %s)"
        " ON CONFLICT (turn_id) DO UPDATE SET shown_at = NULL",
        (turn, person.team_id, person.user_id),
    )
    lock, delay = (_retry_lock(turn), _RETRY_SECONDS) if formed else (_lock(turn), 0.0)
    await _show_later(app.queue, connection, person, turn, lock=lock, delay=delay)
    return True


async def add_unread(
    app: App, connection: AsyncConnection[DictRow], person: Person, turns: Sequence[UUID]
) -> None:
    """Store that the memory model could not read these turns' words, in the caller's transaction.

    A job tells the person; callers of POST /ask are in no conversation of Slack.
    """
    await connection.execute(
        "INSERT INTO notices (team_id, user_id, kind, message_id, expires_at)"
        " SELECT %(team)s, %(user)s, 'unread ' || turn, turn,"
        " now() + make_interval(days => %(days)s)"
        " FROM unnest(%(turns)s::uuid[]) AS turn ON CONFLICT DO NOTHING",
        {**person.ids, "turns": list(turns), "days": _UNREAD_DAYS},
    )
    if person.team_id != API_TEAM:
        jobs = {f"{TELL_UNREAD}:{person.scope}": {**person.ids, "turn": str(turns[-1])}}
        await app.queue.defer(connection, TELL_UNREAD, jobs, queue=REPLIES, delay=_FEW_SECONDS)


async def count_unread(pool: Pool, person: Person) -> int:
    """Return how many of a person's messages of the last days the memory model could not read."""
    [row] = await person_statement(
        pool,
        person,
        "SELECT count(*) AS unread FROM notices WHERE team_id = %(team)s AND user_id = %(user)s"
        " AND kind LIKE 'unread %%' AND expires_at > now()",
        person.ids,
    )
    return int(row["unread"])


async def tell_unread(app: App, team: str, user: str, turn: str) -> None:
    """Tell a person once a day how many of their messages could not be read; run as a job.

    The line is shown below the message of `turn`, to that person alone. Raises a fault of Slack's
    that may pass.
    """
    person = Person(team, user)
    found = await person_statement(
        app.pool,
        person,
        "SELECT t.channel_id AS channel, t.thread, t.audience, t.ts AS question_ts,"
        " t.reply_ts <> '{}' AS replied, NULL AS ts FROM messages t"
        " WHERE t.id = %(turn)s AND t.team_id = %(team)s AND t.user_id = %(user)s",
        {"turn": UUID(turn), **person.ids},
    )
    if not found:
        return
    if not await claim_refusal(app.pool, person, UUID(turn), "unread", _DAY_SECONDS):
        return
    [row] = found
    async with person_transaction(app.pool, person) as connection:
        settings = await read_settings(connection, person)
    reader = settings.reader()
    unread = await count_unread(app.pool, person)
    try:
        await _send(app, person, row, payload(reader.say("unread_told", count=unread)))
    except SLACK_FAULTS as error:
        if error_code(error) in ("", "ratelimited"):
            raise
        log.info("a line about unread messages could not be shown: %s", error_code(error))


async def update_notices(
    app: App, connection: AsyncConnection[DictRow], person: Person, batches: Collection[UUID]
) -> None:
    """Update the notices of these batches in direct messages; one that says nothing is deleted."""
    found = await connection.execute(
        "SELECT turn_id FROM change_notices WHERE team_id = %s AND user_id = %s"
        " AND ts IS NOT NULL AND turn_id = ANY(%s)",
        (person.team_id, person.user_id, list(batches)),
    )
    turns = [row["turn_id"] for row in await found.fetchall()]
    jobs = {_lock(turn): {**person.ids, "turn": str(turn)} for turn in turns}
    await app.queue.defer(connection, SHOW_NOTICE, jobs, queue=REPLIES)


async def repeat_notice(
    queue: Queue, connection: AsyncConnection[DictRow], person: Person, turn: UUID
) -> None:
    """Show the notice of a turn, if it has one, when its answer has been given."""
    found = await connection.execute(
        "SELECT FROM change_notices WHERE (turn_id, team_id, user_id) = (%s, %s, %s)",
        (turn, person.team_id, person.user_id),
    )
    if await found.fetchone() is not None:
        await _show_later(queue, connection, person, turn, lock=_lock(turn))


async def _show_later(
    queue: Queue,
    where: AsyncConnection[DictRow] | Pool,
    person: Person,
    turn: UUID | str,
    *,
    lock: str,
    delay: float = 0.0,
) -> None:
    jobs = {lock: {**person.ids, "turn": str(turn)}}
    await queue.defer(where, SHOW_NOTICE, jobs, queue=REPLIES, delay=delay)


async def show_now(app: App, person: Person, turn: UUID) -> None:
    """Show a notice whose changes have just been committed; a failure is logged only."""
    try:
        await show_notice(app, person.team_id, person.user_id, str(turn))
    except (*SLACK_FAULTS, Error) as error:
        log.info("a notice was not shown now: %s", error_code(error) or fault(error))


async def show_notice(app: App, team: str, user: str, turn: str) -> None:
    """Post the notice of a turn, or update or delete its message; run as a job.

    A message above the answer, which was given again, is deleted, and posted again below it.
    Postponed while Slack's rate limit refuses a call. Raises a fault of Slack's that may pass;
    where Slack refuses it, that is logged.
    """
    person = Person(team, user)
    found = await person_statement(
        app.pool,
        person,
        "SELECT t.channel_id AS channel, t.thread, t.audience, t.reply, t.ts AS question_ts,"
        " t.reply_ts <> '{}' AS replied, n.ts, n.shown_at IS NOT NULL AS shown,"
        " n.ts::numeric < t.reply_ts[1]::numeric AS above"
        " FROM change_notices n JOIN messages t"
        " ON (t.id, t.team_id, t.user_id) = (n.turn_id, n.team_id, n.user_id)"
        " WHERE n.turn_id = %(turn)s AND n.team_id = %(team)s AND n.user_id = %(user)s",
        {"turn": UUID(turn), **person.ids},
    )
    if not found:
        return
    [row] = found
    ts = row["ts"]
    payload = await _payload(app, person, row, UUID(turn))
    try:
        if ts is not None and (row["above"] or payload is None):
            await _delete(app, person, row["channel"], ts)
            row["ts"] = ts = None
            row["shown"] = payload is None
        if payload is not None and (ts is not None or not row["shown"]):
            ts = await _send(app, person, row, payload)
    except SLACK_FAULTS as error:
        if error_code(error) == "ratelimited":
            delay = random.uniform(*_LATER_SECONDS)  # noqa: S311
            await _show_later(app.queue, app.pool, person, turn, lock=_lock(turn), delay=delay)
            return
        if not error_code(error):
            raise
        log.info("a notice could not be shown: %s", error_code(error))
    await person_statement(
        app.pool,
        person,
        "WITH shown AS (UPDATE change_notices SET ts = %(ts)s,"
        " shown_at = COALESCE(shown_at, now()) WHERE turn_id = %(turn)s) SELECT 1",
        {"turn": UUID(turn), "ts": ts, "lock": _retry_lock(turn)},
    )


async def _payload(app: App, person: Person, row: DictRow, turn: UUID) -> Payload | None:
    """Return what a notice says; None for nothing.

    To somebody who wants no notices only the questions come, which would else expire unseen.
    """
    async with person_transaction(app.pool, person) as connection:
        settings = await read_settings(connection, person)
    told = await list_changes(app.pool, person, batch=turn)
    questions = await open_questions(app.pool, person, batch=turn)
    if not (settings.notices or row["shown"] or row["ts"]):
        told = []
    if not (notable_changes(told) or questions):
        return None
    newest: list[Change] = []
    for one in notable_changes(told):
        if one.kind == PROMISE_KIND and one.undone_at is None:
            newest += await list_changes(app.pool, person, key=one.key, limit=1)
    return notice_payload(settings.reader(row["reply"] or ""), turn, told, questions, newest)


async def _delete(app: App, person: Person, channel: str, ts: str) -> None:
    try:
        await app.slack.client(person.team_id).chat_delete(channel=channel, ts=ts)
    except SlackApiError as error:
        if error_code(error) in ("", "ratelimited"):
            raise
        log.info("a notice could not be deleted: %s", error_code(error))


async def _send(app: App, person: Person, row: DictRow, payload: Payload) -> str | None:
    """Let Slack show `payload`; return the ts if the message can be changed later."""
    client, channel = app.slack.client(person.team_id), row["channel"]
    if row["ts"] is not None:
        await client.chat_update(channel=channel, ts=row["ts"], **payload)
        return str(row["ts"])
    thread_ts, in_dm = split_thread_key(row["thread"])[2], row["audience"] == DM
    has_reply = in_dm or row["replied"] or row["question_ts"] != thread_ts
    return await show_privately(
        client,
        payload,
        channel=channel,
        user=person.user_id,
        thread_ts=thread_ts if has_reply else None,
        in_dm=in_dm,
    )


def _lock(turn: UUID | str) -> str:
    return f"{SHOW_NOTICE}:{turn}"


def _retry_lock(turn: UUID | str) -> str:
    # Not that of `update_notices`: its jobs show the notice once more.
    return f"{_lock(turn)}:retry"
