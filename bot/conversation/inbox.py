"""The inbox: stores messages with the job that answers them, takes them, stops and ends them.

docs/explanation/one-message.md lists every change of a message's `status`.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias
from uuid import UUID

from psycopg import OperationalError
from psycopg.types.json import Jsonb

from bot.app import App
from bot.cancellation import Superseded
from bot.conversation.audiences import UNKNOWN, ConversationKind
from bot.conversation.run import Run
from bot.logs import fault
from bot.notices.notices import show_later
from bot.queue.queue import REPLIES, Queue
from bot.slack.messages import THREAD_SETTING, Message
from bot.slack.sessions import WAIT_SECONDS, Progress
from memory import Pool
from memory.metrics import step
from memory.postgres import (
    Connection,
    PersonTransaction,
    execute_statement,
    fetch_rows,
    load_statements,
    transaction,
    transaction_timeout,
)

log = logging.getLogger(__name__)

ANSWER = "answer"
"""The job that answers the messages of a thread; its lock is the thread."""
MAX_FAILURES = 5
"""After this many attempts that ended in an error, or with their process, the app apologises."""
MAX_FAILURES_WITH_APOLOGY = 2 * MAX_FAILURES
"""After this many the message is given up: the apology has as many attempts as the answer."""
_SQL = load_statements("bot.conversation", "inbox")
# Without a limit one mention would turn every later reply in the thread into a question.
_FOLLOWED_SECONDS = 30 * 60
# Stops, edits, deletions and lost messages are handled before anything else that waits.
_AT_ONCE = 1

Outcome: TypeAlias = Literal["answered", "failed", "stopped", "skipped"]
"""How a message ends; ``skipped``: no model was asked, and it counts for no quota."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMessage:
    """A stored message that a job has taken to answer it.

    `kind` is that of its conversation, which an attempt looks up. `failures`: attempts that ended
    in an error, with their process, or because the model failed for this message alone. `begun`: an
    earlier attempt began its turn; `replied`: one has posted something.
    `stopped`: the person pressed Stop before this attempt. `process_died`: the process of the
    previous attempt did. `waited`: seconds from its last edit, or from when it was written, to this
    attempt. `attempts`: how often the job ran before, perhaps for another message.
    """

    run: Run
    message: Message
    kind: ConversationKind = UNKNOWN
    attempts: int = 0
    failures: int = 0
    begun: bool = False
    replied: bool = False
    stopped: bool = False
    process_died: bool = False
    waited: float = 0.0

    @property
    def id(self) -> UUID:
        """The id of its row in `messages`."""
        return self.run.id


@step("inbox")
async def store_message(app: App, message: Message, *, missed: bool = False) -> bool:
    """Store a message and the job that answers it in one statement; return whether it did.

    A message is not stored if its (team, channel, ts) is already known, as when a mention comes
    both as ``message`` and ``app_mention``, or if its workspace has removed the app. One that does
    not address the bot is stored only if its author has asked the bot before in the thread, and
    the bot was asked or answered there in the last 30 minutes. The more messages of a person wait,
    the later their next ones begin. One that was `missed` is not stored if its author has been
    erased since. Raises `psycopg.OperationalError`.
    """
    values = {
        **_new_row(message),
        "message": message_body(message),
        "must_agree": app.settings.consent == "ask",
        "missed": missed,
        "queue": REPLIES,
        "task": ANSWER,
    }
    stored = await execute_statement(
        app.pool, _SQL["store"], values, scope=message.scope, prepare=True
    )
    return bool(stored)


async def add_brought(app: App, message: Message, event_ts: str) -> None:
    """Answer a message that waits with what it brings, if it was stored without that.

    Slack may leave files and forwarded messages out of ``app_mention``, which may come before the
    ``message`` event that has them. A message that a link leads to is added about a second later.
    What comes after the answer is not read, nor what an event of `event_ts` says that is older than
    the last edit.
    """
    scope = {THREAD_SETTING: message.thread}
    values = {
        **values_of(message),
        "message": message_body(message),
        "event_ts": event_ts,
    }
    async with transaction(app.pool, scope) as connection:
        waiting = await fetch_rows(connection, _SQL["add_brought"], values)
        if not waiting:
            return
        await answer_at_once(connection, app.queue, message.thread)
        if waiting[0]["is_taken"]:
            await app.queue.abort(connection, [message.thread])


async def store_withdrawn(app: App, message: Message) -> None:
    """Record a message that was deleted before its delivery, so that it is never answered."""
    scope = {THREAD_SETTING: message.thread}
    await execute_statement(
        app.pool, _SQL["store_deleted"], _new_row(message), scope=scope
    )


