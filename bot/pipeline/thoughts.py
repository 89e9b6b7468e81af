"""Removes a model's thoughts from its text while it is written."""

from __future__ import annotations

from typing import Final

from memory.model import THOUGHT_TAG

_LONGEST_TAG: Final = len("</thinking>")
_TAGS: Final = ("<think>", "<thinking>", "</think>", "</thinking>")


class ThoughtFilter:
    """Passes on the pieces of one message without ``<think>…</think>``, as `without_thoughts` does.

    ::

        shown ──<think>──▶ thought ──</think>──▶ shown
        shown ──</think>─▶ shown, and what was passed on before was thought: `restarts` is set

    A tag may be split over pieces, so what may be the beginning of one is held back. A thought that
    is not closed lasts to the end of the message. White space around thoughts stays.
    """

    def __init__(self) -> None:
        self.restarts = False
        """Whether all that was passed on before the newest piece was a thought."""
        self._held = ""
        self._before = ""  # the character before what is held: a quoted tag does not count
        self._is_thought = False

    def feed(self, piece: str) -> str:
        """Take a piece of the message; return what can be shown now."""
        self.restarts = False
        text = self._before + self._held + piece
        start = len(self._before)
        shown = ""
        for tag in THOUGHT_TAG.finditer(text):
            is_end = bool(tag["end"])
            if is_end and not self._is_thought:
                shown = ""
                self.restarts = True
            elif not self._is_thought:
                shown += text[start : tag.start()]
            self._is_thought = not is_end
            start = tag.end()
        rest = text[start:]
        kept = _tag_begun(rest)
        end = len(text) - kept
        if not self._is_thought:
            shown += text[start:end]
        self._before = text[max(end - 1, 0) : end]
        self._held = text[end:]
        return shown

    def flush(self) -> str:
        """Return what was held back; the message has ended."""
        held = "" if self._is_thought else self._held
        self._held = ""
        return held


def _tag_begun(text: str) -> int:
    """Return the length of the end of a text that may be the beginning of a tag."""
    at = text.rfind("<", max(len(text) - _LONGEST_TAG, 0))
    if at < 0:
        return 0
    begun = text[at:].lower()
    may_be = any(tag.startswith(begun) for tag in _TAGS)
    return len(text) - at if may_be else 0
