"""Figures and tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

_WHOLE_SIZE = 100


def number(value: float) -> str:
    """Return a figure as it is printed."""
    if abs(value) >= _WHOLE_SIZE:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; nothing where it has no rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
