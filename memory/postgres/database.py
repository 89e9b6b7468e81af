"""Connection pool, transactions with role and row-level-security context, outage detection."""

from __future__ import annotations

import asyncio
import math
import os
import select
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any, LiteralString
from weakref import WeakSet, WeakValueDictionary

import psycopg
from psycopg import AsyncClientCursor, AsyncConnection, AsyncCursor
from psycopg.abc import Params
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from memory.model.errors import Overtaken
from memory.model.namespace import Person
from memory.postgres.statements import load_statements

_SQL = load_statements("memory", "transactions")

APP_ROLE: LiteralString = "kioku_app"
PERSON_SETTINGS = ("kioku.team", "kioku.user")  # those of `Person.settings`
# Seconds after which PostgreSQL ends a transaction that sends nothing, so that a suspended process
# does not keep its locks. A transaction with a higher limit of its own gets that instead.
IDLE_SECONDS = 15
_IDLE_SETTING = "idle_in_transaction_session_timeout"
# PostgreSQL continues a statement whose client has given up, so it gets the same limit plus a
# second.
_STATEMENT_SETTING = "statement_timeout"
# Connections of one pool that one person may use at the same time, including those that wait for
# a row.
PERSON_CONNECTIONS = 3
CONNECT_SECONDS = 60
"""How long a new connection is waited for: a database that resumes from a pause, as Aurora does,
takes 30 seconds."""
ANSWER_SECONDS = 20.0
"""How long the answer to a statement is waited for. PostgreSQL gives a lock back that a suspended
process holds after `IDLE_SECONDS`."""

