"""Citations: the marks by which a model says which memories and kept lines an answer rests on.

Memories and lines stand in the prompt with marks, such as ``m3`` and ``k2``; the model writes
``[m3]`` after what rests on one. The person reads none of these: what is cited is offered below the
answer. No word of an answer is compared with any other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

import regex

from bot.answering.outside_code import CODE, OutsideCode

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
_PATTERN = regex.compile(f"{_MARKS}|{CODE}", _FLAGS)
_ONE = regex.compile(rf"(?P<letter>{_LETTER})?(?P<number>{_NUMBER})", _FLAGS)


class CitationFilter(OutsideCode):
    """Takes the marks out of an answer that arrives in pieces, each with the blank before it.

    `known` are the marks of the prompt. `cited` are those of them that the answer has, in order;
    others go as well. A mark in code stays, and so does one that is the label of a link.
    """

    def __init__(self, known: Collection[str] = ()) -> None:
        super().__init__(_PATTERN, rf"(?i:{_BEGUN})")
        self._known = frozenset(known)
        self.cited: list[str] = []

    def rewritten(self, match: regex.Match[str]) -> str:
        """Note what is cited; nothing takes the place of the marks."""
        letter = ""
        for one in _ONE.finditer(match["list"]):
            if one["letter"]:
                letter = unicodedata.normalize("NFKC", one["letter"]).lower()  # noqa: TID251
            mark = f"{letter}{int(one['number'])}"
            if mark in self._known and mark not in self.cited:
                self.cited.append(mark)
        return ""
