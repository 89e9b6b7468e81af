"""Replace credentials in text by placeholders that name their kind, as ``[card number removed]``.

The placeholders are stored, so they are the same in every language.
docs/decisions/0025-redaction.md lists where text is redacted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from memory.credentials.detection import KINDS, Credential, find_credentials

_PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(KINDS)}) removed\]")
_ASSIGNED = re.compile(r"\A[A-Za-z_]{1,40}=(?=[^=]{8})")  # some formats include their name
_MIN_VALUE = 4  # characters of a value that is also removed where nothing names it
# Such as the password of postgres://postgres:postgres@localhost.
_WORD = re.compile(r"\A[A-Za-z]?(?:[a-z]{0,10}|[A-Z]{0,10})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A text without its credentials, and those that were removed, in order."""

    text: str
    removed: tuple[Credential, ...] = ()


def redact(text: str, known: Iterable[Credential] = ()) -> Redacted:
    """Return `text` with a placeholder for each credential, and for each value of `known` in it.

    `known` are credentials of another text: this one may repeat a password without naming it.
    A value that is spelled like a short word stays: ordinary sentences contain it, too.
    """
    removed = find_credentials(text)
    for one in reversed(removed):
        text = text[: one.start] + _placeholder(one) + text[one.end :]
    for one in known:
        value = _ASSIGNED.sub("", one.value.strip())
        if len(value) >= _MIN_VALUE and not _WORD.match(value) and value in text:
            whole = rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])"
            text, count = re.subn(whole, _placeholder(one), text)
            removed += [one] * bool(count)
    return Redacted(text=text, removed=tuple(removed))


def redact_texts(*texts: str, known: Iterable[Credential] = ()) -> list[Redacted]:
    """Redact texts of one message; what one of them names as a credential is removed from all."""
    known = tuple(known)
    read = {text: redact(text, known) for text in dict.fromkeys(texts)}
    found = dict.fromkeys(one for each in read.values() for one in each.removed)
    for text, one in read.items() if found else ():
        again = redact(one.text, found)
        read[text] = Redacted(text=again.text, removed=(*one.removed, *again.removed))
    return [read[text] for text in texts]


def redact_json(value: Any, known: Iterable[Credential] = ()) -> Any:
    """Return a JSON value with its strings redacted; names of fields stay."""
    known = tuple(known)
    if isinstance(value, str):
        return redact(value, known).text
    if isinstance(value, list):
        return [redact_json(one, known) for one in value]
    if isinstance(value, dict):
        return {name: redact_json(one, known) for name, one in value.items()}
    return value


def is_redacted(text: str) -> bool:
    """Return whether `text` contains a placeholder."""
    return _PLACEHOLDER.search(text) is not None


def _placeholder(one: Credential) -> str:
    return f"[{one.kind} removed]"
