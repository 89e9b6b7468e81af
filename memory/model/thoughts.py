"""Removes what a model thinks, ``<think>…</think>``, from its text.

Many servers leave a model's thoughts in its text. A thought without an end tag extends to the end
of the text. Templates that begin the thought for the model leave only its end tag in the text:
everything before such a tag is thought.
"""

from __future__ import annotations

import regex

from memory.model.code import open_code

# A tag in code is quoted: an answer may explain it.
_MARK = regex.compile(
    r"(?P<line>\n[ \t>]{0,12}+)`*+(?=.)|`++(?=.)|<(?P<end>/?)think(?:ing)?>",
    regex.IGNORECASE | regex.DOTALL,
)


class ThoughtFilter:
    """Passes on the pieces of one message without its thoughts, while it is written.

    ::

        shown ──<think>──▶ thought ──</think>──▶ shown
        shown ──</think>─▶ shown, and what was passed on before was thought: `restarts` is set

    A tag may be split over pieces, so what may be the beginning of one is held back. White space
    around thoughts stays.
    """

    def __init__(self) -> None:
        self.restarts = False
        """Whether all that was passed on before the newest piece was a thought."""
        self._held = ""
        self._open_code = ""
        self._has_begun = False
        self._is_thought = False

    def feed(self, piece: str) -> str:
        """Take a piece of the message; return what can be shown now."""
        self.restarts = False
        text = self._held + piece
        start = 0
        end = len(text)
        shown: list[str] = []
        for mark in _MARK.finditer(text, partial=True):
            if mark.partial:
                end = mark.start()
                break
            if mark["end"] is None:
                if not self._is_thought:
                    self._note_code(mark)
                continue
            if self._open_code:
                continue
            is_end = bool(mark["end"])
            if not self._is_thought:
                shown.append(text[start : mark.start()])
            if is_end and not self._is_thought:
                shown.clear()
                self.restarts = True
            self._is_thought = not is_end
            start = mark.end()
        if not self._is_thought:
            shown.append(text[start:end])
        self._held = text[end:]
        self._has_begun = self._has_begun or end > 0
        return "".join(shown)

    def _note_code(self, mark: regex.Match[str]) -> None:
        """Note where code begins or ends.

        A block begins with its line: a thought may name its backticks within one.
        """
        ticks = mark[0].lstrip("\n \t>")
        if mark["line"]:
            self._open_code = open_code(self._open_code, "\n")
        elif not self._open_code and (self._has_begun or mark.start() > 0):
            ticks = ticks[:2]
        if ticks:
            self._open_code = open_code(self._open_code, ticks)

    def flush(self) -> str:
        """Return what was held back; the message has ended."""
        held = "" if self._is_thought else self._held
        self._held = ""
        return held


def without_thoughts(text: str) -> str:
    """Return a model's whole answer without its thoughts; one without any is returned as it is."""
    thoughts = ThoughtFilter()
    shown = thoughts.feed(text) + thoughts.flush()
    return text if shown == text else shown.strip()
