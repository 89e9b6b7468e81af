"""``python -m bot``, killed when it has taken its n-th step for a message or a reminder.

A step is a statement that PostgreSQL has carried out, or a call that Slack has answered. They are
counted while the file `END_FILE` holds n, from the statement that stores a message, or the first
one for a reminder; that statement is 1. What is sent by the clock is not counted, nor is what goes
to PostgreSQL together with the statement after it. The file is deleted before the end; without it
nothing is counted.
"""

from __future__ import annotations

import os
import runpy
import signal
from pathlib import Path
from typing import Any

import aiohttp

from bench.recording import Statement, traced

# The first statement for a message, and for a reminder.
_FIRST = ("INSERT INTO messages", "SELECT key, zone, at, message_id FROM reminders")


def main() -> None:
    """Run the app until it is ended."""
    file = Path(os.environ["END_FILE"])
    steps = last = 0

    def step(statement: Statement | None = None) -> None:
        nonlocal steps, last
        given = int(file.read_text("utf-8")) if file.exists() else 0
        if given != last:
            steps = 0
            last = given
        if steps or (statement and any(one in statement.text for one in _FIRST)):
            steps += 1
        if last and steps == last:
            file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    session: Any = aiohttp.ClientSession
    request = session._request

    async def answered(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = await request(self, *arguments, **options)
        step()
        return answer

    session._request = answered
    with traced(calls=False, carried_out=step):
        runpy.run_module("bot", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
