"""What is too long for a prompt: its beginning and end are shown, and what is left out is said.

The model reads ``[… 5,000 characters left out …]`` where something is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bot.slack.names import whole_marks
from memory.credentials import redact
from memory.model import Line, estimated_tokens, framed, with_texts

_LEAST_TOKENS = 100
_REDACTED_CHARACTERS = 8_000  # of one text, which takes 12 milliseconds
_HALF_CREDENTIAL = 64


class Fitted(NamedTuple):
    """Lines of a frame that fit its budget; `is_cut`: something is left out."""

    lines: Sequence[Line]
    is_cut: bool


def left_out(count: int, what: str) -> str:
    """Return what stands in a prompt in the place of what is too long for it."""
    return f"[… {count:,} {what} left out …]"


def shorten(text: str, budget: int) -> str:
    """Return a text, or its beginning and end if it has more than `budget` tokens."""
    if estimated_tokens(text) <= budget:
        return text
    head = whole_marks(text[: _fitting(text, budget / 2)])
    tail = whole_marks(text[len(text) - _fitting(text[::-1], budget / 2) :])
    gap = left_out(len(text) - len(head) - len(tail), "characters")
    return f"{head}\n{gap}\n{tail}"


def _fitting(text: str, budget: float) -> int:
    """Return how many of the first characters fit into `budget` tokens."""
    for number, character in enumerate(text):
        budget -= 0.25 if character < "\x80" else 1.0
        if budget < 0:
            return number
    return len(text)


def shorten_all(value: Any, budget: int) -> Any:
    """Return a line with the texts in it shortened: `budget` tokens, and 100 for each at least."""
    left = budget

    def cut(text: str) -> str:
        nonlocal left
        short = shorten(text, max(left, _LEAST_TOKENS))
        left -= estimated_tokens(short)
        return short

    return with_texts(value, cut)


def without_credentials(text: str) -> str:
    """Return a text of others without credentials; of a very long one the beginning.

    The last characters of that are left out, too, because they may be half of a credential.
    """
    beginning = redact(text[:_REDACTED_CHARACTERS]).text
    beyond = len(text) - _REDACTED_CHARACTERS
    if beyond <= 0:
        return beginning
    gap = left_out(beyond + _HALF_CREDENTIAL, "characters")
    return f"{whole_marks(beginning[:-_HALF_CREDENTIAL])}\n{gap}"


def fit(lines: Sequence[Any], budget: int, what: str, *, missing: int = 0) -> Fitted:
    """Return the first line and the newest, as many as `budget` tokens hold, in order.

    Their texts are shortened to what is left of the budget, so that the last one may cost 100
    tokens too many. `missing` lines that are not in `lines` were between the first and the second.
    `what` lines are, such as "messages", is said where any are left out.
    """
    fitting: list[Line] = []
    is_cut = missing > 0
    for line in [*lines[:1], *reversed(lines[1:])]:
        if budget <= 0:
            missing += 1
            continue
        short = shorten_all(line, budget)
        is_cut = is_cut or short != line
        fitting.append(framed(short))
        budget -= estimated_tokens(fitting[-1]) + 1
    shown = [*fitting[:1], *reversed(fitting[1:])]
    if missing:
        shown.insert(1, framed(left_out(missing, what)))
    return Fitted(shown, is_cut or missing > 0)
