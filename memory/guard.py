"""What may be stored: pure judgements over a person's own words. Detectors miss things; what
carries the weight is structure: every memory quotes a whole clause the person typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from memory.answers import Answer, asks_about_person, bare_answer
from memory.clauses import Clause, Said, clean, fold, normalise
from memory.instructions import asks_for_form, check_instruction
from memory.patterns import CONDITION, LINK, REFERS
from memory.reading import (
    MAX_TEXT,
    Quote,
    Refusal,
    asks,
    continues,
    covers,
    holds_secret,
    instructs,
    is_other,
    is_statement,
    nearby,
    shares,
    texts,
    unfit,
)
from memory.retractions import EVEN, denies, is_denied, retraction, settles
from memory.schemas import EPISODE_KIND, INSTRUCTION_KIND, level, subject
from memory.speakers import FIRST_PERSON, FRAME, OTHER
from memory.tone import is_hearsay, is_over, is_play, is_unsure, is_wish, not_meant, tells_of_then
from memory.voices import NOT_OWN

__all__ = [
    "MAX_REMOVALS",
    "Quote",
    "Refusal",
    "check_content",
    "check_grounds",
    "check_instruction",
    "check_sense",
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


def find_quote(quote: str, said: Sequence[Said], *, kind: str = "") -> Quote | Refusal:
    """Find `quote` as a whole clause, a run of whole clauses or a whole message of `said`.

    The newest message that holds it counts. `kind` is the memory's: a standing wish about answers
    is asked for, everything else is stated. Returns the code of the refusal otherwise.
    """
    text = clean(quote).strip()
    wanted = normalise(text)
    if len(wanted.replace(" ", "")) < 2:
        return "no_evidence"
    if refusal := _unfit(text, kind):
        return refusal
    refusal = "no_evidence"
    for index in reversed(range(len(said))):
        for start, end in islice(said[index].find(wanted), MAX_PLACES):
            place = _Place(said, index, start, end)
            found = place.judge_wish() if kind == INSTRUCTION_KIND else place.judge()
            if found is None:
                text = text[:MAX_TEXT]
                return Quote(text=text, said=said[index], index=index, clauses=place.inside)
            refusal = found
    return refusal


def _unfit(text: str, kind: str) -> Refusal | None:
    refusal = unfit(text)
    return None if refusal == "instruction" and kind == INSTRUCTION_KIND else refusal


class _Place:
    """Where a quote stands in a message."""

    def __init__(self, said: Sequence[Said], index: int, start: int, end: int) -> None:
        self._message = message = said[index]
        self._after = said[index + 1] if index + 1 < len(said) else None
        self._spoken = message.own[start:end]
        self.inside = tuple(c for c in message.clauses if c.start < end and start < c.end)
        self._whole = normalise(message.text[start:end]) == normalise(message.text)
        self._numbers = sorted({clause.sentence for clause in self.inside})
        if self.inside:
            first, last = message.sentences[self._numbers[0]], message.sentences[self._numbers[-1]]
            self._before = message.own[first[0] : start]
            self._behind = message.own[end : last[1]]
            self._sentences = message.own[first[0] : last[1]]
            self._written = message.text[first[0] : last[1]]

    def judge(self) -> Refusal | None:
        """Say why the quote is no statement of the person's, if it is none."""
        if not self._is_own():
            return "quoted"
        if refusal := unfit(self._written):
            return refusal
        if all(asks(clause) for clause in self.inside):
            return "question"
        if not self._whole and not any(is_statement(clause) for clause in self.inside):
            return "no_evidence"
        if refusal := self._meant():
            return refusal
        if is_hearsay(self._before, self._behind) or CONDITION.search(self._before):
            return "no_evidence"
        return "other_person" if self._is_others() else None

    def judge_wish(self) -> Refusal | None:
        """Say why the quote is no wish of the person's about the form of answers."""
        if not self._is_own():
            return "quoted"
        if refusal := _unfit(self._written, INSTRUCTION_KIND):
            return refusal
        if refusal := self._meant():
            return refusal
        sentences = [self._message.sentence(number) for number in self._numbers]
        if is_hearsay(self._before, self._behind) or not asks_for_form(sentences):
            return "instruction"
        return "other_person" if self._is_others() else None

    def _is_own(self) -> bool:
        return bool(self.inside) and bool(normalise(self._spoken.replace(NOT_OWN, " ")))

    def _meant(self) -> Refusal | None:
        if not_meant(self._message, self._numbers, self._after):
            return "joke"
        if is_wish(self._sentences) or is_play(self._message, self._numbers[-1]):
            return "hypothetical"
        return None

    def _is_others(self) -> bool:
        told = [clause.text for clause in self.inside if not asks(clause)]
        if told and all(map(is_other, told)):
            return True
        return bool(OTHER.search(self._sentences)) and not FIRST_PERSON.search(
            FRAME.sub(" ", self._spoken)
        )


def _beside(quote: Quote) -> list[Clause]:
    """Return what the person states of themself in the sentences of a quote."""
    numbers = {clause.sentence for clause in quote.clauses}
    return [
        clause
        for clause in quote.said.clauses
        if clause.sentence in numbers and not asks(clause) and not is_other(clause.text)
    ]


def check_sense(
    kind: str, content: Mapping[str, Any], quote: Quote, known: Sequence[str] = ()
) -> Refusal | None:
    """Refuse what the quote denies, doubts, tells of as past, or says nothing of.

    `content` says that something is liked, or is so; the clauses about it may say the opposite.
    `known` are further texts from which a fact may take its names: neighbouring messages, and what
    was remembered before.
    """
    if bare_answer(quote.said.text):
        return None
    about = subject(kind, content)
    stated = [clause for clause in quote.clauses if not asks(clause)]
    near = [c for c in stated if shares(about, c.text) or REFERS.search(c.text)]
    near = near or [c for c in _beside(quote) if shares(about, c.text)] or stated
    if near and all(is_unsure(clause.text) for clause in near):
        return "hypothetical"
    if kind == EPISODE_KIND:
        return None  # it tells of what was, and of what did not work
    degree = level(kind, content)
    if degree is None and not covers(about, [quote.said.own, *known]):
        return "ungrounded"
    likes = degree > EVEN if isinstance(degree, int) else not denies(fold(about))
    if not likes or not near:
        return None
    if all(is_denied(about, clause) for clause in near):
        return "contradicted"
    if all(is_over(clause.text) for clause in near) and not tells_of_then(fold(about)):
        return "outdated"
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


def check_content(
    content: Mapping[str, Any], quote: Quote | None = None, *, kind: str = ""
) -> Refusal | None:
    """Refuse content that holds a secret, an instruction or markup, or a link nobody typed."""
    for text in texts(content):
        if refusal := _unfit(text, kind):
            return refusal
        if quote and any(link not in quote.said.text for link in LINK.findall(fold(text))):
            return "ungrounded"
    return None


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
        if not stated and not refers and not any(map(continues, quote.clauses)):
            return "question"
        if stated and all(is_other(clause.text) for clause in stated):
            return "other_person"
        return None
    heard = nearby(said, quote.index) if refers else [clause.text for clause in _beside(quote)]
    if any(shares(subject, text) for subject in subjects for text in heard):
        return None
    return "ungrounded"
