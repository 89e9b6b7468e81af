"""Where code begins and ends in Markdown."""

from __future__ import annotations


def open_code(before: str, mark: str) -> str:
    """Return the backticks of the code that is open after a mark, "" if none is.

    A mark is a run of backticks or the end of a line, `before` what was open before it. A span of
    code ends with its line, a block does not.
    """
    if mark == "\n":
        return before if len(before) >= 3 else ""
    if not before:
        return mark
    return before if len(mark) < len(before) else ""
