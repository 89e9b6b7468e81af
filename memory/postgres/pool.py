"""The pool: connections that notice an outage, and whose turn it is to have one."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import cached_property
from typing import Any
from weakref import WeakSet, WeakValueDictionary

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from memory.postgres.statements import load_statements

_SQL = load_statements("memory", "transactions")

PERSON_SETTINGS = ("kioku.team", "kioku.user")  # those of `Person.settings`
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

time_limit: ContextVar[float | None] = ContextVar("time_limit", default=None)
"""The seconds of `transaction_timeout`."""


class Connection(AsyncConnection[DictRow]):
    """A connection of a `Pool`, whose rows are dictionaries.

    A statement that PostgreSQL does not answer within `ANSWER_SECONDS`, or the longer time of a
    `transaction_timeout`, raises `psycopg.OperationalError`, and the connection is lost: a proxy
    may keep it open for ever.
    """

    async def wait(self, *arguments: Any, **named: Any) -> Any:
        """Wait for PostgreSQL, for whose notifications there is no limit."""
        seconds = max(ANSWER_SECONDS, time_limit.get() or 0.0)
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
    def places(self) -> WeakValueDictionary[str, asyncio.Semaphore]:
        """The places in front of the pool: for each lock one, for each person some."""
        return WeakValueDictionary()


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
        pool.connections.add(connection)
        await connection.set_autocommit(True)
        session = await connection.execute(_SQL["begin_session"])
        [row] = await session.fetchall()
        # A pooler reports a process id of its own: the next transaction may use another connection
        # to PostgreSQL, which does not know statements prepared on this one.
        if row["pid"] == connection.info.backend_pid:
            connection.prepare_threshold = _ON_REQUEST

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
    token = time_limit.set(seconds)
    try:
        yield
    finally:
        time_limit.reset(token)


@asynccontextmanager
async def take_connection(
    pool: Pool, scope: Mapping[str, str] = {}, *, lock: str = ""
) -> AsyncIterator[Connection]:
    """Take a connection of the login from the pool, for the seconds of `transaction_timeout`.

    The task first waits in front of the pool for the place of `lock`, then for one of those that
    share `scope`. At the timeout the connection is shut down.
    """
    loop = asyncio.get_running_loop()
    seconds = time_limit.get()
    end = None if seconds is None else loop.time() + seconds
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout_at(end):
                if lock:
                    place = pool.places.setdefault(lock, asyncio.Semaphore(1))
                    await held.enter_async_context(place)
                person = [scope[name] for name in PERSON_SETTINGS if name in scope]
                # Without a person, the thread's messages have a share.
                share = ".".join(person or scope.values())
                if share:
                    places = asyncio.Semaphore(PERSON_CONNECTIONS)
                    place = pool.places.setdefault(share, places)
                    await held.enter_async_context(place)
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
