"""The cases of `python -m bench.evals` can be loaded and run."""

from __future__ import annotations

from collections import Counter

from bench.evals.cases import load_cases
from memory.store.edits import validated
from tests.conftest import ROOT


def test_every_case_can_be_run() -> None:
    """Ids are unique, existing memories are valid, no message is said twice."""
    cases = load_cases(ROOT / "bench" / "evals")
    assert len({one.id for one in cases}) == len(cases) >= 170
    said = Counter(message for one in cases for message in one.messages)
    assert [message for message, times in said.items() if times > 1] == []
    for one in cases:
        for known in one.existing:
            assert validated(known.kind, known.content), one.id
