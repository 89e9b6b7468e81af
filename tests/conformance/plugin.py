"""The pytest plugin: fails the test that caused a violation, and prints the counts at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests import payloads
from tests.conformance.traffic import TRAFFIC, message, summary
from tests.payloads import PAYLOADS

MARKER = "nonconforming"
_KEY = "validated"
_OF_WORKERS: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def model_traffic(request: pytest.FixtureRequest, calls_servers: bool) -> Iterator[None]:
    """Every request, event and object of a test conforms to OpenAI's schemas.

    A test marked ``nonconforming`` sends something else on purpose, and fails if it does not.
    """
    yield
    marked = request.node.get_closest_marker(MARKER) is not None
    found = TRAFFIC.violations(expected=marked, ask=calls_servers)
    if found and not marked:
        pytest.fail(message(found), pytrace=False)
    if marked and not found:
        pytest.fail(f"Everything conformed: remove the marker {MARKER!r}.", pytrace=False)


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
