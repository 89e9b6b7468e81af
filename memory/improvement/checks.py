"""Checks on a new prompt section, which many people's answers are made with."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Literal, TypeAlias

from memory.model.text import folded

PromptRefusal: TypeAlias = Literal["empty", "placeholder", "too_long", "person", "quote"]

MAX_PROMPT = 1_300  # characters: both texts of a difference fit into one message in Slack
_GROWTH = 2
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
# Ids and mentions in Slack, and e-mail addresses.
_IDENTITY = re.compile(r"<[@#!]|\b[UW][A-Z0-9]{7,}\b|(?<=[\w.+-])@[\w-]++\.\w")
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힯]|[^\W_぀-ヿ㐀-鿿가-힯]+")
# A quotation is five words, or ten characters of a script without spaces.
_QUOTED = 10


def prompt_refusal(
    new: str, old: str, *, texts: Iterable[str] = (), names: Collection[str] = ()
) -> PromptRefusal | None:
    """Return why `new` must not take the place of `old`; None if it may.

    `texts` are what people wrote and were answered, `names` what they are called. What `old` holds
    already is neither a quotation nor a name.
    """
    if not new.strip():
        return "empty"
    if set(_PLACEHOLDER.findall(new)) != set(_PLACEHOLDER.findall(old)):
        return "placeholder"
    if len(new) > min(_GROWTH * len(old), MAX_PROMPT):
        return "too_long"
    called = {one for name in names for one in _called(name)}
    if _IDENTITY.search(new) or any(_names(one, new) and not _found(one, old) for one in called):
        return "person"
    added = _runs(new) - _runs(old)
    return "quote" if any(added & _runs(text) for text in texts) else None


def _called(name: str) -> set[str]:
    """Return a name with its parts of three characters or more."""
    parts = [one for one in name.split() if len(one) > 2]
    return {one for one in (name, *parts) if len(one) > 1}


def _found(name: str, text: str) -> list[str]:
    """Return how `text` writes `name` where it has it as a word, in capital letters or not."""
    wanted = re.escape(unicodedata.normalize("NFKC", name))
    found = re.compile(rf"(?<![a-z0-9]){wanted}(?![a-z0-9])", re.IGNORECASE)
    return found.findall(unicodedata.normalize("NFKC", text))


def _names(name: str, text: str) -> bool:
    """Return whether `text` names a person: a single word in small letters, as "will", does not."""
    return any(not (one.isalpha() and one[0].islower()) for one in _found(name, text))


def _runs(text: str) -> set[tuple[str, ...]]:
    """Return every run of `_QUOTED` parts; a word of letters counts as two."""
    parts: list[str] = []
    for word in _WORD.findall(folded(text)):
        parts += [word] if word >= "぀" else [word, ""]
    return {tuple(parts[n : n + _QUOTED]) for n in range(len(parts) - _QUOTED + 1)}
