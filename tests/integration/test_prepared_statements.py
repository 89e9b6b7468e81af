"""Statements that PostgreSQL prepares once per connection, and poolers, which cannot keep them."""

from __future__ import annotations

import asyncio
import struct

import pytest
from psycopg.rows import DictRow

from bench.wire import counted, message
from memory import Pool, create_pool
from memory.postgres import execute_statement
from tests.databases import login_of

_COUNT = "SELECT count(*) AS n FROM store WHERE key = %s"
_PREPARED = "SELECT statement FROM pg_prepared_statements"
_KEY_DATA = b"K"


async def _rename(reader: asyncio.StreamReader) -> bytes:
    """Read PostgreSQL's next message, its process ids replaced as PgBouncer does.

    PgBouncer announces such ids, because they name its clients: see ``cancel_key`` in its
    ``src/client.c``, and BackendKeyData in PostgreSQL's "Message Formats".
    """
    data = await message(reader)
    renamed = data[:5] + struct.pack("!I", 1_000_000) + data[9:]
    return renamed if data[:1] == _KEY_DATA else data


async def prepared(pool: Pool) -> list[str]:
    """Count memories twice in each way; return which statements are prepared then."""
    for key in ("one", "two"):
        await execute_statement(pool, _COUNT, (key,))
        rows: list[DictRow] = await execute_statement(
            pool, f"{_COUNT} OR false", (key,), prepare=True
        )
        assert rows == [{"n": 0}]
    async with pool.connection() as connection:
        found = await connection.execute(_PREPARED)
        return sorted(row["statement"] for row in await found.fetchall())


async def test_only_what_is_asked_for_is_prepared(database: str) -> None:
    """The settings of a transaction are, and statements whose plan suits any parameters."""
    async with create_pool(login_of(database), min_size=1, max_size=1) as pool:
        assert await prepared(pool) == [
            "SELECT count(*) AS n FROM store WHERE key = $1 OR false",
            "SELECT set_config(name, value, true)\n"
            "FROM unnest($1::text[], $2::text[]) AS setting (name, value)",
        ]


async def test_nothing_is_prepared_behind_a_pooler(
    database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The next transaction may have another connection to PostgreSQL, which knows none of it."""
    folder = tmp_path_factory.mktemp("p") / "s"
    async with (
        counted(login_of(database), folder, _rename) as (address, _),
        create_pool(address, min_size=1, max_size=1) as pool,
    ):
        assert await prepared(pool) == []
