"""The parts of streamed Markdown that are certainly code, in which clients link no names."""

from __future__ import annotations

import re
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]

_FENCE = "```"
_OPENING = re.compile(r"```[A-Za-z0-9+#_.-]*\n")


class CodeSpans:
    """Reads an answer word by word and finds its code spans and fenced code blocks.

    Where a client could read the Markdown otherwise (a fence that is not alone on its line, text
    that is indented less than its fence, backticks without a partner), nothing counts as code:
    after a doubtful fence in the rest of the answer, after a doubtful backtick until a blank line.

    Source: https://spec.commonmark.org/0.31.2/#fenced-code-blocks
    """

    def __init__(self) -> None:
        self._fences_are_plain = True
        self._ticks_are_plain = True
        self._fence: int | None = None  # the indentation of the open fence, in spaces
        self._indent: int | None = 0  # None: the line has text already

    def is_open(self, text: str, start: int, end: int) -> bool:
        """Return whether inline code that begins in the word ``text[start:end]`` is still open."""
        if self._fence is not None or not self._ticks_are_plain:
            return False
        return text.count("`", start, end) % 2 == 1

    def read(self, word: str) -> list[Span]:
        """Take the next word, with the character that ends it; return its spans that are code."""
        indent = self._indent
        if word == "\n":
            if indent is not None:
                self._ticks_are_plain = True
            self._indent = 0
            return []
        if word == " " and indent is not None:
            self._indent = indent + 1
            return []
        self._indent = 0 if word.endswith("\n") else None
        if _FENCE in word or "~~~" in word:
            self._read_fence(word, indent)
            return []
        if self._fence is not None:
            if indent is not None and indent < self._fence:
                self._give_up()
                return []
            return [(0, len(word))]
        return self._inline(word) if "`" in word else []

    def _read_fence(self, word: str, indent: int | None) -> None:
        if indent is not None and self._fences_are_plain:
            if self._fence is None and _OPENING.fullmatch(word):
                self._fence = indent
                return
            if self._fence == indent and word == f"{_FENCE}\n":
                self._fence = None
                return
        self._give_up()

    def _give_up(self) -> None:
        self._fences_are_plain, self._fence = False, None

    def _inline(self, word: str) -> list[Span]:
        ticks = [place for place, character in enumerate(word) if character == "`"]
        if len(ticks) % 2 or "``" in word or "\\`" in word:
            self._ticks_are_plain = False
        if not self._ticks_are_plain:
            return []
        return list(zip(ticks[::2], ticks[1::2], strict=True))
