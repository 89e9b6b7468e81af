"""An execution environment of Lambda: one handler in a process, one invocation at a time.

``python -m tests.deploy.aws.environment package.module.function`` reads an invocation for each line
of standard input and writes its result as a line to standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from importlib import import_module
from typing import Any


class Context:
    """The part of Lambda's context object that a handler may use."""

    def __init__(self, arn: str, seconds: float) -> None:
        self.invoked_function_arn = arn
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


def main(name: str) -> None:
    """Serve invocations until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a handler prints is no answer
    begin = time.monotonic()
    module, _, function = name.rpartition(".")
    handler = getattr(import_module(module), function)
    _write(answers, {"ready_seconds": time.monotonic() - begin})
    for line in sys.stdin:
        invocation = json.loads(line)
        context = Context(invocation["arn"], invocation["seconds"])
        try:
            answer: dict[str, Any] = {"result": handler(invocation["event"], context)}
        except Exception as error:  # noqa: BLE001 - whatever a handler raises
            answer = {"error": type(error).__name__}
            traceback.print_tb(error.__traceback__)
            sys.stderr.write(f"{type(error).__name__} in a handler\n")
        _write(answers, answer)


def _write(answers: Any, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
