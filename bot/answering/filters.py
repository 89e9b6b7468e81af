"""Filters of an answer while it streams: citations, mentions, and endless repetition."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping

import regex

CODE = r"(?P<fence>`+|~{3,}+)|(?P<line>\n)"
"""A part of a pattern: what begins and ends code."""
_CODE_AT_END = r"(?<!`)`{1,64}+|(?<!~)~{1,64}+"


class OutsideCode:
    """Rewrites each match of a pattern, which has `CODE` as an alternative, outside of code.

    `begun` is a pattern of what may be the beginning of a match at the end of a piece. However the
    text is cut into pieces, the output as a whole is the same.
    """

    def __init__(self, pattern: regex.Pattern[str], begun: str) -> None:
        self._pattern = pattern
        self._begun = regex.compile(rf"(?:{begun}|{_CODE_AT_END})\Z", regex.VERSION1)
        self._held = ""
        self._last = ""
        self._open_code = ""

    def feed(self, piece: str) -> str:
        """Take a piece; return the text that can be shown now."""
        text = self._held + piece
        begun = self._begun.search(text)
        end = len(text)
        if begun:
            end = begun.start()
        self._held = text[end:]
        return self._read(text[:end])

    def flush(self) -> str:
        """Return the held text; the answer, or a part of it, has ended."""
        rest = self._held
        self._held = ""
        return self._read(rest)

    def rewritten(self, match: regex.Match[str]) -> str:
        """Return what takes the place of a match outside of code."""
        raise NotImplementedError

    def _read(self, text: str) -> str:
        before = self._last
        self._last = (before + text)[-1:]
        # What stands before a match decides, too: "a@Mia" has no name.
        shown = self._pattern.sub(self._shown, before + text, pos=len(before))
        return str(shown)[len(before) :]

    def _shown(self, match: regex.Match[str]) -> str:
        fence = match["fence"]
        if fence:
            is_longer = len(fence) >= len(self._open_code)
            if not self._open_code:
                self._open_code = fence
            elif fence[0] == self._open_code[0] and is_longer:
                self._open_code = ""
            return match[0]
        if match["line"]:
            # A span of code ends with its line, a block does not.
            if len(self._open_code) < 3:
                self._open_code = ""
            return match[0]
        return match[0] if self._open_code else self.rewritten(match)


_OPEN = "[\\[\uff3b\u3010\u3014\u3016]"
_CLOSE = "[\\]\uff3d\u3011\u3015\u3017]"
_NUMBER = r"\p{Nd}{1,4}"
_LETTER = "[mk\uff4d\uff4b]"
_BETWEEN = r"(?:\p{Zs}?[,;、，；]\p{Zs}?|\p{Zs})"
_MOST = 30  # marks between two brackets
_LIST = rf"{_LETTER}{_NUMBER}(?:{_BETWEEN}{_LETTER}?{_NUMBER}){{0,{_MOST - 1}}}"
# A mark before "(" is the label of a link.
_BLANK = r"[\p{Zs}\t]{1,8}+"
_MARKS = rf"(?:{_BLANK})?+{_OPEN}\p{{Zs}}?(?P<list>{_LIST})\p{{Zs}}?{_CLOSE}(?!\()"
_INSIDE = rf"[mk\uff4d\uff4b\p{{Nd}}\p{{Zs}},;、，；]{{0,{9 * _MOST}}}+"
_BEGUN = rf"{_BLANK}(?:{_OPEN}{_INSIDE}{_CLOSE}?)?+|{_OPEN}{_INSIDE}{_CLOSE}?"
_FLAGS = regex.VERSION1 | regex.IGNORECASE
_CITATIONS = regex.compile(f"{_MARKS}|{CODE}", _FLAGS)
_MARK = regex.compile(rf"(?P<letter>{_LETTER})?(?P<number>{_NUMBER})", _FLAGS)


class CitationFilter(OutsideCode):
    """Takes the marks out of an answer that arrives in pieces, each with the blank before it.

    Memories and kept lines stand in the prompt with marks, such as ``m3`` and ``k2``; the model
    writes ``[m3]`` after what rests on one. The person reads none of these: what is cited is
    offered below the answer. No word of an answer is compared with any other.

    `known` are the marks of the prompt. `cited` are those of them that the answer has, in order;
    others go as well. A mark in code stays, and so does one that is the label of a link.
    """

    def __init__(self, known: Collection[str] = ()) -> None:
        super().__init__(_CITATIONS, rf"(?i:{_BEGUN})")
        self._known = frozenset(known)
        self.cited: list[str] = []

    def rewritten(self, match: regex.Match[str]) -> str:
        """Note what is cited; nothing takes the place of the marks."""
        letter = ""
        for one in _MARK.finditer(match["list"]):
            if one["letter"]:
                letter = unicodedata.normalize("NFKC", one["letter"]).lower()  # noqa: TID251
            mark = f"{letter}{int(one['number'])}"
            if mark in self._known and mark not in self.cited:
                self.cited.append(mark)
        return ""


# What continues a word. Scripts without spaces between words are excluded: a particle may follow a
# name.
_WORD = r"[\w--\p{Han}--\p{Hiragana}--\p{Katakana}--\p{Thai}--\p{Lao}--\p{Khmer}--\p{Myanmar}]"


class AnswerNames(OutsideCode):
    """Turns names into mentions, in an answer that arrives in pieces.

    A model reads and writes names. ``@Mia Tanaka``, with its sign, becomes a mention again if the
    person mentions her in the message that is answered: an answer notifies no one else, whatever a
    thread or a memory says. All other names stay text, and so do ids and ``@channel``: `LinkFilter`
    puts a space behind each "<" that a model writes before them.

    `mentions` has them by their names. Code has none, because clients show a mention there as it is
    written.
    """

    def __init__(self, mentions: Mapping[str, str]) -> None:
        self._mentions = mentions
        # A name and what must not follow it.
        longest = max(map(len, mentions), default=0) + 2
        super().__init__(_names_and_code(mentions), rf"@[^\n@]{{0,{longest}}}")

    def rewritten(self, match: regex.Match[str]) -> str:
        """Return the mention of a name."""
        return self._mentions.get(match[0], match[0])


def without_mentions(answer: str, mentions: Mapping[str, str]) -> str:
    """Return an answer as its model wrote it: with the names of those whom it mentions."""
    for name, mention in mentions.items():
        answer = answer.replace(mention, name)
    return answer


def _names_and_code(names: Iterable[str]) -> regex.Pattern[str]:
    """Return a pattern of any of these names, as whole words, longest first, and of code.

    A name with a handle behind it, ``@Alex Kim (akim)``, is another one than that without.
    """
    longest_first = sorted(names, key=len, reverse=True)
    alternatives = "|".join(map(regex.escape, longest_first))
    name = rf"(?<!{_WORD})(?:{alternatives})(?!{_WORD}|\s\()"
    # Without names, nothing may match.
    either = rf"{name}|{CODE}" if alternatives else CODE
    # The cache would keep the names of hundreds of answers.
    return regex.compile(either, regex.VERSION1, cache_pattern=False)


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
