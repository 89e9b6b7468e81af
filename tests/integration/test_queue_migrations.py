"""The queue's tables: made once, and brought up to the installed procrastinate step by step."""

from __future__ import annotations

import psycopg

from bot.queue.migrations import queue_migrations


def test_the_recorded_schema_contains_all_that_is_installed(database: str) -> None:
    """A database recorded as "procrastinate/3.10" lacks nothing of the installed version."""
    schema, *more, rights = queue_migrations()
    assert (schema.name, rights.name) == ("procrastinate/3.10", "procrastinate/rights")
    assert schema.includes == tuple(step.name for step in more)
    with psycopg.connect(database) as owner:
        rows = owner.execute("SELECT name FROM kioku_migrations").fetchall()
    assert {schema.name, *schema.includes} <= {name for (name,) in rows}
