"""Transactions with role and row-level-security context, and statements as such transactions."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import LiteralString, TypeVar

import psycopg
from psycopg import AsyncClientCursor, AsyncCursor
from psycopg.abc import Params
from psycopg.pq import PipelineStatus
from psycopg.rows import DictRow

from memory.model.errors import Overtaken
from memory.model.namespace import Person
from memory.postgres.pool import (
    Connection as Connection,
)
from memory.postgres.pool import (
    Pool as Pool,
)
from memory.postgres.pool import (
    take_connection,
    time_limit,
)
from memory.postgres.statements import load_statements

_SQL = load_statements("memory", "transactions")

APP_ROLE: LiteralString = "kioku_app"
# Seconds after which PostgreSQL ends a transaction that sends nothing, so that a suspended process
# does not keep its locks. A transaction with a higher limit of its own gets that instead.
IDLE_SECONDS = 15
_IDLE_SETTING = "idle_in_transaction_session_timeout"
# PostgreSQL continues a statement whose client has given up, so it gets the same limit plus a
# second.
_STATEMENT_SETTING = "statement_timeout"
_ATTEMPTS = 5  # at one statement
ROWS_AT_ONCE = 500

_Item = TypeVar("_Item")


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
    timeout = time_limit.get()
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
                async with pipeline(connection):
                    await connection.execute(_SQL["set"], settings, prepare=True)
                    cursors = []
                    for query in queries:
                        cursor = await connection.execute(
                            query.statement, query.values, prepare=query.prepare
                        )
                        cursors.append(cursor)
                found: list[list[DictRow]] = []
                for cursor in cursors:
                    rows: list[DictRow] = []
                    if cursor.rownumber is not None:  # else it returns no rows
                        rows = await cursor.fetchall()
                    found.append(rows)
            except (IndexError, psycopg.errors.FeatureNotSupported) as error:
                # Nothing is committed. psycopg 3.3 raises IndexError instead of the error of a
                # commit that failed before the pipeline was left; another attempt raises that
                # error. Otherwise an upgrade has changed a column of the prepared statement.
                await connection.close()
                fault = error
            else:
                return found
    raise psycopg.DatabaseError("The statement failed.") from fault


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
        """Execute one statement; return its rows.

        Other tasks go on while many rows are converted.
        """
        cursor = await self.execute(statement, values)
        part = await cursor.fetchmany(ROWS_AT_ONCE)
        rows = [*part]
        while len(part) == ROWS_AT_ONCE:
            await asyncio.sleep(0)
            part = await cursor.fetchmany(ROWS_AT_ONCE)
            rows += part
        return rows


async def with_pauses(items: Iterable[_Item], every: int = 1) -> AsyncIterator[_Item]:
    """Yield items; after so many of them other tasks go on.

    A person may have said much, and what takes long for one would hold up everybody's answers.
    """
    for number, item in enumerate(items, start=1):
        yield item
        if number % every == 0:
            await asyncio.sleep(0)


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