@step("claim")
async def take_message(
    app: App, thread: str, token: UUID, *, attempts: int = 0
) -> ClaimedMessage | None:
    """Take the oldest message of `thread` that is still to be answered, for a run.

    None if there is none. `attempts`: how often the job of the run ran before.
    """
    rows = await execute_statement(
        app.pool,
        _SQL["take"],
        {"thread": thread, "token": token},
        scope={THREAD_SETTING: thread},
        prepare=True,
    )
    if not rows:
        return None
    [row] = rows
    run = Run(app, row.pop("id"), token=token, thread=thread)
    message = Message(**row.pop("message"))
    return ClaimedMessage(run=run, message=message, attempts=attempts, **row)


async def stop_thread(app: App, thread: str, *, stopped_ts: str) -> bool:
    """End what is being answered in `thread`: the person pressed Stop.

    This includes a message that was begun and waits for the model. If nothing was begun in the
    thread, what waits there for its turn ends. `stopped_ts` is the ts of the event: a message
    written or edited later is answered. Returns whether anything was stopped.
    """
    async with transaction(app.pool, {THREAD_SETTING: thread}) as connection:
        values = {"thread": thread, "stopped_ts": stopped_ts}
        stopped = await connection.execute(_SQL["stop"], values)
        if not stopped.rowcount:
            return False
        await answer_at_once(connection, app.queue, thread)
        await app.queue.abort(connection, [thread])
    return True


async def release_message(
    app: App, claimed: ClaimedMessage, *, failed: bool = False
) -> None:
    """Record that this attempt ended without an answer; `failed`: with an error.

    Raises `Superseded` if the message is no longer this run's.
    """
    run = claimed.run
    values = {**run.ownership, "failed": failed}
    scope = {THREAD_SETTING: run.thread}
    if not await execute_statement(app.pool, _SQL["release"], values, scope=scope):
        raise Superseded


async def finish_without_turn(
    app: App, claimed: ClaimedMessage, status: Literal["skipped", "failed"]
) -> None:
    """Mark a message as handled without an answer. Raises `Superseded`.

    `failed`: it can be neither answered nor apologised for; a notice of what tools changed before
    that is shown now.
    """
    scope = {THREAD_SETTING: claimed.message.thread}
    lock = claimed.message.person.prefix
    async with transaction(app.pool, scope, lock=lock, shared=True) as connection:
        await finish(connection, claimed, status)
        if status == "failed":
            of_author = PersonTransaction(connection, claimed.message.person)
            await show_later(app, of_author, [claimed.id])


async def answer_at_once(connection: Connection, queue: Queue, thread: str) -> None:
    """Add the job that answers the messages of a thread, ahead of all that wait.

    The statement `store` of ``inbox.sql`` adds the same job for a new message.
    """
    jobs = {thread: {"thread": thread}}
    await queue.defer(connection, ANSWER, jobs, queue=REPLIES, priority=_AT_ONCE)


async def read_progress(pool: Pool, message: Message) -> Progress:
    """Return how far a message is; while PostgreSQL is away, it counts as waiting."""
    scope = {THREAD_SETTING: message.thread}
    statement = _SQL["progress"]
    try:
        with transaction_timeout(WAIT_SECONDS):
            found = await execute_statement(
                pool, statement, values_of(message), scope=scope
            )
    except OperationalError as error:
        log.info("whether a message waits could not be read: %s", fault(error))
        return "waiting"
    progress: Progress = found[0]["progress"] if found else "missing"
    return progress


async def finish(
    connection: Connection, claimed: ClaimedMessage, status: Outcome
) -> None:
    """Mark a message as handled and delete its body, in the transaction that ends its turn.

    The transaction shares the lock of the message's author, so it has waited for a running write of
    their memories, and sees its result. Raises `Superseded` where the message is no longer this
    run's: the turn must not end like this.
    """
    values = {**claimed.run.ownership, "status": status}
    finished = await connection.execute(_SQL["finish"], values, prepare=True)
    if not finished.rowcount:
        raise Superseded


def _new_row(message: Message) -> dict[str, Any]:
    """Return what identifies a message, and what decides whether it is stored."""
    since = f"{float(message.ts) - _FOLLOWED_SECONDS:.6f}"
    return {**values_of(message), "addressed": message.addressed, "since": since}


def message_body(message: Message) -> Jsonb:
    """Return the column `message` of a message's row: all its fields as JSON."""
    return Jsonb(asdict(message))


def values_of(message: Message) -> dict[str, Any]:
    """Return the columns of a message's row that identify it, its author and its conversation."""
    return {
        "team": message.team_id,
        "user": message.user_id,
        "channel": message.channel_id,
        "ts": message.ts,
        "thread": message.thread,
        "audience": message.audience,
    }
