"""The queue's tables: made once, and brought up to the installed procrastinate step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from procrastinate.schema import SchemaManager

from bot.queue.migrations import queue_migrations
from memory import migrate
from memory.postgres import Migration, packaged_migrations
from tests.conftest import SPACE

OLD = "procrastinate/3.0"
OLD_CONTAINS = "03.00.00_50_post_cancel_notification"
# Everything the queue has in a database; an enumeration's labels in any order.
CATALOGUES = (
    "SELECT table_name, column_name, udt_name, is_nullable, column_default"
    " FROM information_schema.columns WHERE table_name LIKE 'procrastinate%'",
    "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'procrastinate%'",
    "SELECT indexdef, indexname FROM pg_indexes WHERE tablename LIKE 'procrastinate%'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid::regclass::text LIKE 'procrastinate%'",
    "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    " AND tgrelid::regclass::text LIKE 'procrastinate%'",
    "SELECT enumtypid::regtype::text, enumlabel FROM pg_enum",
)


def catalogue(conninfo: str) -> list[set[tuple[Any, ...]]]:
    """Return all that PostgreSQL knows of the queue's tables."""
    with psycopg.connect(conninfo) as connection:
        return [set(connection.execute(query.encode()).fetchall()) for query in CATALOGUES]


def make_old(conninfo: str) -> None:
    """Make the queue's tables as procrastinate 3.0 made them, recorded as one step."""
    shipped = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    before = [file.read_text("utf-8") for file in shipped if file.stem <= OLD_CONTAINS]
    assert 0 < len(before) < len(shipped)
    with psycopg.connect(conninfo, autocommit=True) as owner:
        for statements in before:
            with owner.transaction():
                owner.execute(statements.encode())
        owner.execute(
            "CREATE TABLE kioku_migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        owner.execute("INSERT INTO kioku_migrations (name) VALUES (%s)", (OLD,))


def old_steps() -> list[Migration]:
    """Return the steps of a Kioku whose first queue was that of procrastinate 3.0."""
    return [*queue_migrations(OLD, OLD_CONTAINS), *packaged_migrations("bot")]


def later() -> list[str]:
    """Return the names of the steps that procrastinate ships for what came after 3.0."""
    shipped = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return [f"procrastinate/{file.stem}" for file in shipped if file.stem > OLD_CONTAINS]


def test_an_older_queue_becomes_the_installed_one(database: str, empty_database: str) -> None:
    """The migrations after its own are applied in order and once; the outcome is a new queue's."""
    make_old(empty_database)
    assert catalogue(empty_database) != catalogue(database)
    done = migrate(empty_database, SPACE, old_steps())
    assert [name for name in done if name in later()] == later()
    assert len(later()) >= 6
    assert OLD not in done
    assert migrate(empty_database, SPACE, old_steps()) == []
    assert catalogue(empty_database) == catalogue(database)


def test_a_new_queue_needs_no_migration(database: str, empty_database: str) -> None:
    """The schema contains procrastinate's migrations: they are recorded with it, not applied."""
    done = migrate(empty_database, SPACE, old_steps())
    assert done[done.index(OLD) + 1 :][: len(later())] == later()
    assert migrate(empty_database, SPACE, old_steps()) == []
    assert catalogue(empty_database) == catalogue(database)


def test_the_recorded_schema_contains_all_that_is_installed(database: str) -> None:
    """A database recorded as "procrastinate/3.10" lacks nothing of the installed version."""
    schema, *more, rights = queue_migrations()
    assert (schema.name, rights.name) == ("procrastinate/3.10", "procrastinate/rights")
    assert schema.includes == tuple(step.name for step in more)
    with psycopg.connect(database) as owner:
        rows = owner.execute("SELECT name FROM kioku_migrations").fetchall()
    assert {schema.name, *schema.includes} <= {name for (name,) in rows}
