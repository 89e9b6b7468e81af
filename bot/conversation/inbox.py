"""Every message is stored, with its job, before Slack is answered; and handled once."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString

from psycopg import AsyncConnection, AsyncCursor, OperationalError
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from bot.conversation import unrelated_replies as overhearing
from bot.conversation.interruptions import Edited, Stopped, Superseded, Withdrawn
from bot.conversation.quiet_threads import is_quiet, speak_again
from bot.logs import fault
from bot.queue.jobs import Limits
from bot.queue.queue import REPLIES, Queue
from bot.queue.sweep import ALONE_AFTER_CRASHES, LATE_SECONDS
from bot.slack.messages import Message
from bot.slack.text import storable
from bot.users.settings import OFF_RECORD
from bot.users.workspaces import AWAY
from memory import DM, Person, Pool, View, execute_statement, measured, transaction

log = logging.getLogger(__name__)

THREAD_SETTING = "kioku.thread"
ANSWER = "answer_thread"
MAX_FAILURES = 5
"""Attempts ended by an error after which a message is answered with an apology."""
_ACK_WAIT_SECONDS = 2.0
# The person watches the answer grow: reading a flag must not delay it noticeably.
_FLAG_WAIT_SECONDS = 1.0
_FLAGS: LiteralString = (
    "SELECT attempts, status, revision, interrupted FROM inbox_events WHERE id = %s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMessage:
    """A stored message that is to be answered, with the counts of its earlier attempts.

    Of the `attempts`, `spared` ended without an answer and without an error, and `failures` in an
    error; in `crashes` the process died, in `lone_crashes` with no other message in progress.
    `revision` numbers the edits of the text. `held_since` is when the model was first unavailable
    for it. `late`: it was written while the app was away. `unserved`: the workspace has removed the
    app since.

    `attempts` also fences workers: a worker that finds another number stored must not answer the
    message any more. `more`: its thread held other messages to handle when this attempt began;
    messages stored later have jobs of their own.
    """

    id: int
    message: Message
    attempts: int
    spared: int = 0
    failures: int = 0
    crashes: int = 0
    lone_crashes: int = 0
    revision: int = 0
    held_since: datetime | None = None
    late: bool = False
    more: bool = True
    unserved: bool = False

    @property
    def runs_alone(self) -> bool:
        """Whether the process that answers it starts no other meanwhile."""
        return self.crashes >= ALONE_AFTER_CRASHES


class Inbox:
    """The `inbox_events` table."""

    def __init__(self, pool: Pool, queue: Queue) -> None:
        self._pool = pool
        self._queue = queue

    @measured("inbox")
    async def store(self, message: Message, *, late: bool = False) -> bool:
        """Store a message and the job that answers it, in one transaction; False if known.

        Known is: the same event id, or the same (team, channel, ts), as a mention that comes both
        as ``message`` and ``app_mention``. A message that does not address the bot is stored
        only in a thread the bot is part of, unless it was asked to be quiet there; its place in any
        other is kept for two minutes, for the mention that is still on its way. `late`: it was
        found by catching up.

        Raises `psycopg.OperationalError` when the database cannot be reached within two seconds:
        Slack then delivers the event again.
        """
        scope = {THREAD_SETTING: message.thread}
        if not (message.addressed or late) and not await self._may_follow(message):
            return False
        async with transaction(self._pool, scope, wait=_ACK_WAIT_SECONDS) as connection:
            if message.audience != DM:
                await overhearing.in_turn(connection, message.thread)
            if not message.addressed:
                # What is said while the app is quiet is none of what a late mention brings along.
                if await is_quiet(connection, message.thread):
                    return False
                if not await _follows(connection, message.thread):
                    await overhearing.keep(connection, message)
                    return False
            if late and await _was_answered(connection, message):
                return False
            if not await _insert(connection, message, "waiting", late=late):
                return False
            if message.addressed and message.audience != DM and not late:
                await speak_again(connection, message.thread)
            await self._queue.defer(
                connection,
                ANSWER,
                queue=REPLIES,
                lock=f"{REPLIES}:{message.thread}",
                behind=late,
                limits=_limits(message.person, message.channel_id),
                thread=message.thread,
            )
            if message.audience != DM and await overhearing.anything_after(connection, message):
                await self._queue.defer(
                    connection,
                    overhearing.READ,
                    queue=REPLIES,
                    lock=f"{overhearing.READ}:{message.thread}",
                    thread=message.thread,
                )
        return True

    async def _may_follow(self, message: Message) -> bool:
        """Return whether the bot takes part in a thread; else keep the message's place.

        In one statement: most messages of a channel are of threads that the bot is not in.
        """
        [row] = await execute_statement(
            self._pool,
            overhearing.KEEP_UNLESS_FOLLOWED,
            {
                "team": message.team_id,
                "channel": message.channel_id,
                "ts": message.ts,
                "thread": message.thread,
            },
            scope={THREAD_SETTING: message.thread},
            lock=overhearing.lock_name(message.thread),
            wait=_ACK_WAIT_SECONDS,
        )
        return bool(row["follows"])

    async def store_withdrawn(self, message: Message) -> None:
        """Take note of a message that is deleted before it was delivered: it will be known then."""
        scope = {THREAD_SETTING: message.thread}
        async with transaction(self._pool, scope, wait=_ACK_WAIT_SECONDS) as connection:
            if message.addressed or await _follows(connection, message.thread):
                await _insert(connection, message, "withdrawn", late=False)

    @measured("claim")
    async def next(self, thread: str, *, untold: bool = False) -> ClaimedMessage | None:
        """Return the oldest message of `thread` that waits, and count the attempt at it.

        The message is in progress in this process until its attempt ends. `untold`: return the
        oldest of those that were not held for the model yet.
        """
        rows = await execute_statement(
            self._pool,
            "UPDATE inbox_events SET attempts = attempts + 1, claimed_by = %s WHERE id = ("
            " SELECT id FROM inbox_events WHERE thread = %s AND status = 'waiting'"
            " AND (held_since IS NULL OR NOT %s) ORDER BY ts LIMIT 1) AND status = 'waiting'"
            " RETURNING id, message, attempts - 1 AS attempts, spared, failures, crashes,"
            " lone_crashes, revision, held_since, late, EXISTS (SELECT FROM inbox_events other"
            " WHERE other.thread = inbox_events.thread"
            " AND other.status IN ('waiting', 'withdrawn')"
            " AND other.id <> inbox_events.id) AS more,"
            " EXISTS (SELECT FROM workspaces WHERE workspaces.team_id = inbox_events.team_id"
            f" AND {AWAY}) AS unserved",
            (self._queue.process, thread, untold),
            scope={THREAD_SETTING: thread},
        )
        if not rows:
            return None
        [row] = rows
        return ClaimedMessage(**{**row, "message": Message(**row["message"])})

    async def edit(self, team_id: str, channel_id: str, ts: str, thread: str, text: str) -> None:
        """Put the edited text in place of that of a message which still waits, or is answered.

        Slack also reports a message as changed when it unfurled a link: the same text is no edit.
        """
        new = storable(text)
        await self._touch(
            "UPDATE inbox_events SET revision = revision + 1, edited_at = now(),"
            " message = jsonb_set(message, '{text}', to_jsonb(%s::text))"
            " WHERE team_id = %s AND channel_id = %s AND ts = %s AND status = 'waiting'"
            " AND message->>'text' <> %s",
            (new, team_id, channel_id, ts, new),
            thread,
        )

    async def reopen(self, message: Message) -> None:
        """Answer an edited message again, if it was answered in the last day.

        `message` names the event that told of the edit: delivered again, it changes nothing.
        """
        scope = {THREAD_SETTING: message.thread}
        async with transaction(self._pool, scope, wait=_ACK_WAIT_SECONDS) as connection:
            found = await connection.execute(
                "UPDATE inbox_events e SET status = 'waiting', message = %(message)s,"
                " event_id = %(event)s, revision = revision + 1, edited_at = now(),"
                " spared = attempts, failures = 0, crashes = 0, lone_crashes = 0,"
                " claimed_by = NULL,"
                " interrupted = false, finished_at = NULL, held_since = NULL"
                " WHERE team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s"
                " AND user_id = %(user)s AND event_id <> %(event)s"
                " AND status IN ('done', 'failed') AND received_at > now() - interval '1 day'"
                " AND EXISTS (SELECT FROM turns t WHERE t.team_id = e.team_id"
                " AND t.channel_id = e.channel_id AND t.question_ts = e.ts"
                " AND t.reply_ts <> '{}') RETURNING id",
                {
                    "message": Jsonb(message.as_json()),
                    "event": message.event_id,
                    "team": message.team_id,
                    "channel": message.channel_id,
                    "ts": message.ts,
                    "user": message.user_id,
                },
            )
            if await found.fetchone() is not None:
                await self._schedule(connection, message.thread, _limits(message.person))

    async def withdraw(self, team_id: str, channel_id: str, ts: str, thread: str) -> None:
        """Take a deleted message back: it is not answered, and what there is of an answer goes."""
        scope = {THREAD_SETTING: thread}
        async with transaction(self._pool, scope, wait=_ACK_WAIT_SECONDS) as connection:
            found = await connection.execute(
                "UPDATE inbox_events SET status = 'withdrawn', message = NULL,"
                " interrupted = true, finished_at = now()"
                " WHERE team_id = %s AND channel_id = %s AND ts = %s AND status = 'waiting'"
                " RETURNING attempts",
                (team_id, channel_id, ts),
            )
            row = await found.fetchone()
            if row is not None and row["attempts"]:
                await self._schedule(connection, thread, Limits())

    async def interrupt(self, thread: str) -> bool:
        """Set the flag that a running turn of `thread` sees: the person pressed Stop.

        Returns whether a message is being answered there, or will be again.
        """
        return await self._touch(
            "UPDATE inbox_events SET interrupted = true WHERE thread = %s AND status = 'waiting'"
            " AND attempts > 0",
            (thread,),
            thread,
        )

    async def waits(self, claimed: ClaimedMessage) -> bool:
        """Return whether a message is still to be answered, be it by another worker."""
        scope = {THREAD_SETTING: claimed.message.thread}
        async with transaction(self._pool, scope) as connection:
            found = await connection.execute(
                "SELECT FROM inbox_events WHERE id = %s AND status = 'waiting'", (claimed.id,)
            )
            return await found.fetchone() is not None

    @measured("check")
    async def check(self, claimed: ClaimedMessage) -> bool:
        """Raise `Interrupted` where the turn that answers `claimed` is not to go on.

        Returns False where the database is away and nobody can know.
        """
        scope = {THREAD_SETTING: claimed.message.thread}
        try:
            rows = await execute_statement(
                self._pool, _FLAGS, (claimed.id,), scope=scope, wait=_FLAG_WAIT_SECONDS
            )
        except OperationalError as error:
            log.warning("the stop flag could not be read: %s", fault(error))
            return False
        raise_if_changed(rows[0] if rows else None, claimed)
        return True

    async def begin_anew(self, claimed: ClaimedMessage) -> None:
        """Record that this attempt ended in good order and the message starts again.

        Raises `Interrupted`, as does `put_off`, but not for an edit.
        """
        async with transaction(self._pool, {THREAD_SETTING: claimed.message.thread}) as connection:
            await _spare(connection, claimed)

    async def hold(self, claimed: ClaimedMessage) -> None:
        """Record that a message waits for the model, behind another one of its thread."""
        async with transaction(self._pool, {THREAD_SETTING: claimed.message.thread}) as connection:
            await _spare(connection, claimed, held=True)

    async def put_off(self, claimed: ClaimedMessage, delay: float) -> None:
        """Let a message, and its thread behind it, wait `delay` seconds: the model is away."""
        async with transaction(self._pool, {THREAD_SETTING: claimed.message.thread}) as connection:
            await _spare(connection, claimed, held=True)
            # The answer replaces the notice.
            limits = _limits(claimed.message.person, alone=claimed.runs_alone)
            await self._schedule(connection, claimed.message.thread, limits, delay)

    async def fail(self, claimed: ClaimedMessage, delay: float) -> None:
        """Record that this attempt ended in an error: the next one begins in `delay` seconds.

        Raises as `begin_anew` does.
        """
        message = claimed.message
        async with transaction(self._pool, {THREAD_SETTING: message.thread}) as connection:
            failed = await connection.execute(
                "UPDATE inbox_events SET failures = failures + 1, claimed_by = NULL"
                " WHERE id = %s AND attempts = %s AND status = 'waiting'",
                (claimed.id, claimed.attempts + 1),
            )
            if not failed.rowcount:
                await _raise_if_changed(connection, claimed)
            limits = _limits(message.person, message.channel_id, alone=claimed.runs_alone)
            await self._schedule(connection, message.thread, limits, delay)

    async def others_answered(self, claimed: ClaimedMessage, seconds: float) -> bool:
        """Return whether the model answered others, `seconds` ago and after this was first held."""
        async with transaction(self._pool) as connection:
            found = await connection.execute(
                "SELECT model_answered(%s, %s, now() - make_interval(secs => %s)) AS answered",
                (claimed.message.team_id, claimed.held_since, seconds),
            )
            row = await found.fetchone()
        return bool(row and row["answered"])

    async def queue_again(self, thread: str) -> None:
        """Let what still waits in `thread` be answered after what others wrote meanwhile.

        What has waited for long, as after an outage, also lets those through who write now.
        """
        async with transaction(self._pool, {THREAD_SETTING: thread}) as connection:
            found = await connection.execute(
                "SELECT received_at < now() - make_interval(secs => %s) AS late, team_id, user_id,"
                " channel_id, crashes >= %s AS alone FROM inbox_events"
                " WHERE thread = %s AND status = 'waiting' ORDER BY ts LIMIT 1",
                (LATE_SECONDS, ALONE_AFTER_CRASHES, thread),
            )
            row = await found.fetchone()
            if row is not None:
                person = Person(row["team_id"], row["user_id"])
                await self._queue.defer(
                    connection,
                    ANSWER,
                    queue=REPLIES,
                    lock=f"{REPLIES}:{thread}",
                    behind=row["late"],
                    limits=_limits(person, row["channel_id"], alone=row["alone"]),
                    thread=thread,
                )

    async def hurry(self) -> None:
        """Let no thread wait any longer: the model is back."""
        async with transaction(self._pool) as connection:
            await self._queue.hurry(connection, ANSWER)

    async def pass_over(self, claimed: ClaimedMessage) -> None:
        """Mark a message as handled, without an answer. Raises `Interrupted`."""
        async with transaction(self._pool, {THREAD_SETTING: claimed.message.thread}) as connection:
            await finish(connection, claimed)

    async def give_up(self, claimed: ClaimedMessage) -> None:
        """Mark a message as failed: it can be neither answered nor apologised for.

        Raises `Superseded` when another worker answers it.
        """
        scope = {THREAD_SETTING: claimed.message.thread}
        with suppress(Edited, Withdrawn):
            async with transaction(self._pool, scope) as connection:
                await finish(connection, claimed, "failed")

    async def _schedule(
        self,
        connection: AsyncConnection[DictRow],
        thread: str,
        limits: Limits,
        delay: float = 0.0,
    ) -> None:
        """Defer the thread's job; one that waits already waits until then."""
        lock = f"{REPLIES}:{thread}"
        if not await self._queue.defer(
            connection,
            ANSWER,
            queue=REPLIES,
            lock=lock,
            delay=delay,
            limits=limits,
            thread=thread,
        ):
            await self._queue.postpone(connection, lock=lock, delay=delay)

    async def _touch(self, statement: Any, parameters: tuple[str, ...], thread: str) -> bool:
        scope = {THREAD_SETTING: thread}
        async with transaction(self._pool, scope, wait=_ACK_WAIT_SECONDS) as connection:
            done = await connection.execute(statement, parameters)
        return done.rowcount > 0


