"""The process of a peer: batches of turns on standard input, their times on standard output.

It needs only the standard library, because mem0 runs in an environment of its own.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

THREADS = 128

Turn = Callable[[str, str], str]
"""Called with the person's id and their message; returns the reply when the request is done."""


def serve(turn: Turn) -> None:
    """Answer until standard input ends.

    A line ``[[person, text], …]`` starts all of its turns at the same moment, each in a thread of
    its own; the answer is a line ``[{"ready", "text"}, …]``, with the milliseconds from that moment
    until the request returned. A turn that failed has no ``ready``, and its error as ``text``.
    """
    out = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    with ThreadPoolExecutor(THREADS) as threads:
        out.write(json.dumps("ready") + "\n")
        out.flush()
        for line in sys.stdin:
            answer = _together(threads, turn, json.loads(line))
            out.write(json.dumps(answer, ensure_ascii=False) + "\n")
            out.flush()


def _together(
    threads: ThreadPoolExecutor, turn: Turn, turns: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    start = threading.Event()
    began = 0.0

    def one(person: str, text: str) -> dict[str, Any]:
        start.wait()
        try:
            said = turn(person, text)
        except Exception as failed:  # noqa: BLE001 - counted and shown in the table
            return {"text": f"{type(failed).__name__}: {failed}"[:300]}
        return {"ready": (time.perf_counter() - began) * 1000, "text": said}

    running = [threads.submit(one, person, text) for person, text in turns]
    began = time.perf_counter()
    start.set()
    return [future.result() for future in running]
