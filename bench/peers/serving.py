"""The process of a peer: batches of turns on standard input, their times on standard output.

Needs nothing but the standard library, because mem0 runs in an environment of its own.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

THREADS = 128

OnReplyText = Callable[[], None]
Turn = Callable[[str, str, OnReplyText], str]
"""Called with the person's id, what they say, and what to call once the reply's text is there."""


def serve(turn: Turn, more: Mapping[str, Callable[[Any], Any]] | None = None) -> None:
    """Answer until standard input ends.

    A line ``{"turns": [[person, text], …]}`` starts all of its turns at the same moment, each in a
    thread of its own; the answer is a line ``[{"made", "ready", "reply", "error"}, …]``, with the
    milliseconds from that moment until the reply's text existed and until the request returned.
    ``{"call": name, "with": value}`` calls one of `more`.
    """
    out = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    with ThreadPoolExecutor(THREADS) as threads:
        out.write(json.dumps("ready") + "\n")
        out.flush()
        for line in sys.stdin:
            asked = json.loads(line)
            if "call" in asked:
                answer = (more or {})[asked["call"]](asked["with"])
            else:
                answer = _together(threads, turn, asked["turns"])
            out.write(json.dumps(answer, ensure_ascii=False) + "\n")
            out.flush()


def _together(
    threads: ThreadPoolExecutor, turn: Turn, turns: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    start = threading.Event()
    began = 0.0

    def one(person: str, text: str) -> dict[str, Any]:
        start.wait()
        times: dict[str, float] = {}

        def on_reply_text() -> None:
            times.setdefault("made", (time.perf_counter() - began) * 1000)

        reply, error = "", ""
        try:
            reply = turn(person, text, on_reply_text)
        except Exception as failed:  # noqa: BLE001 - counted and shown in the table
            error = f"{type(failed).__name__}: {failed}"
        ready = (time.perf_counter() - began) * 1000
        return {"made": times.get("made"), "ready": ready, "reply": reply, "error": error[:300]}

    running = [threads.submit(one, person, text) for person, text in turns]
    began = time.perf_counter()
    start.set()
    return [future.result() for future in running]
