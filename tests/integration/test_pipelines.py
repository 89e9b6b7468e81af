"""A statement and the settings it runs with are one pipeline; what is asked for is prepared."""

from __future__ import annotations

import asyncio
import struct

import psycopg
import pytest
from psycopg.rows import DictRow

from bench.wire import counted, message
from memory import Person, Pool, create_pool
from memory.postgres import execute_statement, person_statement, transaction
from tests.databases import login_of, owner_rows

_COUNT = "SELECT count(*) AS n FROM store WHERE key = %s"
_FAILS_AT_THE_COMMIT = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'unique_violation'; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON person_settings
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
"""
_WAITS_AT_THE_COMMIT = """
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON person_settings
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
"""
ANN = Person("T1", "U1")


async def write(pool: Pool) -> bool:
    """Write a row of ANN's in one statement."""
    statement = (
        "INSERT INTO person_settings (team_id, user_id) VALUES ('T1', 'U1') RETURNING 1"
    )
    return bool(await person_statement(pool, ANN, statement))


async def works(pool: Pool) -> bool:
    """Return whether the pool's connection takes a transaction and finds nothing written."""
    async with transaction(pool) as connection:
        await connection.execute(_COUNT, ("one",))
    return await execute_statement(pool, _COUNT, ("one",)) == [{"n": 0}]


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let psycopg give way to other tasks at each step, as it does on a busy event loop.

    That is where an operation that does not wait for PostgreSQL can be cancelled.
    """
    monkeypatch.setattr("psycopg.waiting.MAX_BUSY_TIME", -1.0)


@pytest.mark.usefixtures("busy")
async def test_a_statement_is_cancelled_at_any_point(database: str) -> None:
    """The next transaction on the pool's only connection works."""
    async with create_pool(login_of(database), min_size=1, max_size=1) as pool:
        cancelled = 0
        for steps in range(30):
            task = asyncio.create_task(execute_statement(pool, _COUNT, ("one",)))
            for _ in range(steps):
                await asyncio.sleep(0)
            cancelled += task.cancel()
            await asyncio.wait([task])
            assert await works(pool)
        assert cancelled > 3, "None was cancelled under way."


async def test_an_error_of_the_commit_is_raised_as_it_is(database: str) -> None:
    """Not as a connection in trouble, which would be taken for an outage and tried again."""
    owner_rows(database, _FAILS_AT_THE_COMMIT)
    async with create_pool(login_of(database), min_size=1, max_size=10) as pool:
        with pytest.raises(psycopg.errors.UniqueViolation, match="refused"):
            await write(pool)
        assert await works(pool)


async def test_a_commit_is_cancelled(database: str) -> None:
    """A timeout that ends while the commit waits for another transaction is raised as such."""
    owner_rows(database, _WAITS_AT_THE_COMMIT)
    async with (
        create_pool(login_of(database), min_size=1, max_size=1) as pool,
        await psycopg.AsyncConnection.connect(database) as other,
    ):
        await other.execute("SELECT pg_advisory_xact_lock(1)")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await write(pool)
        assert await works(pool)
        assert owner_rows(database, "SELECT user_id FROM person_settings") == []
        await other.rollback()
        assert await write(pool)


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
