"""Detects that a model repeats itself endlessly."""

from __future__ import annotations

LOOP_CHARACTERS = 2_000
REPETITIONS = 5
_STEP = 500  # characters between two checks


class LoopDetector:
    """Checks whether the last `LOOP_CHARACTERS` of a text repeat one block `REPETITIONS` times.

    A song repeats its refrain, code its braces and a table its cells, but with other text between
    them: only a block that follows itself directly counts. There is one check for `_STEP`
    characters at most, so that the whole takes time proportional to the text.
    """

    def __init__(self) -> None:
        self._tail = ""
        self._unchecked = 0

    def feed(self, piece: str) -> bool:
        """Take a piece of the text; return whether the text ends in a loop."""
        self._tail = (self._tail + piece)[-LOOP_CHARACTERS:]
        self._unchecked += len(piece)
        if self._unchecked < _STEP or len(self._tail) < LOOP_CHARACTERS:
            return False
        self._unchecked = 0
        return period(self._tail) * REPETITIONS <= LOOP_CHARACTERS


def period(text: str) -> int:
    """Return the length of the shortest block that a text repeats, perhaps cutting the last one.

    That is how far the text can be moved to the right so that it agrees with itself. This takes
    quadratic time, but of at most `LOOP_CHARACTERS`.
    """
    for length in range(1, len(text)):
        if text.startswith(text[length:]):
            return length
    return len(text)


def without_repetitions(text: str) -> str:
    """Return a text without the repetitions of one block at its end; any other text unchanged."""
    tail = text[-LOOP_CHARACTERS:]
    length = period(tail)
    if not tail or length * REPETITIONS > len(tail):
        return text
    end = len(text)
    while end > length and text[end - 1] == text[end - length - 1]:
        end -= 1
    return text[:end].rstrip()
