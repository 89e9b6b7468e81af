"""Removes what a model thinks, ``<think>…</think>``, from its text.

Many servers leave a model's thoughts in its text. A thought without an end tag extends to the end
of the text. Templates that begin the thought for the model leave only its end tag in the text:
everything before such a tag is thought.
"""

from __future__ import annotations

import regex

# A tag behind a backtick is quoted: an answer may explain what the tag is.
_TAG = regex.compile(r"(?<!`)<(?P<end>/?)think(?:ing)?>", regex.IGNORECASE)


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
        # The character before what is held: a quoted tag does not count.
        self._before = ""
        self._is_thought = False

    def feed(self, piece: str) -> str:
        """Take a piece of the message; return what can be shown now."""
        self.restarts = False
        text = self._before + self._held + piece
        start = len(self._before)
        end = len(text)
        shown: list[str] = []
        for tag in _TAG.finditer(text, start, partial=True):
            if tag.partial:
                end = tag.start()
                break
            is_end = bool(tag["end"])
            if not self._is_thought:
                shown.append(text[start : tag.start()])
            if is_end and not self._is_thought:
                shown.clear()
                self.restarts = True
            self._is_thought = not is_end
            start = tag.end()
        if not self._is_thought:
            shown.append(text[start:end])
        self._before = text[max(end - 1, 0) : end]
        self._held = text[end:]
        return "".join(shown)

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
