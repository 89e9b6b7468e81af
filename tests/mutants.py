"""Runs the tests over a sample of mutants, code with one small change; a test that fails kills it.

By hand, in a worktree of its own, because it changes the files::

    mkdir -p build && export COVERAGE_FILE=build/executed  # the lines that each test executes
    python -m coverage run -m pytest -p tests.mutants -q -n 2 -m "not slow" \\
        tests/unit tests/integration
    python -m coverage combine
    python -m tests.mutants build/executed 0 1 > build/mutants.txt

It takes the same 200 mutants each time, and at most 40 of the tests that execute the changed line;
``0 2`` and ``1 2`` in the place of ``0 1`` share the work between two worktrees. What slow tests,
other processes or ``@cache`` do is not seen: run the tests that a survivor's module suggests.
As a plugin of pytest it names each test as coverage's context of the lines that it executes.
"""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from os.path import commonpath, relpath
from pathlib import Path
from typing import Any

import coverage
import pytest

_FOLDERS = ("memory", "bot/answering", "bot/conversation")
_SEED = 20261127
_COUNT = 200
_MOST_TESTS = 40
_PYTEST = ("pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no", "--timeout=60")
_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
}
_UNSEEN = re.compile(r"(await )?(_?log\.|count\(|step_ended\()")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Begin the context of a test, its fixtures included."""
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(item.nodeid)
    return (yield)


def main(file: str, share: str, shares: str) -> None:
    """Print what the tests say of each mutant of a share."""
    modules = [
        path for folder in _FOLDERS for path in sorted(Path(folder).rglob("*.py"))
    ]
    every = []
    for path in modules:
        every += [
            (path, index)
            for index, _ in enumerate(changes(ast.parse(path.read_bytes())))
        ]
    sample = random.Random(_SEED).sample(every, min(_COUNT, len(every)))
    contexts = read_contexts(file)
    for path, index in sample[int(share) :: int(shares)]:
        original = path.read_bytes()
        tree = ast.parse(original)
        node, field, value = [*changes(tree)][index]
        before = ast.unparse(node)
        setattr(node, field, value)
        tests = executing(contexts.get(str(path), {}), node.lineno)[:_MOST_TESTS]
        sys.stdout.write(f"{path}:{node.lineno} {before!r} -> {ast.unparse(node)!r}: ")
        try:
            path.write_text(ast.unparse(tree), "utf-8")
            sys.stdout.write(f"{verdict(tests)}\n")
        finally:
            path.write_bytes(original)
        sys.stdout.flush()


def changes(tree: ast.AST) -> Iterator[tuple[Any, str, Any]]:
    """Yield a node of the tree, the name of a field of it, and another value of the field."""
    for node in ast.walk(tree):
        match node:
            case ast.If() | ast.While() | ast.IfExp() if not isinstance(
                node.test, ast.Compare
            ):
                yield node, "test", ast.UnaryOp(ast.Not(), node.test)
            case ast.Compare(ops=[operator, *others]):
                yield node, "ops", [_OTHER[type(operator)](), *others]
            case ast.BoolOp():
                yield node, "op", _OTHER[type(node.op)]()
            case ast.Constant(value=bool()):
                yield node, "value", not node.value
            case ast.Constant(value=int(number)):
                yield node, "value", number + 1
            case ast.Return(value=ast.expr()):
                yield node, "value", ast.Constant(None)
            case ast.Expr(value=ast.Call() | ast.Await()) if not _UNSEEN.match(
                ast.unparse(node)
            ):
                yield node, "value", ast.Constant(None)


def read_contexts(file: str) -> dict[str, dict[int, list[str]]]:
    """Return the tests that executed each line of each module."""
    data = coverage.CoverageData(file)
    data.read()
    files = data.measured_files()
    root = commonpath(files)  # the copy that was measured may be another one
    return {relpath(path, root): data.contexts_by_lineno(path) for path in files}


def executing(lines: dict[int, list[str]], line: int) -> list[str]:
    """Return those that executed a line, the narrowest first; at an import, any of the module."""
    breadth = Counter(test for tests in lines.values() for test in tests if test)
    measured = [number for number in lines if number <= line]
    found = breadth.keys() & set(lines[max(measured)]) if measured else set()
    return sorted(
        found or breadth, key=lambda test: ("tests/unit/" not in test, breadth[test])
    )


def verdict(tests: list[str]) -> str:
    """Return which test failed."""
    if not tests:
        return "SURVIVED, no test executes it"
    command = [sys.executable, "-m", *_PYTEST, *tests]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return "SURVIVED"
    failed = re.search(r"^(FAILED|ERROR) .*", done.stdout, re.MULTILINE)
    return failed[0] if failed else f"pytest's exit code {done.returncode}"


if __name__ == "__main__":
    main(*sys.argv[1:])
