"""SQL is written in files, as whole statements: none is put together in Python."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conftest import ROOT

_SQL = re.compile(
    r"\bSELECT\b|\bINSERT INTO\b|\bDELETE FROM\b|\bUPDATE [a-z_%{]|\bORDER BY\b|\bLEFT JOIN\b"
    r"|\bWHERE [a-z_(%{]|^ ?(?:AND|OR|FROM|SET|VALUES|RETURNING) [a-z_(%{]"
)
# Statements about databases, roles and connections: they run before there is a schema, or name what
# no parameter can.
ADMINISTRATION = {
    "memory/postgres/database.py",
    "memory/postgres/embedded.py",
    "memory/postgres/migrate.py",
    "memory/postgres/requirements.py",
    "memory/postgres/roles.py",
}
SOURCES = sorted(
    path for folder in ("bot", "memory") for path in ROOT.glob(f"{folder}/**/*.py")
)


def strings(code: str) -> list[str]:
    """Return the texts in Python code, also the parts of f-strings, without the docstrings."""
    tree = ast.parse(code)
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in bare
    ]


def test_no_statement_is_written_in_python() -> None:
    """But for administration; each of its files has one."""
    found = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(_SQL.search(text) for text in strings(path.read_text("utf-8")))
    }
    assert found == ADMINISTRATION


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ('run("SELECT 1")', 1),
        ('run(f"UPDATE {table} SET a = 1")', 1),
        ('part = " AND ended_at IS NULL"', 1),
        ('"""SELECT nothing."""', 0),
        ('say("Select a memory, and update it where it is wrong.")', 0),
    ],
)
def test_what_counts_as_sql(code: str, count: int) -> None:
    """Statements and parts of them, but no docstring and no English."""
    assert sum(bool(_SQL.search(text)) for text in strings(code)) == count
