"""The list of breaks: it cannot rot unnoticed."""

from __future__ import annotations

import pytest

from tests.breaks import BREAKS, Break
from tests.mutants import ROOT, occurrences


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_each_old_line_stands_exactly_once(broken: Break) -> None:
    """What is to be broken is there, in code that ships, and the break changes it."""
    assert broken.file.startswith(("bot/", "deploy/", "manifest.yml", "memory/", "playground/"))
    assert occurrences(broken) == 1
    assert broken.new != broken.old


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_each_break_says_why_and_names_its_tests(broken: Break) -> None:
    """One sentence says what would go wrong, and the tests that must notice are there."""
    assert broken.why.endswith(".")
    assert broken.tests
    for test in broken.tests:
        file, _, function = test.partition("::")
        assert f"def {function}" in (ROOT / file).read_text("utf-8")


def test_there_are_enough_and_each_has_its_name() -> None:
    """At least 25 breaks, told apart by name."""
    assert len({broken.name for broken in BREAKS}) == len(BREAKS) >= 25
