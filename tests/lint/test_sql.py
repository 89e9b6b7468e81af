"""SQL is in files, as whole statements; those that clear a message's words clear all of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

_SQL = re.compile(
    r"\bSELECT\b|\bINSERT INTO\b|\bDELETE FROM\b|\bUPDATE [a-z_%{]|\bORDER BY\b|\bLEFT JOIN\b"
    r"|\bWHERE [a-z_(%{]|^ ?(?:AND|OR|FROM|SET|VALUES|RETURNING) [a-z_(%{]"
)
# Statements about databases, roles and connections: they run before there is a schema, or name what
# no parameter can.
ADMINISTRATION = {
    "memory/postgres/embedded.py",
    "memory/postgres/migrate.py",
    "memory/postgres/requirements.py",
    "memory/postgres/roles.py",
}
SOURCES = sorted(
    path for folder in ("bot", "memory") for path in ROOT.glob(f"{folder}/**/*.py")
)

# Columns of `messages` with text that the person did not write, and `message`: it is NULL once its
# words are in `question` and `words`.
WITHOUT_WORDS = {
    *("team_id", "user_id", "channel_id", "ts", "thread", "audience", "status"),
    *("message", "changed_ts", "reply", "reply_ts", "cited", "notice"),
}
_NAME = re.compile(r"^(?:-- name:|CREATE FUNCTION) (\w+)", re.MULTILINE)
_UPDATE = re.compile(r"UPDATE messages\b.*?\b(?:FROM|WHERE)\b", re.DOTALL)
_CLEARS_WORDS = re.compile(r"(?:SET|,)\s+words = (?:''|CASE)")


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


def columns_with_words() -> set[str]:
    """Return the columns of `messages` with what the person wrote."""
    schema = (ROOT / "bot/schema.sql").read_text("utf-8")
    [table] = re.findall(r"CREATE TABLE messages \((.*?)\n\);", schema, re.DOTALL)
    columns = re.findall(r"^    (\w+) (?:text|jsonb)", table, re.MULTILINE)
    return set(columns) - WITHOUT_WORDS


def clearings() -> Iterator[tuple[str, str]]:
    """Return the updates that clear `words`, each with the name of its statement or function."""
    for path in (ROOT / "bot/schema.sql", *sorted(ROOT.glob("bot/**/sql/*.sql"))):
        _, *parts = _NAME.split(path.read_text("utf-8"))
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            for update in _UPDATE.findall(text):
                if _CLEARS_WORDS.search(update):
                    yield f"{name} in {path.name}", update


def test_what_clears_words_of_a_message_clears_each_column_with_words() -> None:
    """A new column with text is taken for words, until it is in `WITHOUT_WORDS`."""
    kept = [
        f"{name} keeps {column}"
        for name, update in clearings()
        for column in sorted(columns_with_words() - set(re.findall(r"\w+", update)))
    ]
    # The question is still part of the conversation; no memory is formed of it.
    assert kept == ["discard_words in switches.sql keeps question"], (
        "clear the column there, or name it in WITHOUT_WORDS if it holds no words"
    )
