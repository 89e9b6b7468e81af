"""Dates outside 2000 to 2100 are refused, and one person's bad rows do not stop the upkeep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from bot.app import App
from bot.queue.queue import Queue
from bot.runtime.maintenance import keep_up
from memory import DM, Person, Pool, list_memories
from memory.store import expire_due
from tests.databases import owner_rows
from tests.integration.app import app_without_slack
from tests.memories import put_memory

ANN, BOB = Person("T1", "U1"), Person("T1", "U2")
BEFORE_CHRIST = "0001-12-31 10:00:00+00 BC"


class Owner:
    """The database as its owner sees it, without the check of dates if wanted."""

    def __init__(self, database: str) -> None:
        self.database = database

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Run a statement."""
        return owner_rows(self.database, statement, *values)

    def as_before(self) -> None:
        """Drop the check of dates, as in a database of an earlier version."""
        self.rows("ALTER TABLE store DROP CONSTRAINT store_dates")

    def remember(self, person: Person, key: str, date: str, *, ends: bool = False) -> None:
        """Store a memory with this date; `ends`: expired a minute ago."""
        value = {"kind": "UserFact", "content": {"fact": f"fact {key}"}, "sources": []}
        put_memory(self.database, person.namespace(DM), value, key=key, at=date)
        if ends:
            self.rows(
                "UPDATE store SET expires_at = now() - interval '1 minute'"
                " WHERE prefix = %s AND key = %s",
                *(person.namespace(DM).prefix, key),
            )


@pytest.fixture
def owner(database: str) -> Owner:
    """The owner of an empty database."""
    return Owner(database)


@pytest.mark.parametrize("date", [BEFORE_CHRIST, "infinity", "2100-01-01 00:00:00+00"])
def test_postgresql_refuses_them_too(owner: Owner, date: str) -> None:
    """PostgreSQL refuses such a row, whichever tool writes to the store."""
    with pytest.raises(psycopg.errors.CheckViolation):
        owner.remember(ANN, "k", date)


async def test_expiry_goes_on_for_the_others(pool: Pool, owner: Owner) -> None:
    """Rows that cannot be read expire, too, and rows of nobody do not stop the others' expiry."""
    owner.as_before()
    for number in range(9):
        owner.remember(ANN, f"k{number}", BEFORE_CHRIST, ends=True)
    owner.remember(BOB, "leave", "2026-01-01 00:00:00+00", ends=True)
    owner.rows(
        "INSERT INTO store (prefix, key, value, expires_at)"
        " VALUES ('chat.T1.u-1.dm', 'k', '{}', '2020-01-01')"
    )
    assert sorted(await expire_due(pool, limit=5)) == [*(f"k{n}" for n in range(9)), "leave"]
    assert [row["key"] for row in owner.rows("SELECT key FROM store")] == ["k"]


@pytest.fixture
async def upkeep(pool: Pool) -> AsyncIterator[App]:
    """What the upkeep needs, without workers."""
    queue = Queue(pool)
    await queue.open()
    yield app_without_slack(pool, queue, 30)
    await queue.stop()


async def test_a_step_of_the_upkeep_that_fails_stops_no_other(
    pool: Pool, owner: Owner, upkeep: App
) -> None:
    """Each step runs whether or not the one before failed."""
    owner.remember(BOB, "leave", "2026-01-01 00:00:00+00", ends=True)
    owner.remember(ANN, "old", "2020-01-01 00:00:00+00")
    for function in ("fail_poison_messages", "clear_away", "end_history"):
        owner.rows(f"ALTER FUNCTION {function} RENAME TO {function}_away")
    await keep_up(upkeep, 3_600)
    assert await list_memories(pool, BOB) == []
    assert await list_memories(pool, ANN) == []
