"""Output of the commands: lines on standard output, a progress bar on standard error."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")

_WIDTH = 30
_REDRAWN_SECONDS = 0.1
_TOLD_SHARE = 0.1


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - output of a command


def quiet_without_reader(command: Callable[P, int]) -> Callable[P, int]:
    """Return `command`, ended without a traceback when the reader of standard output is gone.

    The exit code is then the one of a program that SIGPIPE ends, as of `yes` in `yes | head -1`.
    """

    @wraps(command)
    def ended(*given: P.args, **named: P.kwargs) -> int:
        try:
            try:
                return command(*given, **named)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            # Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE

    return ended


class ProgressBar:
    """A bar in a terminal; in a file, a line for each tenth."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._begun = time.monotonic()
        self._shown_at = float("-inf")
        self._told = 0.0
        self._is_terminal = sys.stderr.isatty()

    def show(self, done: int, total: int) -> None:
        """Show how many are done of how many."""
        share = done / max(total, 1)
        now = time.monotonic()
        whole = done >= total
        if self._is_terminal:
            if now - self._shown_at < _REDRAWN_SECONDS and not whole:
                return
            self._shown_at = now
            filled = round(share * _WIDTH)
            left = (now - self._begun) * (1 - share) / max(share, 1e-9)
            bar = "#" * filled + "." * (_WIDTH - filled)
            self._write(f"\r[{bar}] {done}/{total} {self._what}, {left:.0f} s left ")
        elif share >= self._told + _TOLD_SHARE or whole:
            self._told = share
            self._write(f"{done} of {total} {self._what}\n")

    def end(self) -> None:
        """End the line of the bar."""
        if self._is_terminal and self._shown_at > float("-inf"):
            self._write("\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
