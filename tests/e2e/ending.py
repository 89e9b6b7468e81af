"""``python -m bot``, killed when it has taken its n-th step for a message.

A step is a statement that PostgreSQL has carried out, or a call that Slack has answered.
`END_AFTER` is n, counted from the statement that stores the message, which is 1. What is sent by
the clock is not counted, nor is what goes to PostgreSQL together with the statement after it.
`END_FILE` is made before the end.
"""

from __future__ import annotations

import os
import runpy
import signal
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from bench.recording import Statement, traced


def main() -> None:
    """Run the app until it is ended."""
    last, file = int(os.environ["END_AFTER"]), Path(os.environ["END_FILE"])
    numbers, begun = count(1), False

    def step() -> None:
        if next(numbers) == last:
            file.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def carried_out(statement: Statement) -> None:
        nonlocal begun
        begun = begun or "INSERT INTO messages" in statement.text
        if begun and not statement.by_the_clock:
            step()

    session: Any = aiohttp.ClientSession
    request = session._request

    async def answered(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = await request(self, *arguments, **options)
        if begun:
            step()
        return answer

    session._request = answered
    with traced(calls=False, carried_out=carried_out):
        runpy.run_module("bot", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
