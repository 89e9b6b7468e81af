"""The pool, transactions with role and row-level-security context, and PostgreSQL's outages."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg import AsyncClientCursor, AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from memory.model.namespace import Person
from memory.postgres.rotation import Conninfo, connection_class

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[DictRow]]
APP_ROLE: LiteralString = "kioku_app"
_AS_APP: LiteralString = f"SELECT set_config('role', '{APP_ROLE}', true); "
PERSON_SETTING = "kioku.person"

# A PostgreSQL that takes no writes is not the one to talk to; a peer that has vanished without a
# word is noticed within seconds; a paused one takes its time to answer.
_CONNECTING = {
    "target_session_attrs": "read-write",
    "connect_timeout": "20",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
# The pool waits ever longer from one attempt to the next, for so many seconds; then it begins anew.
_RECONNECT_SECONDS = 3.0
_GRACE_SECONDS = 0.1
# What PostgreSQL reports of itself, without being asked, where it takes no writes.
_READ_ONLY_SIGNS = (b"in_hot_standby", b"default_transaction_read_only")

# Operational errors that come again: a limit of PostgreSQL's is exceeded, a query was cancelled.
_LASTING = ("54", "57014")

_patience: ContextVar[float | None] = ContextVar("patience", default=None)


class DatabaseReadOnly(psycopg.OperationalError):
    """PostgreSQL takes no writes just now: it failed over, or ran out of space. Try again."""


class OutcomeUnknown(psycopg.OperationalError):
    """The connection was lost during the commit: the transaction may or may not have been made."""


class _WritablePool(AsyncConnectionPool[AsyncConnection[DictRow]]):
    """Keeps no connection to a PostgreSQL that takes no writes."""

    async def putconn(self, conn: AsyncConnection[DictRow]) -> None:
        if not conn.closed and any(
            conn.pgconn.parameter_status(sign) == b"on" for sign in _READ_ONLY_SIGNS
        ):
            await conn.close()
        await super().putconn(conn)


async def _configure(connection: AsyncConnection[DictRow]) -> None:
    await connection.set_autocommit(True)


async def _try_on(pool: AsyncConnectionPool[Any]) -> None:
    await pool.check()


def create_pool(
    conninfo: Conninfo,
    *,
    min_size: int = 2,
    max_size: int = 10,
    timeout: float = 30.0,
    max_idle: float = 600.0,
) -> Pool:
    """Return a closed pool of connections that act as the user of `conninfo`.

    They act as the application's role within `transaction` only; outside of one they have that
    user's own rights, and a user that serves has none on a table of people. `timeout` and
    `max_idle` are seconds. The row factory, autocommit by `configure` and the absence of prepared
    statements are what LangGraph, procrastinate and PgBouncer agree on. Connection options in
    `conninfo` override the defaults here.
    """
    address = conninfo if isinstance(conninfo, str) else ""
    given = conninfo_to_dict(address)
    usual = {name: value for name, value in _CONNECTING.items() if name not in given}
    return _WritablePool(
        address,
        open=False,
        configure=_configure,
        kwargs={"row_factory": dict_row, "prepare_threshold": None, **usual},
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        max_idle=max_idle,
        reconnect_timeout=_RECONNECT_SECONDS,
        reconnect_failed=_try_on,
        connection_class=connection_class(conninfo),
    )


def is_away(error: BaseException | None) -> bool:
    """Say whether this is PostgreSQL being away, full, read-only or busy: it passes by itself."""
    if isinstance(error, psycopg.OperationalError):
        return not (error.sqlstate or "").startswith(_LASTING)
    return isinstance(error, psycopg.errors.ReadOnlySqlTransaction)


@contextmanager
def impatiently(seconds: float) -> Iterator[None]:
    """Give each transaction begun here so many seconds, unless it says otherwise itself.

    For what somebody waits for: it raises `psycopg.OperationalError` when the time is over, even
    where PostgreSQL has stopped answering in the middle.
    """
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


class _Alarm:
    """Hangs up when the time is over; what a loop that stood still has missed is heard first."""

    def __init__(self, connection: AsyncConnection[DictRow], end: float) -> None:
        self._connection = connection
        self._handle = asyncio.get_running_loop().call_at(end, self._ring)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(_GRACE_SECONDS, _hang_up, self._connection)

    def cancel(self) -> None:
        self._handle.cancel()


def _hang_up(connection: AsyncConnection[DictRow]) -> None:
    # Whoever waits for an answer gets an error at once; a cancellation would wait for the server.
    with (
        suppress(OSError, psycopg.OperationalError),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


@asynccontextmanager
async def _begun(
    pool: Pool, scope: Mapping[str, str], wait: float | None
) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Lend a connection with a transaction begun in `scope`, for `wait` seconds if given."""
    loop = asyncio.get_running_loop()
    end = None if wait is None else loop.time() + wait
    # A restart of PostgreSQL leaves dead connections in the pool; the first BEGIN finds out.
    for spare in range(pool.max_size, -1, -1):
        connection = await pool.getconn(None if end is None else max(end - loop.time(), 0.0))
        alarm = None if end is None else _Alarm(connection, end)
        try:
            try:
                await connection.execute(begin(*scope.items()))
            except psycopg.OperationalError:
                if spare and (end is None or loop.time() < end):
                    continue
                raise
            yield connection
            return
        finally:
            if alarm is not None:
                alarm.cancel()
            await pool.putconn(connection)


