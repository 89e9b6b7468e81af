"""The inbox: a message is stored, claimed, interrupted, released and given up.

docs/explanation/one-message.md lists every change of its `status`.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, LiteralString
from uuid import UUID, uuid4

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from bot.conversation.run import (
    THREAD_SETTING as THREAD_SETTING,
)
from bot.conversation.run import (
    Edited as Edited,
)
from bot.conversation.run import (
    Interrupted as Interrupted,
)
from bot.conversation.run import (
    Run,
)
from bot.conversation.run import (
    Stopped as Stopped,
)
from bot.conversation.run import (
    Superseded as Superseded,
)
from bot.conversation.run import (
    Withdrawn as Withdrawn,
)
from bot.conversation.running import PERSON_AT_ONCE, RunningThreads
from bot.logs import fault
from bot.slack.messages import Message
from bot.workspaces import AWAY
from memory import Pool
from memory.metrics import step
from memory.postgres import execute_statement, transaction

log = logging.getLogger(__name__)

OPEN: LiteralString = "status IN ('waiting', 'answering')"
"""Condition: a message is still to be answered, by this or another worker."""
STILL_OURS: LiteralString = "id = %s AND attempts = %s"
"""Condition: no other worker answers the message; its parameters: `ClaimedMessage.ownership`."""
FLAGS: LiteralString = "SELECT attempts, status, revision, interrupted FROM messages WHERE id = %s"

MAX_FAILURES = 5
"""Attempts ended by an error after which a message is answered with an apology."""
MAX_ATTEMPTS = 200
"""Attempts after which a message fails, whatever ended them; most of them waited for a model."""
# The person watches the answer grow: reading a flag must not delay it noticeably.
_FLAG_WAIT_SECONDS = 1.0
# Without a limit one mention would turn every later reply in the thread into a question.
_FOLLOWED_SECONDS = 30 * 60
_COLUMNS: LiteralString = "team_id, event_id, user_id, channel_id, ts, thread, audience"
_VALUES: LiteralString = (
    "%(team)s, %(event)s, %(user)s, %(channel)s, %(ts)s, %(thread)s, %(audience)s"
)
_FOLLOWED: LiteralString = (
    "EXISTS (SELECT FROM (SELECT user_id, ts, GREATEST(ts,"
    " (SELECT max(one) FROM unnest(reply_ts) AS one)) AS last FROM messages"
    " WHERE thread = %(thread)s AND (status <> 'gone' OR begun_at IS NOT NULL)) asked"
    " WHERE ts < %(ts)s"
    " HAVING bool_or(user_id = %(user)s) AND max(last) >= %(since)s)"
)
# It begins at once if this process has a place for it, nothing of its thread waits or is answered,
# and of its person few messages are.
_BEGINS: LiteralString = (
    "%(worker)s::bigint IS NOT NULL AND NOT EXISTS (SELECT FROM messages"
    f" WHERE thread = %(thread)s AND ({OPEN} OR worker IS NOT NULL))"
    " AND (SELECT count(*) FROM messages WHERE team_id = %(team)s AND user_id = %(user)s"
    f" AND worker IS NOT NULL) < {PERSON_AT_ONCE}"
)
_STORE: LiteralString = (
    f"WITH place AS MATERIALIZED (SELECT {_BEGINS} AS begins),"
    f" stored AS (INSERT INTO messages ({_COLUMNS}, message, token, attempts, worker)"
    f" SELECT {_VALUES}, %(message)s, gen_random_uuid(), begins::int,"
    " CASE WHEN begins THEN %(worker)s::bigint END"
    f" FROM place WHERE (%(addressed)s OR {_FOLLOWED}) AND NOT EXISTS"
    f" (SELECT FROM workspaces WHERE workspaces.team_id = %(team)s AND {AWAY})"
    " ON CONFLICT (team_id, channel_id, ts) DO NOTHING RETURNING id, token,"
    " worker IS NOT NULL AS begins)"
    " SELECT * FROM stored"
)
# Nothing else than that it is known can keep a message that waits from being stored.
_STORE_WAITING: LiteralString = _STORE.replace(
    "ON CONFLICT (team_id, channel_id, ts)", "ON CONFLICT"
)
_STORE_WITHDRAWN: LiteralString = (
    f"INSERT INTO messages ({_COLUMNS}, status, interrupted, ended_at)"
    f" SELECT {_VALUES}, 'gone', true, now() WHERE %(addressed)s OR {_FOLLOWED}"
    " ON CONFLICT DO NOTHING"
)
CLAIM: LiteralString = (
    "UPDATE messages SET attempts = attempts + 1, worker = %(worker)s, due_at = now(),"
    " token = gen_random_uuid()"
    " WHERE id = ("
    f" SELECT id FROM messages WHERE thread = %(thread)s AND {OPEN}"
    f" ORDER BY ts LIMIT 1) AND {OPEN} AND NOT EXISTS (SELECT FROM messages other"
    " WHERE other.thread = %(thread)s AND other.worker <> %(worker)s)"
    " RETURNING id, token, message, attempts - 1 AS earlier_attempts, failures, crashes, revision,"
    " begun_at IS NOT NULL AS begun, changed_ts < ANY(reply_ts) AS replied,"
    " extract(epoch FROM now() - GREATEST(received_at, edited_at))::float8 AS waited,"
    " EXISTS (SELECT FROM messages other WHERE other.thread = messages.thread"
    " AND (other.status IN ('waiting', 'answering') OR other.status = 'gone'"
    " AND other.ended_at IS NULL) AND other.id <> messages.id) AS more,"
    " EXISTS (SELECT FROM workspaces WHERE workspaces.team_id = messages.team_id"
    f" AND {AWAY}) AS unserved"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMessage:
    """A stored message that is to be answered, with the counts of its earlier attempts.

    Of the `earlier_attempts`, `failures` ended in an error; in `crashes` the process died.
    `revision` numbers the edits of the text. `begun`: an earlier attempt began its turn; `replied`:
    it posted something, since the newest edit. `unserved`: the workspace has removed the app since.
    `waited`: seconds since it was stored, or edited last, when this attempt began.

    `more`: its thread held other messages to handle when this attempt began.
    """

    id: UUID
    message: Message
    earlier_attempts: int = 0
    failures: int = 0
    crashes: int = 0
    revision: int = 0
    begun: bool = False
    replied: bool = False
    more: bool = True
    unserved: bool = False
    waited: float = 0.0
    token: UUID = field(default_factory=uuid4)
    run: Run = field(default_factory=Run, compare=False)

    def __post_init__(self) -> None:
        self.run.ownership = {"id": self.id, "token": self.token}

    @property
    def attempt_number(self) -> int:
        """The number of this attempt, which the row's `attempts` equals while this worker owns it.

        A worker that finds another number there was superseded, and must write nothing more.
        """
        return self.earlier_attempts + 1

    @property
    def ownership(self) -> tuple[UUID, int]:
        """The parameters of `STILL_OURS`."""
        return self.id, self.attempt_number


class Inbox:
    """The rows of `messages` that are stored, claimed, interrupted, released and given up."""

    def __init__(self, pool: Pool, threads: RunningThreads) -> None:
        self._pool = pool
        self.threads = threads
        self._begun: dict[str, ClaimedMessage] = {}

    @step("inbox")
    async def store(self, message: Message) -> bool:
        """Store a message, in one statement; return whether it did.

        Its turn begins at once in this process if there is a place for it, nothing of its thread
        waits or is answered, and fewer than `PERSON_AT_ONCE` messages of its person are. Otherwise
        it waits for the next place in any process.

        A message is not stored if it is already known: the same (team, channel, ts), as for a
        mention that comes both as ``message`` and ``app_mention``. Nor is one that does not address
        the bot, except in a thread in which its author had asked the bot before, and the bot was
        asked or answered in the 30 minutes before; nor one of a workspace that has removed the app.
        Raises `psycopg.OperationalError`.
        """
        values = values_of(message)
        with self.threads.place(message.thread) as worker:
            try:
                stored = await self._store(_STORE, message, {**values, "worker": worker})
            except UniqueViolation:
                # Another message of the thread has begun at the same moment, or its event is known.
                stored = await self._store(_STORE_WAITING, message, {**values, "worker": None})
            for row in stored:
                if not row["begins"]:
                    self.threads.look()
                elif self.threads.run(message.thread):
                    self._begun[message.thread] = ClaimedMessage(
                        id=row["id"], message=message, more=False, token=row["token"]
                    )
        return bool(stored)

    async def _store(
        self, statement: LiteralString, message: Message, values: dict[str, Any]
    ) -> list[DictRow]:
        return await execute_statement(
            self._pool,
            statement,
            values,
            scope={THREAD_SETTING: message.thread, **message.person.settings},
            prepare=True,
        )

    async def store_withdrawn(self, message: Message) -> None:
        """Record a message that was deleted before its delivery, so that it is never answered."""
        await execute_statement(
            self._pool,
            _STORE_WITHDRAWN,
            values_of(message),
            scope={THREAD_SETTING: message.thread},
        )

    @step("claim")
    async def claim(self, thread: str) -> ClaimedMessage | None:
        """Return the oldest waiting message of `thread`; `store` or this counts the attempt.

        None if there is none, or if another process answers one of the thread. The message is in
        progress in this process until its attempt ends.
        """
        if (begun := self._begun.pop(thread, None)) is not None:
            return begun
        rows = await execute_statement(
            self._pool,
            CLAIM,
            {"thread": thread, "worker": self.threads.process},
            scope={THREAD_SETTING: thread},
            prepare=True,
        )
        if not rows:
            return None
        [row] = rows
        return ClaimedMessage(**{**row, "message": Message(**row["message"])})

    async def interrupt(self, thread: str, *, stopped_ts: str) -> bool:
        """Set the flag that a running turn of `thread` sees: the person pressed Stop.

        A message that is held for the model sees it, too. `stopped_ts` is the ts of the event: what
        was written or edited later is answered. Returns whether a message is being answered there,
        or will be again.
        """
        found = await execute_statement(
            self._pool,
            "UPDATE messages SET interrupted = interrupted OR GREATEST(ts, changed_ts) < %s"
            f" WHERE thread = %s AND {OPEN} AND attempts > 0 RETURNING id",
            (stopped_ts, thread),
            scope={THREAD_SETTING: thread},
        )
        return bool(found)

    @step("check")
    async def read_flags(self, claimed: ClaimedMessage) -> bool:
        """Raise `Interrupted` if the turn that answers `claimed` must end.

        Returns False if the database is unavailable, so that this is not known.
        """
        scope = {THREAD_SETTING: claimed.message.thread}
        try:
            rows = await execute_statement(
                self._pool, FLAGS, (claimed.id,), scope=scope, wait=_FLAG_WAIT_SECONDS
            )
        except OperationalError as error:
            log.warning("the stop flag could not be read: %s", fault(error))
            return False
        raise_if_changed(rows[0] if rows else None, claimed)
        return True

    async def release(self, claimed: ClaimedMessage, delay: float, *, failed: bool = False) -> None:
        """Record that this attempt ended without an answer; `failed`: in an error.

        The message is answered again in `delay` seconds by any process, and its thread behind it.
        Raises `Interrupted`, but not for an edit.
        """
        thread = claimed.message.thread
        async with transaction(self._pool, {THREAD_SETTING: thread}) as connection:
            released = await connection.execute(
                "UPDATE messages SET failures = failures + %s, worker = NULL,"
                f" due_at = now() + make_interval(secs => %s) WHERE {STILL_OURS} AND {OPEN}",
                (int(failed), delay, *claimed.ownership),
            )
            if not released.rowcount:
                await check_ownership(connection, claimed)
        self.threads.look(delay)

    async def finish_without_turn(
        self, claimed: ClaimedMessage, status: Literal["skipped", "failed"]
    ) -> None:
        """Mark a message as handled without an answer. Raises `Interrupted`.

        `failed`: it can be neither answered nor apologised for.
        """
        scope = {THREAD_SETTING: claimed.message.thread}
        lock = claimed.message.person.prefix
        async with transaction(self._pool, scope, lock=lock, shared=True) as connection:
            await finish(connection, claimed, status)


async def check_ownership(connection: AsyncConnection[DictRow], claimed: ClaimedMessage) -> None:
    """Read the message again; raise `Interrupted` if its state ends the answer."""
    found = await connection.execute(FLAGS, (claimed.id,))
    raise_if_changed(await found.fetchone(), claimed)


def raise_if_changed(row: DictRow | None, claimed: ClaimedMessage) -> None:
    """Raise `Interrupted` if `row`, the current state of the message, ends the answer."""
    # No row: it was erased meanwhile, and no other worker has it.
    if row is None:
        return
    if row["attempts"] != claimed.attempt_number:
        raise Superseded
    if row["status"] == "gone":
        raise Withdrawn("The person deleted the message.")
    if row["status"] not in ("waiting", "answering"):
        return
    if row["revision"] != claimed.revision:
        raise Edited("The person edited the message.")
    if row["interrupted"]:
        raise Stopped("The person pressed Stop.")


def key_of(message: Message) -> dict[str, Any]:
    """Return what names a message in statements: the ids of its event, author, place and thread."""
    return {
        "team": message.team_id,
        "event": message.event_id,
        "user": message.user_id,
        "channel": message.channel_id,
        "ts": message.ts,
        "thread": message.thread,
    }


async def finish(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    status: Literal["answered", "failed", "stopped", "skipped"],
) -> None:
    """Mark a message as handled and blank its body, in the transaction that ends its turn.

    The transaction shares the lock of the message's author, so it has waited for a running write of
    their memories, and sees its result. Raises `Interrupted` where the message was withdrawn or
    edited meanwhile, or taken over by another worker: the turn must not end so.
    """
    finished = await connection.execute(
        "UPDATE messages SET status = %s, message = NULL, worker = NULL, ended_at = now(),"
        " formed_at = CASE WHEN words = '' THEN now() ELSE formed_at END"
        f" WHERE {STILL_OURS} AND revision = %s AND {OPEN}",
        (status, *claimed.ownership, claimed.revision),
        prepare=True,
    )
    if not finished.rowcount:
        await check_ownership(connection, claimed)


def values_of(message: Message) -> dict[str, Any]:
    """Return the columns of a message's row, and what decides whether its thread is followed."""
    return {
        **key_of(message),
        "since": f"{float(message.ts) - _FOLLOWED_SECONDS:.6f}",
        "audience": message.audience,
        "addressed": message.addressed,
        "message": Jsonb(asdict(message)),
    }
