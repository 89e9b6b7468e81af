"""The parts of every operator command: database, record in `operator_actions`, confirmation."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, LiteralString, TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable

from bot.config import Settings
from bot.queue.migrations import migrations
from bot.runtime.database import database
from bot.runtime.problem import ArgumentProblem, Problem, cannot_connect
from memory import Pool, check_access, check_database, create_pool, execute_statement

T = TypeVar("T")
_RECORD: LiteralString = (
    "INSERT INTO operator_actions (operator, host, action, team_id, user_id, rows, outcome)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s)"
)


def in_database(
    settings: Settings,
    work: Callable[[Pool], Awaitable[T]],
    *,
    action: str = "",
    team: str = "*",
    user: str = "*",
) -> T:
    """Return the result of `work` with the database of `settings`. Raises `Problem`.

    A command with an `action` is recorded as failed if `work` raises; else `work` records it.
    """

    async def go() -> T:
        async with operators_pool(settings) as pool:
            try:
                return await work(pool)
            except BaseException:
                if action:
                    with contextlib.suppress(OperationalError):
                        await record(pool, action, 0, team, user, outcome="failed")
                raise

    return asyncio.run(go())


@asynccontextmanager
async def owner_required(command: str) -> AsyncIterator[None]:
    """Raise `Problem` for what PostgreSQL refuses to a command that needs the owner."""
    try:
        yield
    except OperationalError as error:
        raise cannot_connect(error) from None
    except (UndefinedTable, UndefinedColumn):
        raise Problem("The database is not up to date: run `kioku migrate`.") from None
    except InsufficientPrivilege:
        raise Problem(
            "This database user may not do that: write the address of the database's owner into"
            f" DATABASE_OWNER_URL, then run `kioku {command}`."
        ) from None


@asynccontextmanager
async def operators_pool(settings: Settings) -> AsyncIterator[Pool]:
    """Open a small pool on a database that is set up. Raises `Problem`."""
    async with contextlib.AsyncExitStack() as stack:
        conninfo = (await stack.enter_async_context(database(settings, beside=True))).login
        pool = create_pool(conninfo, min_size=1, max_size=2)
        try:
            await check_access(conninfo)
            stack.push_async_callback(pool.close)
            await pool.open()
            await check_database(pool, None, migrations())
        except OperationalError as error:
            raise cannot_connect(error) from None
        yield pool


async def record(
    where: AsyncConnection[Any] | Pool,
    action: str,
    rows: int,
    team: str = "*",
    user: str = "*",
    *,
    outcome: Literal["done", "failed"] = "done",
) -> None:
    """Write into `operator_actions` who ran a command where, and how many rows it concerned."""
    values = (operator(), socket.gethostname(), action, team, user, rows, outcome)
    if isinstance(where, Pool):
        await execute_statement(where, _RECORD, values)
    else:
        await where.execute(_RECORD, values)


async def record_as_owner(
    address: str, action: str, rows: int, *, outcome: Literal["done", "failed"] = "done"
) -> None:
    """Record a command that works as the database's owner, at this address."""
    async with await AsyncConnection.connect(address) as owner:
        await record(owner, action, rows, outcome=outcome)


def operator() -> str:
    """Return who runs this command, as the machine names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that the machine has no name for
        return f"uid {os.getuid()}"


def require_workspace(team: str) -> None:
    """Raise `ArgumentProblem` if `team` is no id of a workspace or an organisation."""
    if not re.fullmatch(r"[TE][A-Z0-9]{2,}", team):
        raise ArgumentProblem(
            "--team is a workspace's id, such as T0123ABCD: it is in the address of Slack in a"
            " browser, after /client/."
        )


def confirm(typed_id: str, to_do: str, otherwise: str) -> None:
    """Ask the operator to type an id again. Raises `Problem` if they do not."""
    try:
        typed = input(f"Type {typed_id} to {to_do}: ").strip()
    except EOFError:  # standard input is closed
        typed = ""
    if typed != typed_id:
        raise Problem(f"{otherwise}: the id was not typed again. (--yes does without.)")