# Connect to a server that accepts writes, and detect a lost peer within seconds.
_CONNECTING = {
    "client_encoding": "UTF8",
    "target_session_attrs": "read-write",
    "connect_timeout": str(CONNECT_SECONDS),
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
# Seconds during which the pool doubles its delay between attempts; then it starts again at zero.
_RECONNECT_SECONDS = 3.0
_ATTEMPTS = 5  # at one statement
_GRACE_SECONDS = 0.1
# Executions after which psycopg prepares a statement that was not executed with ``prepare=True``:
# never, because a generic plan reads far too much for a person who has many memories.
_ON_REQUEST = sys.maxsize
# Parameters that PostgreSQL reports on each connection; "on" means it accepts no writes.
_READ_ONLY_SIGNS = (b"in_hot_standby", b"default_transaction_read_only")

# SQLSTATEs of operational errors that a retry does not solve: program limit exceeded, cancelled.
_LASTING = ("54", "57014")
# Temporary errors that psycopg does not class as operational: a failover, a suspended process.
_PASSING = (
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
)

_timeout: ContextVar[float | None] = ContextVar("timeout of transactions", default=None)


class Connection(AsyncConnection[DictRow]):
    """A connection of a `Pool`, whose rows are dictionaries.

    A statement that PostgreSQL does not answer within `ANSWER_SECONDS`, or the longer time of a
    `transaction_timeout`, raises `psycopg.OperationalError`, and the connection is lost: a proxy
    may keep it open for ever.
    """

    async def wait(self, *arguments: Any, **named: Any) -> Any:
        """Wait for PostgreSQL, for whose notifications there is no limit."""
        seconds = max(ANSWER_SECONDS, _timeout.get() or 0.0)
        end = asyncio.get_running_loop().time() + seconds
        with _shut_down_at(end, self, if_asked=True):
            return await super().wait(*arguments, **named)

    def shut_down(self) -> None:
        """Let whoever waits for PostgreSQL get an error at once, as do all who come later.

        A cancel request would wait for the server.
        """
        with (
            suppress(OSError, psycopg.OperationalError),
            socket.socket(fileno=os.dup(self.pgconn.socket)) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)


class Pool(AsyncConnectionPool[Connection]):
    """A pool of connections whose rows are dictionaries.

    Tasks wait for their turn in front of it, without a connection: only one of the tasks that need
    the same person's lock has a connection, and one person uses at most `PERSON_CONNECTIONS`. A
    semaphore exists while a task holds it or waits for it.
    """

    @cached_property
    def connections(self) -> WeakSet[Connection]:
        """The connections that are open, idle and in use."""
        return WeakSet()

    def begin_again(self) -> None:
        """Shut down all connections: what waits for one ends with an error; new ones are made."""
        for connection in self.connections:
            connection.shut_down()

    @cached_property
    def writers(self) -> WeakValueDictionary[str, asyncio.Semaphore]:
        """The place of the task that holds a lock in PostgreSQL, or waits for it there."""
        return WeakValueDictionary()

    @cached_property
    def shares(self) -> WeakValueDictionary[str, asyncio.Semaphore]:
        """The places of tasks that have a connection for a person."""
        return WeakValueDictionary()


async def _configure(pool: Pool, connection: Connection) -> None:
    pool.connections.add(connection)
    await connection.set_autocommit(True)
    [row] = await fetch_rows(connection, _SQL["begin_session"])
    # A pooler reports a process id of its own: the next transaction may use another connection to
    # PostgreSQL, which does not know statements prepared on this one.
    if row["pid"] == connection.info.backend_pid:
        connection.prepare_threshold = _ON_REQUEST


def with_usual_options(conninfo: str) -> str:
    """Return `conninfo` with the usual connection options that it does not set itself."""
    given = conninfo_to_dict(conninfo)
    usual = {name: value for name, value in _CONNECTING.items() if name not in given}
    return make_conninfo(conninfo, **usual)


def create_pool(
    conninfo: str,
    *,
    min_size: int = 2,
    max_size: int = 10,
    timeout: float = CONNECT_SECONDS,
) -> Pool:
    """Return a closed pool of connections of the user in `conninfo`.

    Only within `transaction` do they have the application's role; outside of it they have the
    user's own rights, and the serving login has none on people's tables. `timeout` is in seconds.
    LangGraph and procrastinate need the row factory and autocommit. Only statements executed with
    ``prepare=True`` are prepared, and none behind a pooler such as PgBouncer. Connection options in
    `conninfo` override the defaults.
    """

    async def check(connection: Connection) -> None:
        if not _is_usable(connection):
            await connection.close()
            await pool.check()  # a restart of PostgreSQL closes the others as well
            raise psycopg.OperationalError("The connection was lost while it was idle.")

    async def configure(connection: Connection) -> None:
        await _configure(pool, connection)

    pool = Pool(
        with_usual_options(conninfo),
        connection_class=Connection,
        open=False,
        configure=configure,
        check=check,
        kwargs={"row_factory": dict_row, "prepare_threshold": None},
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        reconnect_timeout=_RECONNECT_SECONDS,
        reconnect_failed=Pool.check,
    )
    return pool


def _is_usable(connection: Connection) -> bool:
    """Return whether an idle connection is open and accepts writes; sends nothing.

    Also returns False in pipeline mode, which psycopg 3.3 does not leave if the task is cancelled
    while entering it.
    """
    if connection.closed or connection.pgconn.pipeline_status != PipelineStatus.OFF:
        return False
    arrived = select.poll()
    arrived.register(connection.pgconn.socket, select.POLLIN)
    try:
        while arrived.poll(0):
            connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    connection.pgconn.is_busy()  # reads parameters from what has arrived
    return not any(
        connection.pgconn.parameter_status(sign) == b"on" for sign in _READ_ONLY_SIGNS
    )


def is_unavailable(error: BaseException | None) -> bool:
    """Return whether an error is temporary: PostgreSQL is unreachable, full, read-only or busy."""
    if isinstance(error, psycopg.OperationalError):
        return not (error.sqlstate or "").startswith(_LASTING)
    return isinstance(error, _PASSING)


@contextmanager
def transaction_timeout(seconds: float) -> Iterator[None]:
    """Limit each transaction begun in this block to `seconds`.

    Use it for work that a user is waiting for. The time is from the wait for a connection to the
    end of the commit. After it the transaction raises `psycopg.OperationalError`, even if
    PostgreSQL has stopped answering.
    """
    token = _timeout.set(seconds)
    try:
        yield
    finally:
        _timeout.reset(token)


@asynccontextmanager
async def take_connection(
    pool: Pool, scope: Mapping[str, str] = {}, *, lock: str = ""
) -> AsyncIterator[Connection]:
    """Take a connection of the login from the pool, for the seconds of `transaction_timeout`.

    The task first waits in front of the pool for the place of `lock`, then for one of those that
    share `scope`. At the timeout the connection is shut down.
    """
    loop = asyncio.get_running_loop()
    seconds = _timeout.get()
    end = None if seconds is None else loop.time() + seconds
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout_at(end):
                await _take_places(pool, scope, lock, held)
        except TimeoutError:
            raise PoolTimeout("The person's other work did not end in time.") from None
        left: float | None = None
        if end is not None:
            left = max(0.0, end - loop.time())
        connection = await pool.getconn(left)
        held.push_async_callback(pool.putconn, connection)
        if end is not None:
            held.enter_context(_shut_down_at(end, connection))
        try:
            yield connection
        except _PASSING as error:
            raise psycopg.OperationalError(
                "PostgreSQL accepts no writes, or the transaction was idle for too long."
            ) from error


async def _take_places(
    pool: Pool, scope: Mapping[str, str], lock: str, held: AsyncExitStack
) -> None:
    """Wait for the task's places in front of the pool; `held` gives them back."""
    if lock:
        place = pool.writers.setdefault(lock, asyncio.Semaphore(1))
        await held.enter_async_context(place)
    share = _share_of(scope)
    if share:
        places = asyncio.Semaphore(PERSON_CONNECTIONS)
        place = pool.shares.setdefault(share, places)
        await held.enter_async_context(place)


@contextmanager
def _shut_down_at(
    end: float, connection: Connection, *, if_asked: bool = False
) -> Iterator[None]:
    """Shut a connection down at `end`, by the event loop's clock, if this block has not ended.

    `if_asked`: only if a statement is under way. If the event loop was blocked, pending input is
    read first.
    """
    loop = asyncio.get_running_loop()
    alarm: asyncio.TimerHandle

    def shut_down() -> None:
        is_asked = connection.pgconn.transaction_status == TransactionStatus.ACTIVE
        if is_asked or not if_asked:
            connection.shut_down()

    def expire() -> None:
        nonlocal alarm
        alarm = loop.call_later(_GRACE_SECONDS, shut_down)

    alarm = loop.call_at(end, expire)
    try:
        yield
    finally:
        alarm.cancel()


async def begin(
    connection: Connection,
    scope: Mapping[str, str] = {},
    *,
    lock: str = "",
    shared: bool = False,
) -> None:
    """Begin a transaction with the application's role, the settings of `scope` and a `lock`.

    Role, settings and lock end with the transaction. The lock is exclusive or `shared`. This takes
    one round trip, because a message without parameters may contain several statements: psycopg
    puts the values into the text.
    """
    values = {**_settings(scope), "lock": lock, "shared": shared}
    message = AsyncClientCursor(connection).mogrify(_SQL["begin"], values)
    await connection.execute(message.encode())


def _settings(scope: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the application's role and the settings of `scope` as parameters of a statement."""
    settings = {"role": APP_ROLE, **scope}
    return {"names": list(settings), "values": list(settings.values())}


def _share_of(scope: Mapping[str, str]) -> str:
    """Return whose share of the connections a scope uses: the person's, or else the thread's."""
    person = [scope[name] for name in PERSON_SETTINGS if name in scope]
    return ".".join(person or scope.values())


@asynccontextmanager
async def transaction(
    pool: Pool,
    scope: Mapping[str, str] = {},
    *,
    lock: str = "",
    shared: bool = False,
) -> AsyncIterator[Connection]:
    """Open a transaction with the application's role, the settings of `scope` and a `lock`.

    The connection has none of them before or after it. The lock, `Person.prefix`, is exclusive, or
    `shared`: then it waits until a running write of the person's memories has ended. Tasks of this
    process wait for it in turn, before they take a connection. `transaction_timeout` limits it.

    Raises `psycopg.OperationalError` if no connection is free in time, if PostgreSQL cannot be
    reached or accepts no writes, if the connection is lost (during the commit: the outcome is
    unknown), and if nothing was sent for `IDLE_SECONDS`, or for the timeout if that is longer.
    """
    limits = {_IDLE_SETTING: f"{IDLE_SECONDS}s"}
    timeout = _timeout.get()
    if timeout is not None:
        seconds = math.ceil(timeout)
        limits[_IDLE_SETTING] = f"{max(IDLE_SECONDS, seconds)}s"
        limits[_STATEMENT_SETTING] = f"{seconds + 1}s"
    async with take_connection(pool, scope, lock=lock) as connection:
        try:
            await begin(connection, {**limits, **scope}, lock=lock, shared=shared)
            yield connection
            await connection.commit()
        except BaseException:
            with suppress(psycopg.OperationalError):
                await connection.rollback()
            raise


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and its parameters.

    With `prepare` PostgreSQL parses and plans the statement once per connection; use it if the plan
    does not depend on the parameters. Text parameters are sent without a type: if the statement
    does not imply one, as in ``SELECT %s``, it needs a cast.
    """

    statement: LiteralString
    values: Params = ()
    prepare: bool = False


async def execute_statement(
    pool: Pool,
    statement: LiteralString,
    values: Params = (),
    *,
    scope: Mapping[str, str] = {},
    prepare: bool = False,
) -> list[DictRow]:
    """Execute one statement as `execute_queries` does; return its rows."""
    query = Query(statement, values, prepare=prepare)
    [rows] = await execute_queries(pool, [query], scope=scope)
    return rows


async def execute_queries(
    pool: Pool, queries: Sequence[Query], *, scope: Mapping[str, str]
) -> list[list[DictRow]]:
    """Execute statements, with the role and settings of `transaction`, as their own transaction.

    Returns the rows of each. Takes one round trip: PostgreSQL runs the statements of a pipeline as
    one transaction, and role and settings end with it. Raises as `transaction` does.
    """
    settings = _settings(scope)
    fault: Exception | None = None
    for _ in range(_ATTEMPTS):
        async with take_connection(pool, scope) as connection:
            try:
                return await _execute(connection, settings, queries)
            except (IndexError, psycopg.errors.FeatureNotSupported) as error:
                # Nothing is committed. psycopg 3.3 raises IndexError instead of the error of a
                # commit that failed before the pipeline was left; another attempt raises that
                # error. Otherwise an upgrade has changed a column of the prepared statement.
                await connection.close()
                fault = error
    raise psycopg.DatabaseError("The statement failed.") from fault


async def _execute(
    connection: Connection, settings: Mapping[str, object], queries: Sequence[Query]
) -> list[list[DictRow]]:
    """Execute statements with these settings in one pipeline; return the rows of each."""
    async with pipeline(connection):
        await connection.execute(_SQL["set"], settings, prepare=True)
        cursors = [await send_query(connection, query) for query in queries]
    return [await _rows(cursor) for cursor in cursors]


async def send_query(connection: Connection, query: Query) -> AsyncCursor[DictRow]:
    """Execute a query in the caller's transaction or pipeline."""
    return await connection.execute(
        query.statement, query.values, prepare=query.prepare
    )


async def _rows(cursor: AsyncCursor[DictRow]) -> list[DictRow]:
    if cursor.rownumber is None:  # the statement returns no rows
        return []
    return await cursor.fetchall()


async def fetch_rows(
    connection: Connection,
    statement: LiteralString,
    values: Params = (),
) -> list[DictRow]:
    """Execute one statement within the transaction of `connection`; return its rows."""
    cursor = await connection.execute(statement, values)
    return await cursor.fetchall()


@asynccontextmanager
async def pipeline(connection: Connection) -> AsyncIterator[None]:
    """Execute the statements in this block in one round trip; results can be fetched afterwards.

    Outside of a transaction the pipeline is one, committed at the end. An error at the end, such as
    one of a deferred trigger, and a cancellation are raised as they are; psycopg 3.3 would instead
    complain that pipeline mode cannot be left. A cancellation closes the connection, so that
    nothing is committed.
    """
    try:
        async with connection.pipeline():
            try:
                yield
            except asyncio.CancelledError:
                # psycopg would send what is queued, and PostgreSQL would commit it.
                await connection.close()
                raise
    except psycopg.OperationalError as error:
        left = (
            connection.closed or connection.pgconn.pipeline_status == PipelineStatus.OFF
        )
        if left or error.__context__ is None:
            raise
        raise error.__context__ from None


@dataclass(frozen=True, slots=True)
class PersonTransaction:
    """A transaction that can access the rows of one person only.

    Its statements have the person's `parameters` besides `values`. A value with the name of
    such a parameter raises TypeError.
    """

    connection: Connection
    person: Person

    async def execute(
        self, statement: LiteralString, values: Mapping[str, object] = {}
    ) -> AsyncCursor[DictRow]:
        """Execute one statement."""
        parameters = dict(**self.person.parameters, **values)
        return await self.connection.execute(statement, parameters)

    async def fetch(
        self, statement: LiteralString, values: Mapping[str, object] = {}
    ) -> list[DictRow]:
        """Execute one statement; return its rows."""
        cursor = await self.execute(statement, values)
        return await cursor.fetchall()


@asynccontextmanager
async def person_transaction(
    pool: Pool,
    person: Person,
    *,
    locked: bool = False,
    epoch: int | None = None,
    scope: Mapping[str, str] = {},
) -> AsyncIterator[PersonTransaction]:
    """Open a transaction that can access the rows of this person only, and what `scope` adds.

    Row-level security enforces this: see ``memory/schema.sql``. `locked`: other writers of the
    person's memories wait until it ends. With an `epoch`, which the person had before a model was
    asked, it is locked, too, and raises `Overtaken` if they have another one now.
    """
    lock = person.prefix if locked or epoch is not None else ""
    async with transaction(pool, {**person.settings, **scope}, lock=lock) as connection:
        of_person = PersonTransaction(connection, person)
        if epoch is not None:
            now = await of_person.fetch(_SQL["epoch"])
            if [row["epoch"] for row in now] != [epoch]:
                raise Overtaken("What may be stored about the person has changed.")
        yield of_person


async def person_statement(
    pool: Pool,
    person: Person,
    statement: LiteralString,
    values: Mapping[str, object] = {},
) -> list[DictRow]:
    """Execute one statement that can access the rows of this person only; return its rows.

    The statement has parameters as in a `PersonTransaction`. Raises as `execute_statement` does.
    """
    parameters = dict(**person.parameters, **values)
    return await execute_statement(pool, statement, parameters, scope=person.settings)
