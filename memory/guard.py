"""What may be stored: pure judgements over a person's own words. Detectors miss things; what
carries the weight is structure: every memory quotes a whole clause the person typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from memory.answers import Answer, asks_about_person, bare_answer
from memory.clauses import Clause, Said, clean, fold, normalise
from memory.patterns import CONDITION, FIRST_PERSON, FRAME, HYPOTHETICAL, OTHER, REFERS, REPORTED
from memory.reading import (
    MAX_TEXT,
    Quote,
    Refusal,
    asks,
    holds_secret,
    instructs,
    is_other,
    is_statement,
    nearby,
    shares,
    unfit,
)
from memory.retractions import retraction, settles

__all__ = [
    "MAX_REMOVALS",
    "Quote",
    "Refusal",
    "check_content",
    "check_grounds",
    "clean_content",
    "find_quote",
    "holds_secret",
    "instructs",
    "retraction",
    "settles",
    "shares",
    "texts",
]

MAX_REMOVALS = 3
MAX_PLACES = 8  # of one quote in one message


# --- evidence ------------------------------------------------------------------------------


def find_quote(quote: str, said: Sequence[Said]) -> Quote | Refusal:
    """Find `quote` as a whole clause, a run of whole clauses or a whole message of `said`.

    The newest message that holds it counts. Returns the code of the refusal otherwise.
    """
    text = clean(quote).strip()
    wanted = normalise(text)
    if len(wanted.replace(" ", "")) < 2:
        return "no_evidence"
    if refusal := unfit(text):
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
    if refusal := unfit(sentences):
        return refusal
    if all(asks(clause) for clause in inside):
        return "question"
    whole = normalise(spoken) == normalise(said.text)
    if not whole and not any(is_statement(clause) for clause in inside):
        return "no_evidence"
    if HYPOTHETICAL.search(sentences):
        return "hypothetical"
    if REPORTED.search(before) or REPORTED.search(after) or CONDITION.search(before):
        return "no_evidence"
    if OTHER.search(sentences) and not FIRST_PERSON.search(FRAME.sub(" ", spoken)):
        return "other_person"
    return None


def _says_so(answer: Answer, asked: str | None, subjects: Sequence[str]) -> bool:
    return (
        answer == "yes"
        and asked is not None
        and asks_about_person(asked)
        and not unfit(asked)
        and any(shares(subject, fold(asked)) for subject in subjects)
    )


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
    return next((refusal for text in texts(content) if (refusal := unfit(text))), None)


def check_grounds(subjects: Sequence[str], quote: Quote, said: Sequence[Said]) -> Refusal | None:
    """Refuse unless the person said it, of themself and of one of `subjects`, there or nearby.

    A bare "yes" says what the question that it answers asks about the person. Loose on purpose:
    「クラウド」 may become "AWS" where the message names AWS too, and "I love it" may refer to what
    the neighbouring message names.
    """
    if answer := bare_answer(quote.said.text):
        asked = quote.words.reply_to
        return None if _says_so(answer, asked, subjects) else "ungrounded"
    about = [c for c in quote.clauses if any(shares(subject, c.text) for subject in subjects)]
    refers = any(REFERS.search(c.text) and not asks(c) for c in quote.clauses)
    if about:
        stated = [clause for clause in about if not asks(clause)]
        if not stated and not refers:
            return "question"
        if stated and all(is_other(clause.text) for clause in stated):
            return "other_person"
        return None
    heard = nearby(said, quote.index) if refers else [quote.said.text]
    if any(shares(subject, text) for subject in subjects for text in heard):
        return None
    return "ungrounded"
