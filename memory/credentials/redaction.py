"""Replace credentials in text by placeholders that name their kind, as ``[card number removed]``.

The placeholders are stored, so they are the same in every language.
docs/decisions/0025-redaction.md lists where text is redacted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from memory.credentials.detection import Credential, find_credentials

_PLACEHOLDER = re.compile(r"\[[A-Za-z ]+ removed\]")
_ASSIGNED = re.compile(r"\A[A-Za-z_]{1,40}=(?=[^=]{8})")  # some formats include their name
# A value that is not removed where nothing names it: under four characters, or like a short word,
# such as the password of postgres://postgres:postgres@localhost.
_WORD = re.compile(r"\A(?:.{0,3}|[A-Za-z]?(?:[a-z]{0,10}|[A-Z]{0,10}))\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A text without its credentials, and those that were removed, in order."""

    text: str
    removed: tuple[Credential, ...] = ()


def redact(text: str, known: Iterable[Credential] = ()) -> Redacted:
    """Return one text as `redact_texts` does."""
    return redact_texts(text, known=known)[0]


def redact_texts(*texts: str, known: Iterable[Credential] = ()) -> list[Redacted]:
    """Return texts of one message with a placeholder for each credential.

    What one of them names as a credential, or what is in `known`, is removed from all: a text may
    repeat a password without naming it. A value that is spelled like a short word stays: ordinary
    sentences contain it, too.
    """
    found = {text: find_credentials(text) for text in dict.fromkeys(texts)}
    known = dict.fromkeys(chain(known, *found.values()))
    return [_redacted(text, found[text], known) for text in texts]


def _redacted(text: str, found: list[Credential], known: Iterable[Credential]) -> Redacted:
    removed = [*found]
    for one in reversed(found):
        text = text[: one.start] + _placeholder(one) + text[one.end :]
    for one in known:
        value = _ASSIGNED.sub("", one.value.strip())
        if not _WORD.match(value) and value in text:
            whole = rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])"
            text, count = re.subn(whole, _placeholder(one), text)
            removed += [one] * bool(count)
    return Redacted(text=text, removed=tuple(removed))


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