def _limits(person: Person, channel_id: str = "", *, alone: bool = False) -> Limits:
    """Return the limits against which the answer to a person counts.

    Slack limits new messages by channel, and updates by workspace. An answer without `channel_id`
    replaces a posted notice, so it waits for the limit of updates.
    """
    budget = f"{person.team_id}.{channel_id or 'updates'}"
    return Limits(person=person.scope, budget=budget, alone=alone)


async def _insert(
    connection: AsyncConnection[DictRow],
    message: Message,
    status: Literal["waiting", "withdrawn"],
    *,
    late: bool,
) -> bool:
    withdrawn = status == "withdrawn"
    inserted = await connection.execute(
        "INSERT INTO inbox_events (team_id, event_id, user_id, channel_id, ts, thread, audience,"
        " late, message, status, interrupted, finished_at) VALUES (%s, %s, %s, %s, %s, %s, %s,"
        " %s, %s, %s, %s, CASE WHEN %s THEN now() END) ON CONFLICT DO NOTHING RETURNING id",
        (
            message.team_id,
            message.event_id,
            message.user_id,
            message.channel_id,
            message.ts,
            message.thread,
            message.audience,
            late,
            None if withdrawn else Jsonb(message.as_json()),
            status,
            withdrawn,
            withdrawn,
        ),
    )
    return await inserted.fetchone() is not None


