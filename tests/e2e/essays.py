"""Long answers: text and code in numbered lines, so that none can go missing unseen."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^```\w*$", re.MULTILINE)


def essay(characters: int) -> str:
    """Return Markdown of exactly so many characters: paragraphs, and code blocks among them."""
    lines: list[str] = []
    size = number = 0
    while size < characters:
        number += 1
        if number % 40 == 20:
            lines.append("```python")
        lines.append(f"Line {number}: the quick brown fox jumps over dog {number * 7}.")
        if number % 40 == 39:
            lines += ["```", ""]
        size = len("\n".join(lines))
    text = "\n".join(lines)[: characters - 4].rstrip()
    text = f"{text}\n```" if len(_FENCE.findall(text)) % 2 else text
    return text.ljust(characters, ".")


def substance(*parts: str) -> str:
    """Return all of a text's parts without white space and the borders of code blocks."""
    return re.sub(r"\s+", "", _FENCE.sub("", "\n".join(parts)))


def balanced(part: str) -> bool:
    """Say whether every code block that begins in a message ends in it."""
    return len(_FENCE.findall(part)) % 2 == 0
