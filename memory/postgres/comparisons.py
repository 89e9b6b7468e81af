"""Writes the columns of `memory.model.sameness` again when its version has changed."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from memory.model.sameness import VERSION, plain_column
from memory.model.schemas import subject_key
from memory.postgres.statements import column_parameters, load_statements

STEP = f"memory/sameness-{VERSION}"
"""The name of the step in the list of those that are applied."""
_SQL = load_statements("memory", "sameness")
_BATCH = 1_000


def write_comparisons(connection: Connection[DictRow]) -> None:
    """Write `subject` and `plain` of all rows; the kinds in use are registered already."""
    after: dict[str, Any] = {"after": None, "limit": _BATCH}
    while rows := connection.execute(_SQL["statements"], after).fetchall():
        made = [(row["id"], subject_key(row["kind"], row["content"])) for row in rows]
        connection.execute(
            _SQL["write_subjects"], column_parameters(("ids", "subjects"), made)
        )
        after["after"] = rows[-1]["id"]
    connection.execute(_SQL["copy_subjects"])
    last: dict[str, Any] = {"prefix": "", "key": "", "limit": _BATCH}
    while rows := connection.execute(_SQL["rows"], last).fetchall():
        plain = [
            (row["prefix"], row["key"], plain_column(row["value"])) for row in rows
        ]
        connection.execute(
            _SQL["write_plain"],
            column_parameters(("prefixes", "keys", "plains"), plain),
        )
        last |= {"prefix": rows[-1]["prefix"], "key": rows[-1]["key"]}
