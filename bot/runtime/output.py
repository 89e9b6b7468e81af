"""Output of the commands: lines on standard output, a progress bar on standard error."""

from __future__ import annotations

import sys
import time

_WIDTH = 30
_REDRAWN_SECONDS = 0.1
_TOLD_SHARE = 0.1


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - output of a command


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
