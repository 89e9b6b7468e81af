"""What may be stored: pure judgements over a person's own words. Detectors miss things; what
carries the weight is structure: every memory quotes a whole clause the person typed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

from memory.clauses import Clause, Said, Words, clean, fold, normalise
from memory.patterns import (
    ALONE,
    ASKS,
    CJK,
    CONDITION,
    DOUBT,
    FIRST_PERSON,
    FORGET,
    FRAME,
    HYPOTHETICAL,
    INSTRUCTION,
    LEFT_BEHIND,
    MARKUP,
    NAME,
    NO_RETRACTION,
    OTHER,
    PAIR,
    PREDICATE,
    REFERS,
    REPORTED,
    RETRACTION,
    SECRET,
    STOP,
)

Refusal: TypeAlias = Literal[
    "no_evidence",
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
    "unusable_answer",
]

MAX_REMOVALS = 3
MAX_TEXT = 2_000
MAX_PLACES = 8  # of one quote in one message


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


# --- secrets, instructions, markup ---------------------------------------------------------

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


def _unfit(text: str) -> Refusal | None:
    if holds_secret(text):
        return "secret"
    if instructs(text):
        return "instruction"
    return "markup" if MARKUP.search(fold(text)) else None


# --- evidence ------------------------------------------------------------------------------


def _is_statement(clause: Clause) -> bool:
    return not _asks(clause) and bool(PREDICATE.search(clause.text.rstrip(" ,、;")))


def _asks(clause: Clause) -> bool:
    return clause.asks or bool(ASKS.search(clause.text.rstrip(" ,、;")))


def _is_other(text: str) -> bool:
    return bool(OTHER.search(text)) and not FIRST_PERSON.search(FRAME.sub(" ", text))


def find_quote(quote: str, said: Sequence[Said]) -> Quote | Refusal:
    """Find `quote` as a whole clause, a run of whole clauses or a whole message of `said`.

    The newest message that holds it counts. Returns the code of the refusal otherwise.
    """
    text = clean(quote).strip()
    wanted = normalise(text)
    if len(wanted.replace(" ", "")) < 2:
        return "no_evidence"
    if refusal := _unfit(text):
        return refusal
    refusal = "no_evidence"
    for index in reversed(range(len(said))):
        for start, end in islice(said[index].find(wanted), MAX_PLACES):
            inside = tuple(c for c in said[index].clauses if c.start < end and start < c.end)
            found = _judge(said[index], inside, start, end)
            if found is None:
                return Quote(text=text[:MAX_TEXT], said=said[index], index=index, clauses=inside)
            refusal = found
    return refusal


def _judge(said: Said, inside: Sequence[Clause], start: int, end: int) -> Refusal | None:
    first, last = said.sentences[inside[0].sentence], said.sentences[inside[-1].sentence]
    sentences, spoken = said.text[first[0] : last[1]], said.text[start:end]
    before, after = said.text[first[0] : start], said.text[end : last[1]]
    if refusal := _unfit(sentences):
        return refusal
    if all(_asks(clause) for clause in inside):
        return "question"
    whole = normalise(spoken) == normalise(said.text)
    if not whole and not any(_is_statement(clause) for clause in inside):
        return "no_evidence"
    if HYPOTHETICAL.search(sentences):
        return "hypothetical"
    if REPORTED.search(before) or REPORTED.search(after) or CONDITION.search(before):
        return "no_evidence"
    if OTHER.search(sentences) and not FIRST_PERSON.search(FRAME.sub(" ", spoken)):
        return "other_person"
    return None


# --- content -------------------------------------------------------------------------------


def clean_content(content: Mapping[str, Any], limit: int | None = MAX_TEXT) -> dict[str, Any]:
    """Return `content` without invisible marks, each text at most `limit` characters long."""
    return {clean(key): _clean_value(value, limit) for key, value in content.items()}


def _clean_value(value: Any, limit: int | None) -> Any:
    if isinstance(value, str):
        return clean(value).strip()[:limit]
    if isinstance(value, Mapping):
        return clean_content(value, limit)
    if isinstance(value, list):
        return [_clean_value(item, limit) for item in value]
    return value


def texts(value: Any) -> list[str]:
    """Return every text within a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


