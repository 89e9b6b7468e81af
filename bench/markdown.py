"""Figures and tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_WHOLE_SIZE = 100


def number(value: float) -> str:
    """Return a figure as it is printed."""
    return f"{value:,.0f}" if abs(value) >= _WHOLE_SIZE else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; nothing where it has no rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def replaced(path: Path, marks: tuple[str, str], new: str) -> str:
    """Return the text of a page with what is between its marks replaced."""
    begin, end = marks
    before, _, rest = path.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{new}\n{end}{after}"
