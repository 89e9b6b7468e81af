"""Every statement that changes a table of people says which rows it means."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

_PROTECTED = re.compile(r"ALTER TABLE (\w+) ENABLE ROW LEVEL SECURITY")
_CHANGE = re.compile(r"\b(?:DELETE FROM|(?<!DO )(?<!FOR )UPDATE) (\w+|\{\w*\})")
_BOUND = re.compile(r"\bWHERE\b|\{\w*where\w*\}", re.IGNORECASE)


def tables() -> set[str]:
    """Return the tables that row-level security protects, by the schemas."""
    files = (ROOT / "bot/schema.sql", ROOT / "memory/schema.sql")
    return {name for file in files for name in _PROTECTED.findall(file.read_text("utf-8"))}


def texts(source: str) -> Iterator[str]:
    """Yield every string of a module; an f-string with its constants put in, or their names.

    A constant that is only a part of f-strings is not yielded alone.
    """
    module = ast.parse(source)
    formatted = [node for node in ast.walk(module) if isinstance(node, ast.JoinedStr)]
    parts = {part for node in formatted for part in ast.walk(node) if part is not node}
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    constants = dict(_constants(module))
    partial = {node for name, node in constants.items() if name in names}

    def shown(part: ast.expr) -> str:
        if isinstance(part, ast.Constant):
            return str(part.value)
        named = part.value if isinstance(part, ast.FormattedValue) else part
        name = named.id if isinstance(named, ast.Name) else ""
        return str(constants[name].value) if name in constants else f"{{{name}}}"

    yield from ("".join(shown(part) for part in node.values) for node in formatted)
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and node not in parts and node not in partial:
            yield str(node.value)


def _constants(module: ast.Module) -> Iterator[tuple[str, ast.Constant]]:
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name):
                yield target.id, node.value


def unbound(source: str, protected: set[str]) -> list[str]:
    """Return the beginnings of the statements that change a table of people without a WHERE."""
    return [
        text[found.start() :][:60]
        for text in texts(source)
        for found in _CHANGE.finditer(text)
        if (found[1] in protected or found[1].startswith("{"))
        and not _BOUND.search(text[found.end() :])
    ]


def test_the_search_finds_a_statement_without_where() -> None:
    """A DELETE without a WHERE is found, plain, in an f-string and with its table left open."""
    source = (
        "A = 'UPDATE messages SET words = NULL'\n"
        "B = 'DELETE FROM memory_questions'\n"
        "def go(table):\n"
        "    one(f'{A} WHERE id = %s')\n"
        "    two(f'{B}')\n"
        "    three(f'DELETE FROM {table}')\n"
        "    four('DELETE FROM memory_questions')\n"
        "    five('INSERT INTO messages VALUES (1) ON CONFLICT DO UPDATE SET words = NULL')\n"
    )
    assert sorted(unbound(source, {"messages", "memory_questions"})) == [
        "DELETE FROM memory_questions",
        "DELETE FROM memory_questions",
        "DELETE FROM {table}",
    ]


def test_no_change_of_a_table_of_people_lacks_its_where() -> None:
    """Row-level security is the second line: the statement itself names its rows."""
    protected = tables()
    assert {"store", "messages", "memory_questions"} <= protected
    found = {
        str(file.relative_to(ROOT)): statements
        for package in ("bot", "memory", "deploy")
        for file in sorted((ROOT / package).rglob("*.py"))
        if (statements := unbound(Path(file).read_text("utf-8"), protected))
    }
    assert found == {}
