"""What was sent to the running playgrounds that Slack or its guidance does not want."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Payloads:
    """Asks every playground that is watched; each violation is told once."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._alive: dict[str, Callable[[], bool]] = {}

    @contextmanager
    def watched(self, url: str, alive: Callable[[], bool]) -> Iterator[None]:
        """Watch the playground at `url` meanwhile; `alive` says whether it still runs."""
        self._seen[url], self._alive[url] = 0, alive
        try:
            yield
        finally:
            del self._seen[url], self._alive[url]

    def violations(self) -> list[str]:
        """Return what is wrong with what was sent since this was last asked."""
        found = []
        for url in [url for url, alive in self._alive.items() if alive()]:
            told = _get(f"{url}/_playground/violations?since={self._seen[url]}")
            self._seen[url] = told["last"]
            found += [f"{one['where']}: {one['what']}" for one in told["violations"]]
        return found


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.loads(answer.read())


PAYLOADS = Payloads()
