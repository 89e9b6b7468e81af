"""What a person says about themselves, in the form both languages' rules produce."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from playground.model.lexicon import Domain, domain_of, is_japanese

Stance = Literal[
    "like",
    "dislike",
    "interest",
    "lost",
    "diet",
    "forget",
    "lesser",
    "fact",
    "instruct",
    "episode",
]
"""`lost`: the interest is gone; `lesser`: something else is preferred to it; `instruct`: how to
answer; `episode`: what was tried."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One thing said.

    `subject` is what it is about, `strength` 0-100 how strongly, `quote` the sentence it
    stands in, verbatim, and `detail` the clause. `replaces` is the name it corrects,
    `special` the kind of the subject that is meant (miso ramen of ramen); `action` and `result`
    are an episode's.
    """

    stance: Stance
    subject: str
    strength: int
    quote: str
    detail: str
    domain: Domain | None = None
    replaces: str | None = None
    special: str | None = None
    action: str | None = None
    result: str | None = None


MAX_TEXT: Final = 20_000
MAX_SENTENCE: Final = 400
"""Characters beyond which nothing is read: a pasted document says little about a person."""

_SENTENCE: Final = re.compile(r"[^\n。！？!?]*?(?:[。！？!?]+|\.(?=\s|$)|\n|$)")
_MARKS: Final = re.compile(r"[\s。！？!?.、,♪〜~…]+$")


def sentences(text: str) -> list[str]:
    """The sentences of `text`, verbatim, with their punctuation."""
    found = (match.group().strip() for match in _SENTENCE.finditer(text))
    return [sentence for sentence in found if re.search(r"\w", sentence)]


def without_marks(sentence: str) -> str:
    """The sentence without the punctuation at its end."""
    return _MARKS.sub("", sentence).strip()


def domain_in(subject: str, clause: str) -> Domain | None:
    """What kind of thing `subject` is, with the clause's verbs as a hint."""
    known = domain_of(subject)
    if known:
        return known
    if re.search(
        r"\b(eat|eating|drink|drinking|taste|delicious|cook)|食べ|飲む|飲み|美味|おいし|料理",
        clause,
    ):
        return "food"
    if re.search(
        r"\b(learn|learning|study|studying|program|programming|code|coding|tech|technology|"
        r"software|develop)|技術|学び|学ん|勉強|開発|プログラ|知識|習得",
        clause,
        re.IGNORECASE,
    ):
        return "tech"
    return None


def read_statements(text: str) -> list[Statement]:
    """Everything `text` says about its author, in order."""
    from playground.model import rules_en, rules_ja, stories

    found: list[Statement] = []
    short = (one for one in sentences(text[:MAX_TEXT]) if len(one) <= MAX_SENTENCE)
    for sentence in short:
        rules = rules_ja if is_japanese(sentence) else rules_en
        told = stories.read(sentence)
        found += [told] if told else rules.read(sentence)
    return found