async def finish(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    status: Literal["done", "failed"] = "done",
) -> None:
    """Mark a message as handled and blank its body, in the transaction that ends its turn.

    Raises `Interrupted` where it was withdrawn or edited meanwhile, or taken over by another
    worker: the turn must not end so.
    """
    finished = await connection.execute(
        "UPDATE inbox_events SET status = %s, message = NULL, finished_at = now(),"
        " claimed_by = NULL"
        " WHERE id = %s AND attempts = %s AND revision = %s AND status = 'waiting'",
        (status, claimed.id, claimed.attempts + 1, claimed.revision),
    )
    if not finished.rowcount:
        await _raise_if_changed(connection, claimed)


async def ask_flags(
    connection: AsyncConnection[DictRow], claimed: ClaimedMessage
) -> AsyncCursor[DictRow]:
    """Query the current state of the message; `raise_if_changed` reads the row."""
    return await connection.execute(_FLAGS, (claimed.id,))


async def _raise_if_changed(connection: AsyncConnection[DictRow], claimed: ClaimedMessage) -> None:
    found = await ask_flags(connection, claimed)
    raise_if_changed(await found.fetchone(), claimed)


def raise_if_changed(row: DictRow | None, claimed: ClaimedMessage) -> None:
    """Raise `Interrupted` if `row`, the current state of the message, ends the answer."""
    # One that was erased meanwhile is nobody else's.
    if row is None:
        return
    if row["attempts"] != claimed.attempts + 1:
        raise Superseded("Another worker answers the message now.")
    if row["status"] == "withdrawn":
        raise Withdrawn("The person deleted the message.")
    if row["status"] == "waiting" and row["revision"] != claimed.revision:
        raise Edited("The person edited the message.")
    if row["status"] == "waiting" and row["interrupted"]:
        raise Stopped("The person pressed Stop.")


