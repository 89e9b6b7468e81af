"""Replace the credentials of a text by placeholders that name their kind.

The rules find keys that are unlike words (`keys`), numbers of cards (`cards`) and values that the
text names (`labels`), in a text without hidden characters (`readable`). Each rule reads a limited
number of characters, so that the time is linear in the text's length.
docs/decisions/0016-credentials.md describes the rules, 0025-redaction.md where text is redacted.
The placeholders, such as ``[card number removed]``, are stored, and the same in every language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from memory.credentials.cards import find_cards
from memory.credentials.keys import find_keys
from memory.credentials.labels import find_labelled
from memory.credentials.readable import Found, Readable


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential in a text: its kind, such as "card number", value, and offsets in characters.

    The value is without hidden characters; the offsets are those of the text as typed. The value is
    never stored or logged.
    """

    kind: str
    value: str = field(repr=False)
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A text without its credentials, and those that were removed, in order."""

    text: str
    removed: tuple[Credential, ...] = ()


_PLACEHOLDER = re.compile(r"\[[A-Za-z ]+ removed\]")
# Different values of one message that are searched for in all its texts.
_MOST_VALUES = 100
# The name in a value: some formats include it.
_ASSIGNED = re.compile(r"\A[A-Za-z_]{1,40}=(?=[^=]{8})")
# Values that are not removed elsewhere in the texts: under four characters, or like a short word,
# such as the password in postgres://postgres:postgres@localhost.
_WORD = re.compile(r"\A(?:.{0,3}|[A-Za-z]?(?:[a-z]{0,10}|[A-Z]{0,10}))\Z", re.DOTALL)


def find_credentials(text: str) -> list[Credential]:
    """Return the credentials in `text`, in order and without overlaps."""
    return _found_in(Readable.of(text))


def _found_in(readable: Readable) -> list[Credential]:
    text = readable.text
    found = chain(find_keys(text), find_cards(text), find_labelled(text))
    credentials: list[Credential] = []
    for kind, start, end in _merged(found):
        typed_start, typed_end = readable.as_typed(start, end)
        credentials.append(Credential(kind, text[start:end], typed_start, typed_end))
    return credentials


def _merged(found: Iterable[Found]) -> list[Found]:
    """Return parts in order; overlapping parts become one, of the kind of the first."""
    merged: list[Found] = []
    # Of two that begin at the same place the longer one comes first.
    for part in sorted(found, key=lambda part: (part[1], -part[2])):
        _, start, end = part
        if not merged or start >= merged[-1][2]:
            merged.append(part)
            continue
        first_kind, first_start, first_end = merged[-1]
        merged[-1] = (first_kind, first_start, max(first_end, end))
    return merged


def redact(text: str, known: Iterable[Credential] = ()) -> Redacted:
    """Return one text as `redact_texts` does."""
    return redact_texts(text, known=known)[0]


def redact_texts(*texts: str, known: Iterable[Credential] = ()) -> list[Redacted]:
    """Return texts of one message with a placeholder for each credential.

    What is found in one of them, or is in `known`, is removed from all of them (up to
    `_MOST_VALUES` different values), because a text may repeat a password without naming it. A
    repeated value that looks like a short word stays: ordinary sentences contain it, too. Nothing
    else in a text is changed.
    """
    readable: dict[str, Readable] = {}
    found: dict[str, list[Credential]] = {}
    for text in dict.fromkeys(texts):
        readable[text] = Readable.of(text)
        found[text] = _found_in(readable[text])
    values: dict[str, Credential] = {}
    for one in chain(known, *found.values()):
        if len(values) >= _MOST_VALUES:
            break
        value = _ASSIGNED.sub("", one.value.strip())
        if not _WORD.match(value):
            values.setdefault(value, one)
    return [_redacted(text, readable[text], found[text], values) for text in texts]


def _redacted(
    text: str,
    readable: Readable,
    found: list[Credential],
    values: dict[str, Credential],
) -> Redacted:
    removed = dict.fromkeys(found)
    parts = [(one.kind, one.start, one.end) for one in found]
    for value, one in values.items():
        if value not in readable.text:  # cheaper than the pattern
            continue
        whole = rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])"
        for match in re.finditer(whole, readable.text):
            parts.append((one.kind, *readable.as_typed(*match.span())))
            removed[one] = None
    left: list[str] = []
    end_of_last = 0
    for kind, start, end in _merged(parts):
        left += [text[end_of_last:start], f"[{kind} removed]"]
        end_of_last = end
    left.append(text[end_of_last:])
    return Redacted(text="".join(left), removed=tuple(removed))


def is_redacted(text: str) -> bool:
    """Return whether `text` contains a placeholder."""
    return _PLACEHOLDER.search(text) is not None
