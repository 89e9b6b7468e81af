"""The cases of `python -m bench.evals` can be loaded and run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.evals.cases import load_cases
from bot.runtime.problems import Problem
from memory.store import validated
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


def test_a_case_with_a_mistake_is_refused(tmp_path: Path) -> None:
    """The sentence names the file, the case and what is wrong."""
    (tmp_path / "en.toml").write_text("[not_kept.en-01]\nmessages = []\n", "utf-8")
    with pytest.raises(Problem, match=r"en\.toml, en-01: .*at least 1"):
        load_cases(tmp_path)
