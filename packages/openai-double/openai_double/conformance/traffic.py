"""Validates what models receive and send against OpenAI's schemas.

A double records its traffic while a test process watches it. A model that a test serves itself
records its requests with the middleware `recorded`. After each test, everything recorded since the
last one is validated.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from openai_double.conformance.schemas import published
from openai_double.conformance.shape import openai_shapes
from openai_double.conformance.validator import openai_schemas
from openai_double.testing import call
from openai_double.types import Json

_VALIDATED: Final = ("requests", "events", "objects", "errors")
_PATH_OF: Final = {
    "responses": "/responses",
    "chat": "/chat/completions",
    "embeddings": "/embeddings",
}
_ADVICE: Final = (
    "Correct what sends it: for a request the app (or the test), otherwise openai_double. Where"
    " OpenAI itself differs from its schemas, add it to openai_double.conformance.departures with"
    " the reason."
)


@dataclass(eq=False)
class _Watched:
    """A double that records its traffic; `last` is the number of the last record fetched."""

    url: str
    alive: Callable[[], bool]
    last: int = 0


class Traffic:
    """The traffic of every model that the tests of this process use.

    `counts` says how many bodies of each kind were validated, and the violations. Of bodies with
    equal shapes only the first is validated.
    """

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self._waiting: list[tuple[str, str, Any]] = []
        self._watched: list[_Watched] = []
        self._known: dict[tuple[str, Hashable], list[str]] = {}

    @contextmanager
    def watched(self, url: str, alive: Callable[[], bool]) -> Iterator[None]:
        """Record the traffic of the double at `url` in this block; `alive`: is it still running?"""
        call(f"{url}/_model/settings", {"record_traffic": True})
        double = _Watched(url, alive)
        self._watched.append(double)
        try:
            yield
        finally:
            self._fetch(double)
            self._watched.remove(double)

    def add(self, what: str, path: str, body: Any) -> None:
        """Add one body that a test's own model received."""
        self._waiting.append((what, path, body))

    def add_records(self, records: Iterable[Json]) -> None:
        """Add records from an answer of ``/_model/traffic``."""
        for record in records:
            self.add(record["what"], _PATH_OF[record["endpoint"]], record["body"])

    def violations(self, *, expected: bool = False, ask: bool = True) -> list[str]:
        """Validate what is new and return what is wrong with it, each problem once.

        If violations are `expected`, they are not counted. Without `ask`, running models are not
        asked for their traffic.
        """
        if ask:
            for double in self._watched:
                self._fetch(double)
        found: list[str] = []
        for what, path, body in self._waiting:
            found += self._problems(what, path, body)
        self._waiting.clear()
        if not expected:
            self.counts["violations"] += len(found)
        return list(dict.fromkeys(found))

    def _problems(self, what: str, path: str, body: Any) -> list[str]:
        """Return what is wrong with a ``request``, ``event``, ``object`` or ``error`` of `path`."""
        name = "ErrorResponse"
        if what != "error":
            name = published()["bodies"][path][what]
        key = (name, openai_shapes().shape(body))
        if key not in self._known:
            self._known[key] = openai_schemas().problems(name, body)
        self.counts[f"{what}s"] += 1
        place = f"{path} {what}"
        if what == "event":
            place += f" {body.get('type')}"
        return [f"{place}: {problem}" for problem in self._known[key]]

    def _fetch(self, double: _Watched) -> None:
        """Add what a running double has recorded since it was last asked."""
        if double.alive():
            traffic = call(f"{double.url}/_model/traffic?since={double.last}")
            double.last = traffic["last"]
            self.add_records(traffic["records"])


TRAFFIC: Final = Traffic()


def verify(traffic: Traffic, *, nonconforming: bool = False, ask: bool = True) -> None:
    """Raise an `AssertionError` that lists where new traffic violates OpenAI's schemas.

    For a test that is `nonconforming` on purpose, it raises one if everything conforms. Without
    `ask`, running models are not asked for their traffic.
    """
    violations = traffic.violations(expected=nonconforming, ask=ask)
    if nonconforming and not violations:
        raise AssertionError("Everything conformed: remove the mark of the test.")
    if violations and not nonconforming:
        found = ["This differs from OpenAI's schemas:", *violations, _ADVICE]
        raise AssertionError("\n".join(found))


def summary(counts: Mapping[str, int]) -> str:
    """Return one line with the counts."""
    validated = [f"{counts.get(name, 0):,} {name}" for name in _VALIDATED]
    violations = f"{counts.get('violations', 0):,} violations"
    return f"OpenAI's schemas: {', '.join(validated)} validated; {violations}"


@web.middleware
async def recorded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record each request to a model that a test serves itself."""
    for path in _PATH_OF.values():
        if request.method == "POST" and request.path.endswith(path):
            body = await request.read()
            TRAFFIC.add("request", path, json.loads(body))
    return await handler(request)
