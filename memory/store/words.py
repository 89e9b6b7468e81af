"""Search of memories by words, and of texts by the subjects of memories."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import regex

from memory.model.schemas import subject
from memory.model.text import folded, letters
from memory.store.memories import Memory

_TERM = regex.compile(
    r"(?P<run>[\p{Han}々]+|[\p{Katakana}ー]{2,}|[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]{3,})"
    r"|(?P<word>[\p{L}\p{M}\p{N}--[\p{Han}\p{Katakana}\p{Hiragana}]]{3,})",
    regex.VERSION1,
)
_STEM = 5  # letters by which words are compared; shorter words are compared whole
# A word that `folded_words` would shorten, as C++ and 🍜; and what belongs to no word, nor to such
# a one.
_SYMBOLS = regex.compile(r"\w[+#]|\p{So}")
_NO_NAME = regex.compile(r"[^\w+#\p{So}]+")
_SHORT = re.compile(r"[a-z]{1,2}")
_BEGINS = "(?<![a-z0-9])"
# Common words, which are not the subject of a fact.
_COMMON = frozenset(
    """about also always and are been called can does doing done for from goes going had has have
    her his into its just know knows like likes live lived lives love loves make makes name named
    not now often one our out really she some than that the their them there they this use uses used
    very want wants was were what when where which who with work works would you your""".split()  # noqa: SIM905
)


def folded_words(text: str) -> str:
    """Return `text` for comparison: NFKC, case folded, other characters than words as one space."""
    return re.sub(r"\W+", " ", folded(text)).strip()


class SubjectTerms:
    """The subjects of some memories as terms to find in texts.

    Words are compared by their first letters, so that "mushroom" matches "mushrooms", and scripts
    without spaces by runs of two or three characters. Texts that repeat a forgotten subject are
    deleted by it, so false matches are preferred over missed ones. The time for one text does not
    depend on the number of memories.
    """

    def __init__(self, memories: Iterable[Memory]) -> None:
        self._terms: set[str] = set()
        self._subjects: dict[str, set[str]] = {}
        for about in {subject(memory.kind, memory.content) for memory in memories}:
            if whole := letters(about):
                self._terms |= _terms(about)
                self._subjects.setdefault(whole[:_STEM], set()).add(whole)
        self._shorter = {start for start in self._subjects if len(start) < _STEM}

    def found_in(self, text: str) -> bool:
        """Return whether `text` contains a term of one of the subjects."""
        if not self._subjects:
            return False
        return not self._terms.isdisjoint(_terms(text)) or self._holds(letters(text))

    def _holds(self, found: str) -> bool:
        if any(short in found for short in self._shorter):
            return True
        starts = (found[offset : offset + _STEM] for offset in range(len(found)))
        return any(
            found.startswith(whole, offset)
            for offset, start in enumerate(starts)
            for whole in self._subjects.get(start, ())
        )


def _terms(text: str) -> set[str]:
    found: set[str] = set()
    for match in _TERM.finditer(folded(text)):
        if run := match["run"]:
            size = min(len(run), 2 if regex.match(r"\p{Han}", run) else 3)
            found |= {run[i : i + size] for i in range(len(run) - size + 1)}
        elif match["word"] not in _COMMON:
            found.add(match["word"][:_STEM].removesuffix("s"))
    return found


def search_words(words: str) -> list[str]:
    """Return the words that `matching` looks for: C++, C# and emoji with their symbols."""
    return [
        word
        for given in _spelled(words).split()
        for word in ([given] if _SYMBOLS.search(given) else folded_words(given).split())
    ]


def _spelled(text: str) -> str:
    """Return `text` as `folded_words` does, but with the symbols of names as C++, and emoji."""
    return _NO_NAME.sub(" ", folded(text.replace("\ufe0f", "")))


def _pattern(word: str, *, whole: bool) -> re.Pattern[str]:
    """Return the pattern that finds a word of `search_words`; with `whole`, in no longer word."""
    if _SYMBOLS.search(word):
        return re.compile(rf"{_BEGINS if word[0].isalnum() else ''}{re.escape(word)}(?![+#])")
    whole = whole or bool(_SHORT.fullmatch(word))
    return re.compile(f"{_BEGINS}{re.escape(word)}(?![a-z0-9])" if whole else re.escape(word))


def matching(memories: Sequence[Memory], words: str, *, whole_words: bool = False) -> list[Memory]:
    """Return the memories whose content contains all `words`; if none does, search evidence too.

    With `whole_words`, “car” is not found in “carpet”; Japanese words, without spaces, are. Words
    of one or two Latin letters are always whole. Content comes first, because one message can be
    the evidence of several memories. Of a memory that was edited in a form, only what was typed
    there and later sources are evidence.
    """
    wanted = search_words(words)
    patterns = [_pattern(word, whole=whole_words) for word in wanted]
    symbols = any(map(_SYMBOLS.search, wanted))
    if not wanted:
        return []

    def contains(text: str) -> bool:
        known = f"{folded_words(text)} {_spelled(text)}" if symbols else folded_words(text)
        return all(pattern.search(known) for pattern in patterns)

    def found(texts: Callable[[Memory], list[str]]) -> list[Memory]:
        return [memory for memory in memories if contains(" ".join(texts(memory)))]

    def values(memory: Memory) -> list[str]:
        return [str(value) for value in memory.content.values() if value is not None]

    def said(memory: Memory) -> list[str]:
        return values(memory) + [str(one.get("evidence", "")) for one in _supporting(memory)]

    return found(values) or found(said)


def _supporting(memory: Memory) -> Sequence[Mapping[str, Any]]:
    """Return the sources since the last edit in a form, which replaces what was said before."""
    typed = [i for i, source in enumerate(memory.sources) if source.get("kind") == "modal"]
    return memory.sources[typed[-1] :] if typed else memory.sources
