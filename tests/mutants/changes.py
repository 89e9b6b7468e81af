"""Mutants: the source of a module with one expression or statement replaced."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
}
_EMPTY = {"str": "''", "bool": "False", "list": "[]", "dict": "{}", "tuple": "()", "set": "set()"}
_EMPTY |= {"Sequence": "[]", "Iterator": "iter(())", "frozenset": "frozenset()"}
_UNSEEN = ("log.", "_log.", "count(", "step_ended(", "add_log_field(")


@dataclass(frozen=True, slots=True)
class Mutant:
    """Replaces what is from (line, column) to (end_line, end_column); columns count bytes."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    new: str

    def apply(self, source: bytes) -> bytes:
        """Return the changed source of the module."""
        lines = source.splitlines(keepends=True)
        before = lines[self.line - 1][: self.column]
        after = lines[self.end_line - 1][self.end_column :]
        return b"".join(
            [*lines[: self.line - 1], before, self.new.encode(), after, *lines[self.end_line :]]
        )


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield the mutants of a module, in no particular order."""
    tree = ast.parse(path.read_bytes())
    empty: dict[ast.AST, str] = {}
    conditions = set()
    skipped = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                returned = [one for one in ast.walk(node) if isinstance(one, ast.Return)]
                # An inner function is walked after the one that it is in.
                empty |= {one.value: _empty(node) for one in returned if one.value}
                skipped |= _below(node.returns)
            case ast.ClassDef():  # such as frozen=True of a dataclass
                skipped |= {one for option in node.decorator_list for one in _below(option)}
            case ast.AnnAssign() | ast.arg():
                skipped |= _below(node.annotation)
            case ast.JoinedStr():  # Python 3.11 does not say where its parts are
                skipped |= _below(node) - {node}
            case ast.If() | ast.While() | ast.IfExp():
                conditions.add(node.test)
            case ast.comprehension():
                conditions |= {*node.ifs}
    for node in ast.walk(tree):
        if node not in skipped:
            for new in _replacements(node, node in conditions, empty.get(node)):
                yield _mutant(path, node, new)


def _below(node: ast.AST | None) -> set[ast.AST]:
    return set(ast.walk(node)) if node else set()


def _empty(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    kind = ast.unparse(function.returns).partition("[")[0] if function.returns else ""
    return _EMPTY.get(kind, "None")


def _mutant(path: Path, node: Any, new: str) -> Mutant:
    return Mutant(
        str(path), node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, new
    )


def _replacements(node: ast.AST, is_condition: bool, empty: str | None) -> Iterator[str]:
    """Yield what takes the place of a node."""
    if empty is not None and ast.unparse(node) != empty:
        yield empty
    changed: Any = copy(node)
    match node:
        case ast.Compare(ops=[operator, *others]):
            changed.ops = [_OTHER[type(operator)](), *others]
            yield f"({ast.unparse(changed)})"
        case ast.BoolOp():
            changed.op = _OTHER[type(node.op)]()
            yield f"({ast.unparse(changed)})"
        case ast.UnaryOp(op=ast.Not()):
            yield f"({ast.unparse(node.operand)})"
        case ast.Constant(value=bool()):
            yield str(not node.value)
        case ast.Constant(value=int(number)):
            yield str(number + 1)
        case ast.Expr(value=ast.Call() | ast.Await()) if not _is_unseen(node):
            yield "pass"
        case ast.AugAssign() | ast.Delete() | ast.Continue():
            yield "pass"
        case ast.expr() if is_condition:
            yield f"(not ({ast.unparse(node)}))"


def _is_unseen(node: ast.AST) -> bool:
    return ast.unparse(node).removeprefix("await ").startswith(_UNSEEN)
