"""References: people, channels and groups that a text names by their id.

A reference is ``<@ID>`` for a person, ``<#ID>`` for a channel, and ``<!subteam^ID>`` for a group,
as chat apps write them. Texts are stored with references, so that they stay true when somebody is
renamed. A model reads names in their place, and what it writes is turned back into references.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import regex

from memory.model.namespace import Person
from memory.model.text import with_texts

_REFERENCE = regex.compile(r"<(?:@|#|!subteam\^)[A-Z0-9]{1,64}>")
_REFERENCE_OR_CHARACTER = regex.compile(rf"{_REFERENCE.pattern}|.", regex.DOTALL)
_PERSON = "<@"
# What continues a word. Scripts without spaces between words are excluded: a particle may follow a
# name.
_WORD = r"[\w--\p{Han}--\p{Hiragana}--\p{Katakana}--\p{Thai}--\p{Lao}--\p{Khmer}--\p{Myanmar}]"


def names_pattern(names: Iterable[str]) -> str:
    """Return a pattern (`regex.VERSION1`) of any of these names, as whole words, longest first."""
    longest_first = sorted(names, key=len, reverse=True)
    alternatives = "|".join(map(regex.escape, longest_first))
    return rf"(?<!{_WORD})(?:{alternatives})(?!{_WORD})"


def references_in(texts: Iterable[str]) -> list[str]:
    """Return the references in these texts, in order and without duplicates."""
    # A reference holds no line break, and one text is searched faster than many.
    found = _REFERENCE.findall("\n".join(texts))
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class References:
    """The names of references, such as ``@Mia Tanaka`` for ``<@U012AB3CD>``; names are unique.

    A reference without a name stays as it is. `typed` are words of a person: a name that is in them
    without being a reference is a word. People choose their own names.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    typed: str = ""

    def shown(self, text: str) -> str:
        """Return a stored text as a model reads it."""
        return str(_REFERENCE.sub(self._name_of, text))

    def rendered(self, text: str) -> RenderedText:
        """Return a stored text as a model reads it, with where each character comes from."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        for found in _REFERENCE_OR_CHARACTER.finditer(text):
            piece = self._name_of(found)
            pieces.append(piece)
            starts += [found.start()] * len(piece)
            ends += [found.end()] * len(piece)
        return RenderedText("".join(pieces), text, starts, ends)

    def _name_of(self, found: regex.Match[str]) -> str:
        return self.names.get(found[0], found[0])

    def stored(self, text: str) -> str:
        """Return a text that a model wrote with references in the place of names.

        A name counts with its sign, ``@Mia``. A person's name of several words also counts without
        it, because models leave the sign out, unless it is in `typed`.
        """
        if not self._by_name:
            return text
        return str(self._pattern.sub(lambda match: self._by_name[match[0]], text))

    def shown_in(self, value: Any) -> Any:
        """Return a JSON value with its texts as a model reads them."""
        return with_texts(value, self.shown)

    def stored_in(self, value: Any) -> Any:
        """Return a JSON value with its texts as they are stored."""
        return with_texts(value, self.stored)

    @cached_property
    def _by_name(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for reference, name in self.names.items():
            found[name] = reference
            bare = name[1:]
            if reference.startswith(_PERSON) and " " in bare and bare not in self.typed:
                found[bare] = reference
        return found

    @cached_property
    def _pattern(self) -> regex.Pattern[str]:
        # The cache would keep the names of hundreds of texts; those of one may take megabytes.
        return regex.compile(
            names_pattern(self._by_name), regex.VERSION1, cache_pattern=False
        )


FindReferences: TypeAlias = Callable[[Person, Iterable[str]], Awaitable[References]]
"""Returns the names of the references in texts of a person."""


async def no_references(_: Person, __: Iterable[str]) -> References:
    """Return no names: every text is shown as it is stored."""
    return References()


@dataclass(frozen=True, slots=True)
class RenderedText:
    """A text as a model reads it, and the stored text that it was made of.

    `starts` and `ends` have, for each character of `text`, where its origin in `stored` starts and
    ends: the character itself, or the whole reference whose name it is in.
    """

    text: str
    stored: str
    starts: Sequence[int]
    ends: Sequence[int]

    def stored_between(self, start: int, end: int) -> str:
        """Return the stored text of a part of `text`; a name at its edge is included whole."""
        if start == end:
            return ""
        return self.stored[self.starts[start] : self.ends[end - 1]]
