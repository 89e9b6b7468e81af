"""The pytest plugin that prints how much was validated, and how much of it was wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from openai_double.conformance import TRAFFIC, summary
from tests import payloads
from tests.payloads import PAYLOADS

_KEY = "validated"
_OF_WORKERS: Counter[str] = Counter()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the counts of a worker of pytest-xdist to its controller."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY] = {**TRAFFIC.counts, **PAYLOADS.counts}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up the counts of a worker that has ended."""
    _OF_WORKERS.update(getattr(node, "workeroutput", {}).get(_KEY, {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how much was validated, and how much of it was wrong."""
    validated = _OF_WORKERS + Counter(TRAFFIC.counts) + PAYLOADS.counts
    if validated:
        terminalreporter.write_line(summary(validated))
        terminalreporter.write_line(payloads.summary(validated))
