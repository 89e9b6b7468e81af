"""What a text is, read for the guard: fit to be kept, a statement, of whom, of what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from memory.clauses import Clause, Said, Words, fold
from memory.patterns import (
    ALONE,
    ASKS,
    CJK,
    INSTRUCTION,
    MARKUP,
    NAME,
    PAIR,
    PREDICATE,
    SECRET,
    STOP,
)
from memory.speakers import FIRST_PERSON, FRAME, HEARSAY, OTHER

MAX_TEXT = 2_000  # characters of a text that is kept

Refusal: TypeAlias = Literal[
    "no_evidence",
    "quoted",
    "joke",
    "outdated",
    "contradicted",
    "question",
    "hypothetical",
    "other_person",
    "secret",
    "instruction",
    "markup",
    "ungrounded",
    "no_retraction",
    "too_many_removals",
    "wider_audience",
    "changed_meanwhile",
    "deleted_meanwhile",
    "nothing_to_remove",
    "ended",
    "unusable_answer",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Words of the person that stand for a change: `text` as quoted, found in `said`."""

    text: str
    said: Said
    index: int
    clauses: tuple[Clause, ...]

    @property
    def words(self) -> Words:
        """The message it was found in."""
        return self.said.words


_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")


def holds_secret(text: str) -> bool:
    """Say whether `text` gives away a key, token, password, card number or the like."""
    folded = fold(text)
    return bool(SECRET.search(folded)) or any(
        _luhn(re.sub(r"\D", "", match.group())) for match in _CARD.finditer(folded)
    )


def _luhn(digits: str) -> bool:
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(d - 9 * (d > 9) for d in doubled) % 10 == 0


def instructs(text: str) -> bool:
    """Say whether `text` tells the assistant what to do, now or when a trigger comes."""
    return bool(INSTRUCTION.search(fold(text)))


def unfit(text: str) -> Refusal | None:
    """Say why `text` must not be kept, whoever said it: a secret, an instruction, markup."""
    if holds_secret(text):
        return "secret"
    if instructs(text):
        return "instruction"
    return "markup" if MARKUP.search(fold(text)) else None


def is_statement(clause: Clause) -> bool:
    """Say whether a clause says something, rather than naming or asking it."""
    return not asks(clause) and bool(PREDICATE.search(clause.text.rstrip(" ,、;")))


def texts(value: Any) -> list[str]:
    """Return every text within a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


def asks(clause: Clause) -> bool:
    """Say whether a clause is a question or a request."""
    return clause.asks or bool(ASKS.search(clause.text.rstrip(" ,、;")))


def continues(clause: Clause) -> bool:
    """Say whether a Japanese clause leaves out what it is about: it was named just before."""
    return (
        bool(CJK.search(clause.text))
        and is_statement(clause)
        and not re.search(r"\w[はがをも](?=\w)", clause.text)
    )


def is_other(text: str) -> bool:
    """Say whether folded `text` speaks of somebody else, or says what somebody else says."""
    text = FRAME.sub(" ", text)
    if HEARSAY.search(text):
        return True
    return bool(OTHER.search(text)) and not FIRST_PERSON.search(text)


def shares(subject: str, text: str) -> bool:
    """Say whether `text` speaks of `subject`: a word, a stem or a run of characters in common.

    Three kana or two ideographs make a run; one ideograph does where it stands alone in `text`.
    """
    wanted = _to_hiragana(_PREDICATE.sub("", fold(subject).strip()))
    heard = _to_hiragana(fold(text))
    if CJK.search(wanted) and wanted in heard:
        return True
    runs = CJK.findall(wanted)
    pieces = {run[i : i + 3] for run in runs for i in range(max(1, len(run) - 2))}
    pieces |= {pair for run in runs for pair in PAIR.findall(run)}
    alone = set(ALONE.findall(heard))
    return (
        any(piece in heard for piece in pieces if len(piece) > 1)
        or not alone.isdisjoint(wanted)
        or not _stems(wanted).isdisjoint(_stems(heard))
    )


# What is said of the thing is not the thing: of 「大阪に住んでいる」 it is 「大阪」.
_PREDICATE = re.compile(
    r"(?<=[\u3400-\u9fff々ァ-ヶーa-z0-9])[にをがはでと](?:[\u3400-\u9fff]{0,2})[ぁ-ん]{2,10}$"
)


def covers(subject: str, texts: Sequence[str]) -> bool:
    """Say whether at least half of what `subject` names, in Latin letters, is in `texts`."""
    names = _stems(fold(subject))
    return 2 * len(names & _stems(" ".join(map(fold, texts)))) >= len(names)


def _stems(text: str) -> set[str]:
    names = (name for name in NAME.findall(CJK.sub(" ", text)) if name not in STOP)
    singular = (name.removesuffix("s") if len(name) > 3 else name for name in names)
    return {name if len(name) < 5 else name[:4] for name in singular}


def _to_hiragana(text: str) -> str:
    return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in text)


def nearby(said: Sequence[Said], index: int) -> list[str]:
    """Return the own words, folded, of a message and of its neighbours."""
    return [said[i].own for i in (index - 1, index, index + 1) if 0 <= i < len(said)]
