"""What the app sent to running playgrounds that Slack or its guidance does not want."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.loopback import call

CALLS = "slack_calls"
EXPECTED = "slack_failures"
VIOLATIONS = "slack_violations"
BLOCKS_FILE = "BLOCKS_FILE"
"""The variable that names a file: each payload of blocks and each view is added to it as a line."""
_KINDS = ("violations", "failures")
_SETTLE_SECONDS = 30
# What shows how a thread was left in `processing`.
_CALLS_SHOWN = 40


class Payloads:
    """Asks every playground that is watched; each violation and each failure is returned once."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, int]] = {}
        self._alive: dict[str, Callable[[], bool]] = {}
        self._left: dict[str, list[str]] = {kind: [] for kind in _KINDS}
        self._processing: set[tuple[str, str, str]] = set()
        self.counts = Counter[str]()

    @contextmanager
    def watched(self, url: str, alive: Callable[[], bool]) -> Iterator[None]:
        """Watch the playground at `url` meanwhile; `alive` says whether it still runs."""
        self._seen[url] = dict.fromkeys(_KINDS, 0)
        self._alive[url] = alive
        try:
            yield
        finally:
            if alive():
                if file := os.environ.get(BLOCKS_FILE):
                    _write_blocks(Path(file), call(f"{url}/_playground/calls"))
                for kind in _KINDS:
                    self._left[kind] += self._new(url, kind)
                made = call(f"{url}/_playground/calls?since=999999999")["last"]
                self.counts[CALLS] += int(made)
            del self._seen[url], self._alive[url]
            self._processing = {one for one in self._processing if one[0] != url}

    def violations(self, *, ask: bool = True) -> list[str]:
        """Return what is wrong with what was sent since this was last asked.

        Without `ask` the playgrounds that still run are not asked.
        """
        found = self._all("violations", ask)
        self.counts[VIOLATIONS] += len(found)
        return found

    def failures(
        self, expected: Collection[str] = (), *, ask: bool = True
    ) -> list[str]:
        """Return the calls that failed without an injected fault, since this was last asked.

        Each is "METHOD: ERROR", with what Slack says beside the error. Those of `expected` are left
        out: "METHOD: ERROR" each, or "*" for any.
        """
        found = self._all("failures", ask)
        wrong = unexpected(found, expected)
        self.counts[EXPECTED] += len(found) - len(wrong)
        self.counts[VIOLATIONS] += len(wrong)
        return wrong

    def _all(self, kind: str, ask: bool) -> list[str]:
        found = self._left[kind]
        self._left[kind] = []
        for url in [url for url, alive in self._alive.items() if ask and alive()]:
            found += self._new(url, kind)
        return found

    def _new(self, url: str, kind: str) -> list[str]:
        since = self._seen[url]
        told = call(f"{url}/_playground/{kind}?since={since[kind]}")
        since[kind] = told["last"]
        found = [_sentence(one) for one in told[kind]]
        return found if kind == "failures" else found + self._left_processing(url)

    def _left_processing(self, url: str) -> list[str]:
        """Return the sessions that the app left in `processing` when it had answered.

        The call that sets one to `active` can be under way when a test ends: it is waited for.
        """
        known = [ts for where, _, ts in self._processing if where == url]
        asked = {"seconds": _SETTLE_SECONDS, "known": known}
        told = call(f"{url}/_playground/sessions/settle", asked)
        new = {
            (url, one["channel"], one["thread_ts"]) for one in told["left_processing"]
        }
        self._processing |= new
        return [_left_sentence(*one) for one in new]


def _write_blocks(file: Path, journal: Mapping[str, Any]) -> None:
    """Add what was taken of a playground's calls, as ``{"blocks": […]}`` or ``{"view": {…}}``."""
    with file.open("a", encoding="utf-8") as lines:
        for one in journal["calls"]:
            for kind in ("blocks", "view"):
                value = one["args"].get(kind)
                if isinstance(value, str):  # as in a form
                    value = json.loads(value)
                if value and one["executed"]:
                    lines.write(f"{json.dumps({kind: value}, ensure_ascii=False)}\n")


def unexpected(failures: Iterable[str], expected: Collection[str]) -> list[str]:
    """Return the failures that are none of `expected`."""
    if "*" in expected:
        return []
    return [one for one in failures if " ".join(one.split(" ")[:2]) not in expected]


def summary(counts: Mapping[str, int]) -> str:
    """Return one line with the counts."""
    calls, expected, wrong = (
        counts.get(name, 0) for name in (CALLS, EXPECTED, VIOLATIONS)
    )
    return (
        f"Slack's reference: {calls:,} calls validated, of which {expected:,} failed as their tests"
        f" say; {wrong:,} violations"
    )


def _left_sentence(url: str, channel: str, thread_ts: str) -> str:
    """Return that a thread was left in `processing`, and the last calls in its channel."""
    calls = [
        _call_line(one)
        for one in call(f"{url}/_playground/calls?since=0")["calls"]
        if channel in (one["args"].get("channel"), one["args"].get("channel_id"))
    ]
    left = f"agents.sessions.setStatus: {thread_ts} in {channel} was left in processing"
    return "\n".join([f"{left}, after", *calls[-_CALLS_SHOWN:]])


def _call_line(one: dict[str, Any]) -> str:
    args = one["args"]
    ts = args.get("thread_ts") or args.get("ts") or ""
    status = args.get("status") or args.get("session_status") or ""
    return f"{one['time']:.3f} {one['method']} {ts} {status} {one['outcome']}"


def _sentence(one: dict[str, Any]) -> str:
    if "error" not in one:
        return f"{one['where']}: {one['what']}"
    return " ".join([f"{one['method']}: {one['error']}", *one["messages"]])


PAYLOADS = Payloads()