async def _spare(
    connection: AsyncConnection[DictRow], claimed: ClaimedMessage, *, held: bool = False
) -> None:
    spared = await connection.execute(
        "UPDATE inbox_events SET spared = spared + 1, claimed_by = NULL,"
        " held_since = CASE WHEN %s THEN COALESCE(held_since, now()) ELSE held_since END"
        " WHERE id = %s AND attempts = %s AND status = 'waiting'",
        (held, claimed.id, claimed.attempts + 1),
    )
    if not spared.rowcount:
        await _raise_if_changed(connection, claimed)


async def ask_unanswered(
    connection: AsyncConnection[DictRow], view: View, claimed: ClaimedMessage
) -> AsyncCursor[DictRow]:
    """Ask for ``ts, text`` of the person's earlier messages that still wait.

    Of direct messages where the view is a direct message's, and of the same channel. Not of those
    that are not to be remembered.
    """
    message = claimed.message
    return await connection.execute(
        "SELECT ts, message->>'text' AS text FROM inbox_events e"
        " WHERE team_id = %s AND user_id = %s AND status = 'waiting' AND ts < %s"
        " AND (channel_id = %s OR (%s AND audience = %s))"
        f" AND NOT ({OFF_RECORD}) ORDER BY ts",
        (
            message.team_id,
            message.user_id,
            message.ts,
            message.channel_id,
            view.own.audience == DM,
            DM,
        ),
    )


async def _was_answered(connection: AsyncConnection[DictRow], message: Message) -> bool:
    # What was stored is known by its row in the inbox for some days, what was answered for longer.
    found = await connection.execute(
        "SELECT FROM turns WHERE team_id = %s AND channel_id = %s AND question_ts = %s",
        (message.team_id, message.channel_id, message.ts),
    )
    return await found.fetchone() is not None


async def _follows(connection: AsyncConnection[DictRow], thread: str) -> bool:
    found = await connection.execute(
        "SELECT EXISTS (SELECT FROM turns WHERE thread = %(thread)s)"
        " OR EXISTS (SELECT FROM inbox_events WHERE thread = %(thread)s"
        " AND status <> 'withdrawn') AS follows",
        {"thread": thread},
    )
    row = await found.fetchone()
    return row is not None and bool(row["follows"])