@lru_cache(maxsize=128)
def begin(*scope: tuple[str, str]) -> bytes:
    """Return one message that begins a transaction as the application's role, with these settings.

    Role and settings hold until the transaction's end, however it comes. Without parameters of its
    own a message may hold several statements: this takes one round trip.
    """
    settings = [
        sql.SQL("set_config({}, {}, true)").format(name, value)
        for name, value in (("role", APP_ROLE), *scope)
    ]
    return (sql.SQL("BEGIN; SELECT ") + sql.SQL(", ").join(settings)).as_bytes(None)


@asynccontextmanager
async def transaction(
    pool: Pool, scope: dict[str, str] | None = None, *, wait: float | None = None
) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Open a transaction as the application's role, in which each setting of `scope` holds.

    Before and after it the connection has neither.
    `wait` bounds it, in seconds, from the wait for a connection to the end of the commit. Raises
    `psycopg_pool.PoolTimeout` when no connection comes free, `DatabaseReadOnly`, `OutcomeUnknown`,
    and `psycopg.OperationalError` when PostgreSQL cannot be reached.
    """
    wait = _patience.get() if wait is None else wait
    async with _begun(pool, scope or {}, wait) as connection:
        try:
            yield connection
            await _commit(connection)
        except BaseException as error:
            with suppress(psycopg.OperationalError):
                await connection.rollback()
            if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                raise DatabaseReadOnly("PostgreSQL takes no writes just now.") from error
            raise


async def _commit(connection: AsyncConnection[DictRow]) -> None:
    try:
        await connection.commit()
    except psycopg.OperationalError as lost:
        if not connection.broken:
            raise
        raise OutcomeUnknown("The connection was lost during the commit.") from lost


async def execute_alone(
    pool: Pool, statement: LiteralString, values: Mapping[str, object], *, wait: float
) -> list[DictRow]:
    """Execute one statement as the application's role, in a transaction of its own.

    Returns its rows. One message and one round trip: PostgreSQL runs the statements of a message as
    one transaction. `wait` (seconds) bounds the wait for a connection. Raises
    `psycopg_pool.PoolTimeout` and `psycopg.Error`.
    """
    async with pool.connection(wait) as connection:
        cursor = AsyncClientCursor(connection, row_factory=dict_row)
        await cursor.execute(_AS_APP + statement, values)
        cursor.nextset()
        return await cursor.fetchall() if cursor.description else []


@asynccontextmanager
async def person_transaction(
    pool: Pool, person: Person, *, wait: float | None = None
) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Open a transaction that can reach this person's rows and nobody else's.

    Row-level security does the keeping apart: see ``memory/migrations``.
    """
    async with transaction(pool, {PERSON_SETTING: person.scope}, wait=wait) as connection:
        yield connection


__all__ = [
    "APP_ROLE",
    "PERSON_SETTING",
    "DatabaseReadOnly",
    "OutcomeUnknown",
    "Pool",
    "PoolTimeout",
    "begin",
    "create_pool",
    "execute_alone",
    "impatiently",
    "is_away",
    "person_transaction",
    "transaction",
]
