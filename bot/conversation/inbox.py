"""The inbox: a message is stored, claimed, changed and given up.

docs/explanation/one-message.md lists every change of its `status`.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any, Literal, LiteralString

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from bot.conversation.claimed_message import (
    FLAGS,
    OPEN,
    STILL_OURS,
    THREAD_SETTING,
    ClaimedMessage,
    check_ownership,
    finish,
    key_of,
    raise_if_changed,
)
from bot.conversation.running import PERSON_AT_ONCE, RunningThreads
from bot.logs import fault
from bot.slack.messages import Message
from bot.workspaces import AWAY
from memory import PUBLIC, Pool
from memory.metrics import step
from memory.postgres import PERSON_SETTING, execute_statement, transaction

log = logging.getLogger(__name__)

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
    " WHERE ts < %(before)s"
    " HAVING bool_or(user_id = %(user)s) AND max(last) >= %(since)s)"
)
_AT_ANY_TIME = "9"  # as a text, greater than any ts
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
    f" stored AS (INSERT INTO messages ({_COLUMNS}, message, attempts, worker)"
    f" SELECT {_VALUES}, %(message)s, begins::int, CASE WHEN begins THEN %(worker)s::bigint END"
    f" FROM place WHERE %(addressed)s OR {_FOLLOWED}"
    " ON CONFLICT (team_id, channel_id, ts) DO NOTHING RETURNING id, worker IS NOT NULL AS begins)"
    " SELECT stored.*, EXISTS"
    f" (SELECT FROM workspaces WHERE workspaces.team_id = %(team)s AND {AWAY}) AS unserved"
    " FROM stored"
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
    "UPDATE messages SET attempts = attempts + 1, worker = %(worker)s, due_at = now()"
    " WHERE id = ("
    f" SELECT id FROM messages WHERE thread = %(thread)s AND {OPEN}"
    f" ORDER BY ts LIMIT 1) AND {OPEN} AND NOT EXISTS (SELECT FROM messages other"
    " WHERE other.thread = %(thread)s AND other.worker <> %(worker)s)"
    " RETURNING id, message, attempts - 1 AS earlier_attempts, failures, crashes, revision,"
    " status = 'answering' AS begun, reply_ts <> '{}' AS replied,"
    " extract(epoch FROM now() - GREATEST(received_at, edited_at))::float8 AS waited,"
    " EXISTS (SELECT FROM messages other WHERE other.thread = messages.thread"
    " AND (other.status IN ('waiting', 'answering') OR other.status = 'gone'"
    " AND other.ended_at IS NULL) AND other.id <> messages.id) AS more,"
    " EXISTS (SELECT FROM workspaces WHERE workspaces.team_id = messages.team_id"
    f" AND {AWAY}) AS unserved"
)
_MESSAGE: LiteralString = "team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s"
# Of a message that waits, of one that is `again` to be answered, and of one with stored texts.
_EDIT: LiteralString = (
    f"WITH old AS (SELECT id, {OPEN} AS open, formed_at IS NOT NULL AS formed,"
    f" COALESCE({OPEN} AND message->>'text' <> %(text)s, false) AS waits,"
    " %(message)s::jsonb IS NOT NULL AND event_id <> %(event)s AND reply_ts <> '{}'"
    " AND status IN ('answered', 'stopped', 'failed')"
    " AND received_at > now() - interval '1 day' AS again,"
    " (question <> '' OR words <> '') AND (question, words) <> (%(question)s, %(words)s)"
    " AS reworded,"
    " audience = %(public)s AND NOT EXISTS (SELECT FROM conversations c WHERE c.team_id ="
    " messages.team_id AND c.channel_id = messages.channel_id AND c.audience = messages.audience)"
    f" AS narrower FROM messages WHERE {_MESSAGE} AND changed_ts <= %(changed)s FOR UPDATE)"
    " UPDATE messages SET changed_ts = %(changed)s,"
    " event_id = CASE WHEN open OR again THEN %(event)s ELSE event_id END,"
    " message = CASE WHEN again THEN %(message)s::jsonb"
    " ELSE jsonb_set(message, '{text}', to_jsonb(%(text)s::text)) END,"
    " status = CASE WHEN again THEN 'waiting' ELSE status END,"
    " revision = revision + (waits OR again)::int,"
    " interrupted = interrupted AND NOT (waits OR again),"
    " edited_at = CASE WHEN waits OR again OR reworded THEN now() ELSE edited_at END,"
    " due_at = CASE WHEN again THEN now() ELSE due_at END,"
    " failures = CASE WHEN again THEN 0 ELSE failures END,"
    " crashes = CASE WHEN again THEN 0 ELSE crashes END,"
    " question = CASE WHEN reworded THEN %(question)s ELSE question END,"
    " words = CASE WHEN reworded THEN %(words)s ELSE words END,"
    " formed_at = CASE WHEN NOT reworded THEN formed_at END,"
    # What was said in public belongs to its channel alone if that is not known to be public now.
    " audience = CASE WHEN reworded AND narrower THEN channel_id ELSE audience END"
    " FROM old WHERE messages.id = old.id"
    " RETURNING messages.id, user_id, audience, formed, reworded"
)
_WITHDRAW: LiteralString = (
    f"WITH old AS (SELECT id, formed_at IS NOT NULL AS formed, question <> '' OR words <> ''"
    f" AS reworded FROM messages WHERE {_MESSAGE} FOR UPDATE)"
    " UPDATE messages SET changed_ts = GREATEST(changed_ts, %(changed)s), question = '',"
    " words = '',"
    f" status = CASE WHEN {OPEN} THEN 'gone' ELSE status END,"
    " message = NULL, interrupted = true, due_at = now(), ended_at = CASE status"
    " WHEN 'answering' THEN NULL WHEN 'waiting' THEN now() ELSE ended_at END"
    " FROM old WHERE messages.id = old.id"
    " RETURNING messages.id, user_id, audience, formed, reworded"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChange:
    """An edit of a message, or with `text` None its deletion, as Slack's event tells it.

    `author` wrote the message; "" where Slack does not say who. `event_id` and `changed_ts` are the
    id and the ts of the event. `again` is the edited message, if it is one to answer.
    """

    team_id: str
    channel_id: str
    ts: str
    thread: str
    author: str
    text: str | None
    event_id: str
    changed_ts: str
    again: Message | None = None


class Inbox:
    """The rows of `messages` that are received, claimed, changed and given up."""

    def __init__(self, pool: Pool, threads: RunningThreads) -> None:
        self._pool = pool
        self.threads = threads
        self._begun: dict[str, ClaimedMessage] = {}

    @step("inbox")
    async def store(self, message: Message, *, edited: bool = False) -> bool:
        """Store a message, in one statement; return whether it did.

        Its turn begins at once in this process if there is a place for it, nothing of its thread
        waits or is answered, and fewer than `PERSON_AT_ONCE` messages of its person are. Otherwise
        it waits for the next place in any process.

        A message is not stored if it is already known: the same (team, channel, ts), as for a
        mention that comes both as ``message`` and ``app_mention``. Nor is one that does not address
        the bot, except in a thread in which its author has asked the bot, and the bot was asked or
        answered in the last 30 minutes. `edited`: its edit came first; it must be newer than the
        bot's part in the thread. Raises `psycopg.OperationalError`.
        """
        values = {**_values(message), "before": message.ts if edited else _AT_ANY_TIME}
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
                        id=row["id"], message=message, more=False, unserved=row["unserved"]
                    )
        return bool(stored)

    async def _store(
        self, statement: LiteralString, message: Message, values: dict[str, Any]
    ) -> list[DictRow]:
        return await execute_statement(
            self._pool,
            statement,
            values,
            scope={THREAD_SETTING: message.thread, PERSON_SETTING: message.person.scope},
            prepare=True,
        )

    async def store_withdrawn(self, message: Message) -> None:
        """Record a message that was deleted before its delivery, so that it is never answered."""
        await execute_statement(
            self._pool,
            _STORE_WITHDRAWN,
            _values(message),
            scope={THREAD_SETTING: message.thread},
        )

    @step("claim")
    async def claim(self, thread: str) -> ClaimedMessage | None:
        """Return the oldest message of `thread` that waits, and count the attempt at it.

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

    async def change(
        self, connection: AsyncConnection[DictRow], change: MessageChange, question: str, words: str
    ) -> DictRow | None:
        """Edit or withdraw a message, in one statement in a transaction of its thread.

        One that waits or is being answered gets the edited text; one that was received in the last
        day and answered is answered `again`. Stored texts become `question` and `words`. A deleted
        one is not answered, or its answer ends and is deleted; its texts are blanked. An event that
        is older than the newest one of its message, or comes again, changes nothing.

        Returns the row's id, user_id and audience, whether memories were `formed` from it, and
        whether its texts were `reworded`; None where nothing is to be changed.
        """
        values = {"message": None, **(_values(change.again) if change.again else {})}
        found = await connection.execute(
            _WITHDRAW if change.text is None else _EDIT,
            {
                **values,
                "team": change.team_id,
                "channel": change.channel_id,
                "ts": change.ts,
                "event": change.event_id,
                "changed": change.changed_ts,
                "text": change.text,
                "question": question,
                "words": words,
                "public": PUBLIC,
            },
        )
        return await found.fetchone()

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
        async with transaction(self._pool, {THREAD_SETTING: claimed.message.thread}) as connection:
            await finish(connection, claimed, status)


def _values(message: Message) -> dict[str, Any]:
    return {
        **key_of(message),
        "before": _AT_ANY_TIME,
        "since": f"{float(message.ts) - _FOLLOWED_SECONDS:.6f}",
        "audience": message.audience,
        "addressed": message.addressed,
        "message": Jsonb(asdict(message)),
    }
