"""What may be stored: pure judgements over a person's own words. Detectors miss things; what
carries the weight is structure: every memory quotes a whole clause the person typed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from memory.clauses import Clause, Said, Words, clean, fold, normalise
from memory.patterns import (
    ASKS,
    CONDITION,
    FIRST_PERSON,
    HYPOTHETICAL,
    INSTRUCTION,
    MARKUP,
    NO_RETRACTION,
    OTHER,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Words of the person that stand for a change: `text` as quoted, found in `said`."""

    text: str
    said: Said
    index: int

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
    text = clause.text.rstrip(" ,、;")
    return not clause.asks and not ASKS.search(text) and bool(PREDICATE.search(text))


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
        for start, end in said[index].find(wanted):
            found = _judge(said[index], start, end)
            if found is None:
                return Quote(text=text[:MAX_TEXT], said=said[index], index=index)
            refusal = found
    return refusal


def _judge(said: Said, start: int, end: int) -> Refusal | None:
    touched = [s for s in said.sentences if s[0] < end and start < s[1]]
    sentences = said.text[touched[0][0] : touched[-1][1]]
    before = said.text[touched[0][0] : start]
    after = said.text[end : touched[-1][1]]
    if refusal := _unfit(sentences):
        return refusal
    inside = [c for c in said.clauses if c.start < end and start < c.end]
    if not any(_is_statement(c) for c in inside):
        if _is_whole(said, start, end) and not any(c.asks or ASKS.search(c.text) for c in inside):
            return None
        if any(c.asks or ASKS.search(c.text.rstrip(" ,、;")) for c in inside):
            return "question"
        return "no_evidence"
    if HYPOTHETICAL.search(sentences):
        return "hypothetical"
    if REPORTED.search(before) or REPORTED.search(after) or CONDITION.search(before):
        return "no_evidence"
    spoken = said.text[start:end]
    if OTHER.search(sentences) and not FIRST_PERSON.search(spoken):
        return "other_person"
    return None


def _is_whole(said: Said, start: int, end: int) -> bool:
    return normalise(said.text[start:end]) == normalise(said.text)


# --- content -------------------------------------------------------------------------------

_CJK = re.compile(r"[\u3041-\u30ff\u3400-\u9fff\uac00-\ud7af々]+")
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff]")
_NAME = re.compile(r"[^\W_]+")


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


def _features(text: str) -> set[str]:
    folded = _to_hiragana(fold(text))
    found: set[str] = set()
    for run in _CJK.findall(folded):
        found.update(run[i : i + 2] for i in range(len(run) - 1))
        found.update(_IDEOGRAPH.findall(run))
        if len(run) == 1:
            found.add(run)
    for name in _NAME.findall(_CJK.sub(" ", folded)):
        if name not in STOP:
            found.add(name if len(name) < 5 else name[:4])
    return found


def _to_hiragana(text: str) -> str:
    return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in text)


def shares(subject: str, text: str) -> bool:
    """Say whether two texts have a word, an ideograph or two kana in common."""
    return not _features(subject).isdisjoint(_features(text))


def is_grounded(subjects: Sequence[str], quote: Quote, said: Sequence[Said]) -> bool:
    """Say whether one of `subjects` is in the quote's message, or referred to from its neighbour.

    Loose on purpose: 「クラウド」 may become "AWS" where the same message names AWS.
    """
    nearby = [quote.said.text]
    if REFERS.search(fold(quote.text)):
        nearby += [said[i].text for i in (quote.index - 1, quote.index + 1) if 0 <= i < len(said)]
    return any(shares(subject, text) for subject in subjects for text in nearby)


# --- removal -------------------------------------------------------------------------------


def retraction(subject: str, said: Sequence[Said]) -> Quote | None:
    """Find the clause, newest first, in which the person contradicts or takes back `subject`.

    The clause touches the subject itself, or refers to it ("it", 「それ」) where the same or a
    neighbouring message names it.
    """
    for index in reversed(range(len(said))):
        for clause in reversed(said[index].clauses):
            if _takes_back(clause, said[index]) and _touches(clause, subject, said, index):
                text = said[index].text[clause.start : clause.end].strip(" ,、;")
                return Quote(text=text[:MAX_TEXT], said=said[index], index=index)
    return None


def _takes_back(clause: Clause, said: Said) -> bool:
    start, end, _ = said.sentences[clause.sentence]
    sentence = said.text[start:end]
    if clause.asks or ASKS.search(clause.text) or HYPOTHETICAL.search(sentence):
        return False
    if _unfit(sentence) or REPORTED.search(sentence) or CONDITION.search(clause.text):
        return False
    if OTHER.search(clause.text) and not FIRST_PERSON.search(clause.text):
        return False
    return bool(RETRACTION.search(NO_RETRACTION.sub(" ", clause.text)))


def _touches(clause: Clause, subject: str, said: Sequence[Said], index: int) -> bool:
    if shares(subject, clause.text):
        return True
    if not REFERS.search(clause.text):
        return False
    nearby = [said[i].text for i in (index - 1, index, index + 1) if 0 <= i < len(said)]
    return any(shares(subject, text) for text in nearby)
