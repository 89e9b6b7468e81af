"""The list of breaks matches the code and the tests."""

from __future__ import annotations

from functools import cache

from tests.mutants import ROOT, Break, breaks, occurrences

BREAKS = breaks()


@cache
def _text(file: str) -> str:
    return (ROOT / file).read_text("utf-8") if (ROOT / file).is_file() else ""


def _names_tests(broken: Break) -> bool:
    named = [test.partition("::") for test in broken.tests]
    return bool(named) and all(f"def {function}" in _text(file) for file, _, function in named)


def test_each_old_text_is_in_its_file_once() -> None:
    """The text that a break replaces is in a file that ships, once, and the break changes it."""
    ships = ("bot/", "compose.yaml", "deploy/", "manifest.yml", "memory/", "playground/")
    assert {
        broken.name: (broken.file, occurrences(broken))
        for broken in BREAKS
        if not broken.file.startswith(ships) or occurrences(broken) != 1 or broken.new == broken.old
    } == {}


def test_each_break_says_why_and_names_tests_that_exist() -> None:
    """One sentence says what would go wrong, and each test that must fail exists."""
    assert {
        broken.name: (broken.why, broken.tests)
        for broken in BREAKS
        if not broken.why.endswith(".") or not _names_tests(broken)
    } == {}


def test_each_name_is_used_once() -> None:
    """The names of the breaks differ, and there are at least 25."""
    assert len({broken.name for broken in BREAKS}) == len(BREAKS) >= 25
