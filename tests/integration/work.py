"""The queue's table, read and worked by the test itself."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.integration.house import House


def sql(house: House, statement: str, *parameters: object) -> list[dict[str, Any]]:
    """Ask the database as its owner."""
    with psycopg.connect(house.database, row_factory=dict_row, autocommit=True) as owner:
        done = owner.execute(statement.encode(), parameters)
        return done.fetchall() if done.description else []


def jobs(house: House, name: str) -> list[dict[str, Any]]:
    """Return the waiting jobs of a name: `args`, and in how many seconds they may begin."""
    return sql(
        house,
        "SELECT args, COALESCE(extract(epoch FROM scheduled_at - now())::float, 0) AS due_in"
        " FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo' ORDER BY id",
        name,
    )


def taken(house: House, name: str) -> list[dict[str, Any]]:
    """Take the waiting jobs of a name out of the queue; return their arguments."""
    found = sql(
        house,
        "DELETE FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo' RETURNING args",
        name,
    )
    return [row["args"] for row in found]
