"""What takes back what was said, and what settles that something has changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from memory.answers import asks_about_person, bare_answer
from memory.clauses import Clause, Said, fold
from memory.denials import (
    CHANGED,
    DOUBT,
    FOR_GOOD,
    FORGET,
    LEFT_BEHIND,
    NO_PART,
    NO_RETRACTION,
    NOT_A,
    ONE_OFF,
    RETRACTION,
    SET_ASIDE,
    TAKES_BACK,
)
from memory.patterns import CONDITION, HYPOTHETICAL, REFERS
from memory.reading import MAX_TEXT, Quote, asks, continues, is_other, nearby, shares, unfit
from memory.schemas import LEVEL_FIELDS, level, subject
from memory.speakers import REPORTED
from memory.tone import is_play, is_wish, not_meant

_NAMED = re.compile(
    r"\bwhat i (?:said|told you|wrote)\b|(?:って|と)いう(?:の|こと|話)は?(?=撤回|取り消|忘れ"
    r"|なし|間違)"
)
EVEN = 50  # of 100: above it something is liked, below it is not


def retraction(about: str, said: Sequence[Said]) -> Quote | None:
    """Find the clause, newest first, in which the person denies or takes back `about`.

    The clause touches that subject itself, or refers to it ("it", 「それ」) where the same or a
    neighbouring message names it. Words about which the person was asked take nothing back.
    """
    for index in reversed(range(len(said))):
        message = said[index]
        if message.words.asked:
            continue
        if quote := _answered(about, message, index):
            return quote
        sound: dict[int, bool] = {}
        for clause in reversed(message.clauses):
            if takes_back(clause, about) and _touches(clause, about, said, index):
                if clause.sentence not in sound:
                    sound[clause.sentence] = _is_sound(message, clause.sentence)
                if sound[clause.sentence]:
                    text = clause.text.strip(" ,、;")[:MAX_TEXT]
                    return Quote(text=text, said=message, index=index, clauses=(clause,))
    return None


def _answered(about: str, message: Said, index: int) -> Quote | None:
    """Return "no" as the answer to "do you still …?", or "yes" as that to "did you stop …?"."""
    answer, asked = bare_answer(message.text), message.words.reply_to
    if not (answer and asked and asks_about_person(asked)) or unfit(asked):
        return None
    question = NO_RETRACTION.sub(" ", fold(asked))
    ended = bool(RETRACTION.search(question))
    if ended is not (answer == "yes") or not shares(about, fold(asked)):
        return None
    return Quote(text=message.shown, said=message, index=index, clauses=tuple(message.clauses))


def takes_back(clause: Clause, about: str) -> bool:
    """Say whether the person ends or contradicts, in this clause, what it is `about`."""
    said = NO_RETRACTION.sub(" ", clause.text)
    return (
        bool(TAKES_BACK.search(said) or NO_PART.search(said) or _is_negated(about, said))
        and (bool(FORGET.search(clause.text)) or not asks(clause))
        and not DOUBT.search(clause.text)
        and not CONDITION.search(clause.text)
        and not is_other(clause.text)
        and (bool(FOR_GOOD.search(clause.text)) or not ONE_OFF.search(clause.text))
    )


def _is_negated(about: str, said: str) -> bool:
    return any(
        shares(about, denied)
        for found in NOT_A.finditer(said)
        for denied in found.groups()
        if denied
    )


def denies(text: str) -> bool:
    """Say whether folded `text` says that something is not, or no longer, so."""
    return bool(RETRACTION.search(NO_RETRACTION.sub(" ", text)))


def is_denied(about: str, clause: Clause) -> bool:
    """Say whether a clause denies what it says `about` something, or sets it aside."""
    if left := _left_behind(clause):
        return any(shares(about, old) for old in left)
    aside = None if "nothing" in clause.text else SET_ASIDE.search(clause.text)
    if aside and any(shares(about, one) for one in aside.groups() if one):
        return True
    return denies(clause.text)


def _is_sound(said: Said, number: int) -> bool:
    sentence = _NAMED.sub(" ", said.sentence(number))
    return not (
        is_wish(sentence)
        or REPORTED.search(sentence)
        or unfit(sentence)
        or not_meant(said, [number], None)
        or is_play(said, number)
    )


def _touches(clause: Clause, about: str, said: Sequence[Said], index: int) -> bool:
    if left := _left_behind(clause):
        return any(shares(about, old) for old in left)
    if shares(about, clause.text):
        return True
    if REFERS.search(clause.text):
        return any(shares(about, text) for text in nearby(said, index))
    before = [one for one in said[index].clauses if one.end <= clause.start]
    return continues(clause) and bool(before) and shares(about, before[-1].text)


# --- change --------------------------------------------------------------------------------

_NAMES = re.compile(r"[a-z0-9]{2,}|[\u30a1-\u30fa\u30fc]{2,}|[\u3400-\u9fff\u3005]+")
# Said in other words, nothing has changed: "based in Osaka", "lives in Osaka".
_PLAIN = frozenset(
    re.findall(
        r"\w+",
        "in at on of to the an is am are be my has have with and for from near live lives living"
        " lived based located work works working resident person user 私 本人 住 在住 居住 勤務 勤",
    )
)
# The form of answers is the person's to say, and an episode is a story told anew.
_FREE = frozenset({"UserInstruction", "Episode"})


def settles(
    clauses: Sequence[Clause], kind: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> bool:
    """Say whether these words settle that `after` (content) is to stand in place of `before`.

    They do where nothing of `before` is lost, where they say that something has changed ("now",
    "moved", 「もう」, 「引っ越した」), or where they take `before` back. "I live in Tokyo" alone
    leaves open whether "lives in Osaka" is over.
    """
    if kind in _FREE or not _conflict(kind, before, after):
        return True
    known = subject(kind, before)
    for clause in clauses:
        if asks(clause) or is_other(clause.text) or _is_unsure(clause):
            continue
        left = _left_behind(clause)
        if left:
            if any(shares(known, old) for old in left):
                return True
        elif CHANGED.search(clause.text) or (
            takes_back(clause, known) and shares(known, clause.text)
        ):
            return True
    return False


def _conflict(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    old, new = level(kind, before), level(kind, after)
    if isinstance(old, int) and isinstance(new, int) and (old < EVEN) != (new < EVEN):
        return True
    kept = fold(subject(kind, after) if kind in LEVEL_FIELDS else " ".join(_texts(after)))
    names = set(_NAMES.findall(fold(subject(kind, before)))) - _PLAIN
    return not all(name in kept for name in names)


def _texts(content: Mapping[str, Any]) -> list[str]:
    return [value for value in content.values() if isinstance(value, str)]


def _is_unsure(clause: Clause) -> bool:
    return bool(
        DOUBT.search(clause.text)
        or CONDITION.search(clause.text)
        or HYPOTHETICAL.search(clause.text)
    )


def _left_behind(clause: Clause) -> list[str]:
    left = LEFT_BEHIND.search(clause.text)
    return [old for old in left.groups() if old] if left else []
