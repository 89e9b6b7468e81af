"""Which texts are the same, and which words find a text: the columns `subject` and `plain`.

SQL compares these columns and folds nothing itself. A change of this module, or another version of
Unicode in Python or `regex`, is another `VERSION`: `kioku migrate` then writes the columns again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import regex

from memory.model.text import folded, texts

VERSION = 2
MAX_PLAIN = 4_000
"""The most characters of a memory that are searched: 2,000, with spaces around each mark."""

# An index of PostgreSQL takes 2,704 bytes, and a character has up to four.
_MAX_SUBJECT = 500
_DIGEST = 64  # hexadecimal digits of SHA-256
# Soft hyphens, joiners, direction marks and variation selectors: nobody sees or types them.
_INVISIBLE = regex.compile(
    r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}--\s]+", regex.V1
)
_TYPED_ALIKE = str.maketrans("‘’“”‐‑‒–—−", "''\"\"------")
# Scripts that are written without spaces.
_UNSPACED = (
    r"[[\p{scx=Hira}\p{scx=Kana}\p{scx=Han}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]"
    r"&&[\p{L}\p{M}\p{N}]]"
)
# C++ and C# are words; every other mark is one by itself.
_WORD = regex.compile(
    rf"{_UNSPACED}++|(?:(?!{_UNSPACED})[\p{{L}}\p{{M}}\p{{N}}])++(?:(?<=\p{{L}})[+#]++)?|\S",
    regex.V1,
)
_STARTS_UNSPACED = regex.compile(_UNSPACED, regex.V1)
_ENDS_OPEN = regex.compile(r"[\p{L}\p{M}\p{N}]{3}\Z", regex.V1)
# Around a word that is typed in a search; a sentence may end with it.
_AROUND = ".,;:!?。、'\"()[]{}「」『』"
# What makes no other thing: white space and punctuation, but for the sign and parts of a number.
_NO_NAME = regex.compile(
    r"(?:(?!(?<=\p{N})[.,:/-](?=\p{N})|(?<![\p{L}\p{N}])-(?=\p{N}))[^\p{L}\p{M}\p{N}\p{S}#])++"
)


def comparable(text: str) -> str:
    """Return a text for comparison: case, width, white space and punctuation make no difference.

    Symbols do: C, C++ and C# are three names; and so do the sign and the parts of a number: 1.5 is
    not 15. Of marks alone each makes a difference.
    """
    visible = _visible(text)
    return _NO_NAME.sub("", visible) or visible.strip()


def subject_column(text: str) -> str:
    """Return what a memory is about, for comparison: at most 500 characters.

    A longer one ends with its digest, so that two of them are the same only if all of it is.
    """
    whole = comparable(text)
    if len(whole) <= _MAX_SUBJECT:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return whole[: _MAX_SUBJECT - _DIGEST] + digest


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values of a field are the same: texts by `comparable`."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other or comparable(one) == comparable(other)
    return bool(one == other)


def plain_column(value: Mapping[str, Any]) -> str:
    """Return what a search finds of a row of `store`: its texts, then its quotes, newest first."""
    quotes = [str(one.get("evidence") or "") for one in value.get("sources") or ()]
    return plain([*texts(value["content"]), *reversed(quotes)])


def plain(said: Iterable[str]) -> str:
    """Return the words of texts, one space around each; at most `MAX_PLAIN` characters.

    A word is a run of letters and digits of scripts with spaces, a run of scripts without, or a
    mark: ``#4711`` has the words ``#`` and ``4711``. So each of them is found.
    """
    found = " "
    for text in said:
        words = " ".join(_WORD.findall(_visible(text)))
        # A quote often says no more than the content.
        if words and f" {words} " not in found:
            found += f"{words} "
        if len(found) > MAX_PLAIN:
            break
    return found[:MAX_PLAIN] if found.strip() else ""


def needles(typed: str, *, whole: bool = False) -> list[str]:
    """Return what is looked for in `plain` to find each word that somebody typed in a search.

    A word of three or more letters or digits finds longer ones by their beginning, unless `whole`
    is set, and a shorter one itself. One of a script without spaces is found anywhere.
    """
    found: dict[str, None] = {}
    for text in _visible(typed).split():
        words = plain([text.strip(_AROUND) or text]).strip()
        if not words:
            continue
        start = "" if _STARTS_UNSPACED.match(words) else " "
        is_unspaced = _STARTS_UNSPACED.match(words[-1]) is not None
        is_open = _ENDS_OPEN.search(words) is not None
        end = "" if is_unspaced or (is_open and not whole) else " "
        found[f"{start}{words}{end}"] = None
    return list(found)


def _visible(text: str) -> str:
    """Return a text as it is compared: folded, without invisible characters.

    What folding makes of one character may compose with the next one, and what stood between two
    may be invisible: both are done until nothing changes, so that the result is its own.
    """
    before = None
    while text != before:
        before = text
        text = _INVISIBLE.sub("", folded(text)).translate(_TYPED_ALIKE)
    return text
