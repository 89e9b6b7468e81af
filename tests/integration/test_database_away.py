"""PostgreSQL that is away, silent, read-only or full: in time, in one sentence, and over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
import pytest

from memory import EmbeddedPostgres, Pool, create_pool
from memory.postgres import (
    execute_statement,
    is_unavailable,
    transaction,
    transaction_timeout,
)
from tests.databases import owner_rows, read_only
from tests.frozen import frozen
from tests.waiting import until

INSERT = (
    "INSERT INTO conversations VALUES ('T1', %s, 'public', false)"
    " ON CONFLICT (team_id, channel_id) DO UPDATE SET looked_up_at = now()"
)


@asynccontextmanager
async def opened(conninfo: str, *, max_size: int = 1) -> AsyncIterator[Pool]:
    """Open a small pool."""
    async with create_pool(conninfo, min_size=1, max_size=max_size, timeout=10) as pool:
        await pool.wait()
        yield pool


async def write(pool: Pool, channel: str) -> None:
    """Write one row."""
    async with transaction(pool) as connection:
        await connection.execute(INSERT, (channel,))


def written(conninfo: str, channel: str) -> bool:
    """Say whether the row is there."""
    found = owner_rows(
        conninfo, "SELECT 1 FROM conversations WHERE channel_id = %s", channel
    )
    return bool(found)


async def test_a_transaction_with_a_deadline_fails_in_time(
    database: str, postgres: EmbeddedPostgres
) -> None:
    """A PostgreSQL that falls silent costs a caller with a deadline no more than its time."""
    async with asyncio.timeout(60), opened(database) as pool:
        await write(pool, "C1")
        with frozen(postgres):
            with pytest.raises(psycopg.OperationalError), transaction_timeout(0.3):
                await write(pool, "C2")
            # The connection is gone, and a new one is not to be had either.
            with pytest.raises(psycopg.OperationalError), transaction_timeout(0.3):
                async with transaction(pool):
                    raise AssertionError("nobody answered")
        assert not written(database, "C2")
        await write(pool, "C3")
    assert written(database, "C3")


@pytest.mark.parametrize("ends", ["by time", "because all begin again"])
async def test_no_statement_is_waited_for_without_end(
    database: str, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """A proxy may keep a silent connection open: the next statement has another one."""
    if ends == "by time":
        monkeypatch.setattr("memory.postgres.pool.ANSWER_SECONDS", 0.3)
    async with asyncio.timeout(60), opened(database) as pool:

        async def hang() -> None:
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(600)")

        hanging = asyncio.create_task(hang())
        under_way = (
            "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
        )
        if ends != "by time":
            await until(lambda: owner_rows(database, under_way))
            pool.begin_again()
        with pytest.raises(psycopg.OperationalError):
            await hanging
        # Who may wait longer does.
        with transaction_timeout(30.0):
            await execute_statement(pool, "SELECT pg_sleep(0.6)")
        await write(pool, "C1")
    assert written(database, "C1")


async def test_notifications_are_waited_for_without_end(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was asked of PostgreSQL, so it owes no answer."""
    monkeypatch.setattr("memory.postgres.pool.ANSWER_SECONDS", 0.1)
    async with opened(database) as pool, pool.connection() as connection:
        await connection.execute("LISTEN news")
        async for _ in connection.notifies(timeout=0.5):
            raise AssertionError("nobody said anything")
        await connection.execute("SELECT")


async def test_a_session_sets_itself_how_values_are_read(database: str) -> None:
    """A role or a database may have settings that psycopg cannot read."""
    for setting in ("DateStyle = German, DMY", "client_encoding = LATIN1"):
        owner_rows(
            database,
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ', current_database())"
            f" || '{setting}'; END $$",
        )
    async with opened(database) as pool:
        [row] = await execute_statement(
            pool, "SELECT now() AS at, 'ラーメン 🍜' AS said"
        )
        assert row["at"].utcoffset() == timedelta()
        assert row["said"] == "ラーメン 🍜"


async def test_a_connection_lost_during_the_commit_is_an_outage(database: str) -> None:
    """The caller may try again, and the next transaction has another connection."""
    owner_rows(
        database,
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
        " CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON conversations"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut()",
    )
    async with opened(database) as pool:
        for lost in (write(pool, "C1"), execute_statement(pool, INSERT, ("C1",))):
            with pytest.raises(psycopg.OperationalError) as error:
                await lost
            assert is_unavailable(error.value)
        owner_rows(database, "ALTER TABLE conversations DISABLE TRIGGER cut")
        await write(pool, "C2")


async def test_idle_connections_that_a_restart_has_closed_are_not_used(
    database: str,
) -> None:
    """The first transaction and the first statement after it succeed, without a wait."""
    async with asyncio.timeout(60), opened(database, max_size=3) as pool:
        for work in (write(pool, "C1"), execute_statement(pool, INSERT, ("C2",))):
            async with pool.connection(), pool.connection(), pool.connection():
                pass
            owner_rows(
                database,
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()",
            )
            await work
    assert written(database, "C1")
    assert written(database, "C2")


@pytest.mark.slow
async def test_a_server_that_takes_no_writes_is_left(
    database: str, postgres: EmbeddedPostgres
) -> None:
    """A connection that has become read-only is not kept, and the next one can write."""
    async with opened(database, max_size=2) as pool:
        await write(pool, "C5")
        with read_only(postgres):
            with pytest.raises(psycopg.OperationalError):
                # Seen to be read-only as it is given back, it is gone without an error, and the
                # next writer waits for the pool: for ten seconds.
                await asyncio.wait_for(_write_on(pool), 60)
            # No new connection either: it would not be of use.
            with pytest.raises(psycopg.OperationalError), transaction_timeout(0.3):
                async with transaction(pool):
                    raise AssertionError("it was read-only")
        async with asyncio.timeout(60):
            await write(pool, "C7")
    assert written(database, "C7")


async def _write_on(pool: Pool) -> None:
    # PostgreSQL's processes read their new configuration when they get to it.
    while True:
        await write(pool, "C6")


def test_what_passes_by_itself_is_known() -> None:
    """Away, full and read-only pass; a mistake of ours does not."""
    errors = psycopg.errors
    for passing in (
        errors.DiskFull,
        errors.ReadOnlySqlTransaction,
        errors.AdminShutdown,
        errors.IdleInTransactionSessionTimeout,
    ):
        assert is_unavailable(passing())
    for lasting in (
        errors.UndefinedTable,
        errors.UniqueViolation,
        errors.QueryCanceled,
        errors.ProgramLimitExceeded,
        ValueError,
    ):
        assert not is_unavailable(lasting())
    assert not is_unavailable(None)