def check_content(content: Mapping[str, Any]) -> Refusal | None:
    """Refuse content that holds a secret, an instruction or markup."""
    return next((refusal for text in texts(content) if (refusal := _unfit(text))), None)


def shares(subject: str, text: str) -> bool:
    """Say whether `text` speaks of `subject`: a word, a stem or a run of characters in common.

    Three kana or two ideographs make a run; one ideograph does where it stands alone in `text`.
    """
    wanted, heard = _to_hiragana(fold(subject)).strip(), _to_hiragana(fold(text))
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


def _stems(text: str) -> set[str]:
    names = (name for name in NAME.findall(CJK.sub(" ", text)) if name not in STOP)
    singular = (name.removesuffix("s") if len(name) > 3 else name for name in names)
    return {name if len(name) < 5 else name[:4] for name in singular}


def _to_hiragana(text: str) -> str:
    return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in text)


def check_grounds(subjects: Sequence[str], quote: Quote, said: Sequence[Said]) -> Refusal | None:
    """Refuse unless the person said it, of themself and of one of `subjects`, there or nearby.

    Loose on purpose: 「クラウド」 may become "AWS" where the message names AWS too, and "I love it"
    may refer to what the neighbouring message names.
    """
    about = [c for c in quote.clauses if any(shares(subject, c.text) for subject in subjects)]
    refers = any(REFERS.search(c.text) and not _asks(c) for c in quote.clauses)
    if about:
        stated = [clause for clause in about if not _asks(clause)]
        if not stated and not refers:
            return "question"
        if stated and all(_is_other(clause.text) for clause in stated):
            return "other_person"
        return None
    nearby = _nearby(said, quote.index) if refers else [quote.said.text]
    if any(shares(subject, text) for subject in subjects for text in nearby):
        return None
    return "ungrounded"


def _nearby(said: Sequence[Said], index: int) -> list[str]:
    return [said[i].text for i in (index - 1, index, index + 1) if 0 <= i < len(said)]


# --- removal -------------------------------------------------------------------------------


def retraction(subject: str, said: Sequence[Said]) -> Quote | None:
    """Find the clause, newest first, in which the person contradicts or takes back `subject`.

    The clause touches the subject itself, or refers to it ("it", 「それ」) where the same or a
    neighbouring message names it. Words about which the person was asked take nothing back.
    """
    for index in reversed(range(len(said))):
        message = said[index]
        if message.words.asked:
            continue
        sound: dict[int, bool] = {}
        for clause in reversed(message.clauses):
            if _takes_back(clause) and _touches(clause, subject, said, index):
                if clause.sentence not in sound:
                    sound[clause.sentence] = _is_sound(message, clause.sentence)
                if sound[clause.sentence]:
                    text = clause.text.strip(" ,、;")[:MAX_TEXT]
                    return Quote(text=text, said=message, index=index, clauses=(clause,))
    return None


def _takes_back(clause: Clause) -> bool:
    return (
        bool(RETRACTION.search(NO_RETRACTION.sub(" ", clause.text)))
        and (bool(FORGET.search(clause.text)) or not _asks(clause))
        and not DOUBT.search(clause.text)
        and not CONDITION.search(clause.text)
        and not _is_other(clause.text)
    )


def _is_sound(said: Said, number: int) -> bool:
    start, end, _ = said.sentences[number]
    sentence = said.text[start:end]
    return not (HYPOTHETICAL.search(sentence) or REPORTED.search(sentence) or _unfit(sentence))


def _touches(clause: Clause, subject: str, said: Sequence[Said], index: int) -> bool:
    left = LEFT_BEHIND.search(clause.text)
    if left:
        return any(shares(subject, old) for old in left.groups() if old)
    return shares(subject, clause.text) or (
        bool(REFERS.search(clause.text))
        and any(shares(subject, text) for text in _nearby(said, index))
    )
