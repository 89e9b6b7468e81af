"""The database of operator commands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from psycopg import OperationalError
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable

from bot.config import Settings
from bot.queue.migrations import migrations
from bot.runtime.database import database
from bot.runtime.problem import Problem, cannot_connect
from memory import Pool, check_access, check_database, create_pool

T = TypeVar("T")


def in_database(settings: Settings, work: Callable[[Pool], Awaitable[T]]) -> T:
    """Return the result of `work` with the database of `settings`. Raises `Problem`."""

    async def go() -> T:
        async with operators_pool(settings) as pool:
            return await work(pool)

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
