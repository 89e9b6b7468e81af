"""The table at the end: what was done, what was measured, what was found."""

from __future__ import annotations

from collections.abc import Sequence

_WIDTH = 46


class Table:
    """Lines in the order in which they were added; a violation is shown in capitals."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.violations = 0

    def fact(self, name: str, value: object) -> None:
        """Add what was done or measured."""
        self._lines.append(f"{name:{_WIDTH}} {value}")

    def check(self, name: str, found: Sequence[str]) -> None:
        """Add what was looked for, and what was found of it: nothing, or a violation."""
        self.violations += bool(found)
        shown = f"  {'; '.join(found[:6])}" if found else ""
        self._lines.append(
            f"{name.upper() if found else name:{_WIDTH}} {len(found)}{shown}"
        )

    def show(self) -> None:
        """Print it."""
        verdict = "Nothing was found."
        if self.violations:
            verdict = f"Found: the {self.violations} line(s) in capitals."
        tell("\n".join([*self._lines, "", verdict]))


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - output of a command
