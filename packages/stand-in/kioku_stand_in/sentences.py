"""What a person's sentences say: requests, statements with their memories, questions, remarks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from kioku_stand_in.days import When, named_in, without
from kioku_stand_in.memories import FIELDS, Memory
from kioku_stand_in.script import SCRIPT, WORDS, compiled, filled, is_japanese

_ABBREVIATION: Final = "|".join(SCRIPT["abbreviations"])
_SENTENCE: Final = re.compile(
    rf"(?:\b(?:{_ABBREVIATION})\.|[^\n。！？!?])*?(?:[。！？!?]+|\.(?=\s|$)|\n|$)", re.I
)
# Not the faces that weep with laughter: what ends so is a joke.
_END: Final = re.compile(
    r"[\s。！？!?.、,…〜~笑\u2600-\u27bf\ufe0f\U0001f000-\U0001f601\U0001f603-\U0001f922\U0001f924-\U0001faff]+$"
)
_JOINT: Final = re.compile("|".join(SCRIPT["joints"]))
_QUOTED: Final = re.compile('["“「]')
_BARE: Final = re.compile(
    r"\b(i(?=m|ve)|(?:do|does|did|is|are|was|has|have|ca)n(?=t))(m|ve|t)\b", re.I
)
_CLOSING: Final = re.compile(SCRIPT["closing"], re.I)
_OPENINGS: Final = "|".join(SCRIPT["openings"].values())
_OPENING: Final = re.compile(filled(f"(?:{_OPENINGS})*"), re.I)

_TOPICS: Final = compiled(SCRIPT["subjects"]["only"])
_LEVELS: Final = compiled(SCRIPT["levels"])
_LIKED: Final = compiled(SCRIPT["liked"])
_SEPARATOR: Final = re.compile(
    r",? and |, ?| too$| (?:very much|a lot(?! of))\b|\b(?:for|the|a lot of|an?|some) ",
    re.I,
)
_RUN: Final = "[ァ-ヺー一-鿿A-Za-z0-9]*"
_LIKED_NAMES: Final = "|".join(chain.from_iterable(SCRIPT["liked"].values()))
_NAMES: Final = re.compile(f"お?{_RUN}(?:{_LIKED_NAMES}){_RUN}")
# What a liking is quoted as, if nothing else was said.
_PLAIN: Final = (
    "I like {0}; I love {0}; I don't like {0}"
    "; {0}が好きです; {0}も好きです; {0}が大好きです; {0}は苦手です"
)
_LONGEST: Final = 4  # words of a name
# Characters of a sentence that is read; the time of some patterns grows with the square of them.
_LONGEST_SENTENCE: Final = 2_000


_RULES: Final = tuple(
    (name, kind, re.compile(filled(says), re.I))
    for name, rule in SCRIPT["rules"].items()
    for kind in ("amends", "says")
    for says in rule.get(kind, ())
)


@dataclass(frozen=True)
class Clause:
    """A clause of a sentence: the name of its rule, or else of its category.

    `quote` is the sentence, and `text` the clause in it. `rule` is the rule in the script, `parts`
    are the groups of its pattern, and `memories` are what the clause states. `days` are when what
    it promises is due. `changes`: it says that something is no more as it was.
    """

    name: str
    quote: str
    text: str
    rule: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    memories: tuple[Memory, ...] = ()
    days: tuple[When, ...] = ()
    changes: bool = False


# Each request repeats the messages before it.
@lru_cache(maxsize=512)
def clauses_in(text: str) -> tuple[Clause, ...]:
    """Return the clauses of `text` in order."""
    clauses: list[Clause] = []
    changes = False
    for sentence in _SENTENCE.findall(text):
        if not re.search(r"\w", sentence):
            continue
        said = _clauses_of(sentence.strip(), changes)
        # “Correction.” alone is about the next sentence.
        changes = [one.name for one in said] == ["change"]
        clauses += said
    return tuple(clauses)


def _clauses_of(sentence: str, changes: bool) -> list[Clause]:
    """Return the clauses of a sentence, without how it begins and ends; a long one is not read.

    It is cut only where each part says something.
    """
    if len(sentence) > _LONGEST_SENTENCE:
        return [Clause("unknown", sentence, sentence)]
    plain = _END.sub("", sentence).replace("’", "'")
    plain = _BARE.sub(r"\1'\2", plain)
    words = " ".join(plain.split())
    other = "unknown"
    amends = False
    opening = _OPENING.match(words)
    if opening is not None:
        other = opening.lastgroup or "unknown"
        words = words[opening.end() :]
        changes = changes or opening["change"] is not None
        if other == "change" and words:
            other = "unknown"
            amends = True
    is_asked = words and sentence.endswith(("?", "？"))
    if is_asked or WORDS["question"].search(words):
        other = "question"
    changes = changes or WORDS["change"].search(plain) is not None
    words = _CLOSING.sub("", words)
    texts = _JOINT.split(words)
    if other == "question" or _QUOTED.search(words):
        texts = [words]
    is_joke = WORDS["joke"].search(plain) is not None
    if other == "unknown" and (is_joke or _QUOTED.search(words)):
        other = "ok"  # nothing is to be understood, or it was said elsewhere
    parts = [_clause(text, sentence, other, amends=amends) for text in texts]
    if is_joke:
        parts = [one for one in parts if one.name != "statement"]
        parts = parts or [Clause(other, sentence, words)]
    elif any(one.name == "unknown" for one in parts):
        whole = _clause(words, sentence, other, amends=amends)
        if whole.name != "unknown":
            parts = [whole]
    return [replace(one, changes=changes) for one in parts]


def _clause(text: str, sentence: str, other: str, *, amends: bool) -> Clause:
    """Return a clause by the first matching rule, else as a statement, else as `other`."""
    named = named_in(text)
    for name, kind, says in _RULES:
        rule = SCRIPT["rules"][name]
        if not _is_tried(rule, kind, other, amends=amends):
            continue
        days: Sequence[When] = ()
        words = text
        if rule.get("kind") == "Promise":
            days = named
            words = without(text, days)
            dated = rule.get("dated")
            if dated and not any(when.says(dated) for when in days):
                continue
        found = says.fullmatch(words)
        if found is not None:
            parts = found.groupdict()
            memories = _memories_of(rule.get("kind"), text, parts)
            due = tuple(days) if memories or "dated" in rule else ()
            return Clause(name, sentence, text, rule, parts, memories, due)
    if other == "question":
        return Clause(other, sentence, text)
    memories = stated(text)
    if memories:
        return Clause("statement", sentence, text, memories=memories)
    return Clause(other, sentence, text)


def _is_tried(rule: Mapping[str, Any], kind: str, other: str, *, amends: bool) -> bool:
    """Return whether patterns of this kind of a rule are for such a clause."""
    if kind == "amends" and not amends:
        return False
    return other != "question" or "kind" not in rule or "asked" in rule


def _memories_of(
    kind: str | None, clause: str, parts: Mapping[str, str]
) -> tuple[Memory, ...]:
    """Return the memories of a clause that has a rule of this kind."""
    if kind is None:
        return ()
    if kind == "UserInstruction":
        return (Memory(kind, {"instruction": clause}),)
    if "promise" in parts:
        content = {name: parts[name] for name in FIELDS[kind] if parts.get(name)}
        return (Memory(kind, content),)
    if "fact" in parts:
        return stated(parts["fact"]) or (fact(parts["fact"]),)
    return stated(clause)


def fact(text: str) -> Memory:
    """Return the memory of a fact, with its topic if there can be only one fact about that."""
    content = {"fact": text}
    for topic, words in _TOPICS.items():
        if words.search(text):
            content["topic"] = topic
    return Memory("UserFact", content)


def stated(clause: str) -> tuple[Memory, ...]:
    """Return the memories of what a clause states; none if it states nothing."""
    for level, words in _LEVELS.items():
        if not words.search(clause):
            continue
        if is_japanese(clause):
            if WORDS["others"].search(clause):
                return ()
            names = _NAMES.findall(clause)
        else:
            names = _SEPARATOR.split(words.sub(",", clause))
        likings = tuple(_likings(names, int(level), clause))
        if likings:
            return likings
    if _is_lasting(clause):
        return (fact(clause),)
    return ()


def _likings(names: Sequence[str], level: int, clause: str) -> Iterator[Memory]:
    """Yield the memories of named likings, each with the clause if that says more."""
    short = [name.strip() for name in names if len(name.split()) <= _LONGEST]
    for kind, words in _LIKED.items():
        name_field, level_field, details_field = FIELDS[kind]
        liked = [name for name in short if words.search(name)]
        if len(liked) > 1 and liked[0] in liked[1]:
            liked = liked[:1]
        for name in liked:
            content = {name_field: name, level_field: level}
            if clause not in _PLAIN.format(name):
                content[details_field] = clause
            yield Memory(kind, content)


def may_be_news(clause: Clause) -> bool:
    """Return whether a clause that states nothing lasting may say how something is now."""
    if clause.name not in ("unknown", "correct"):
        return False
    is_certain = WORDS["hypothetical"].search(clause.text) is None
    return is_certain and WORDS["became"].search(clause.text) is not None


def _is_lasting(clause: str) -> bool:
    """Return whether a clause says something about the person that is not over soon."""
    cause = WORDS["consequence"].split(clause)[0]
    for reason in ("joke", "hypothetical", "passing"):
        if WORDS[reason].search(cause):
            return False
    speaker = WORDS["speaker"].match(clause)
    if WORDS["lasting"].search(clause):
        return speaker is not None or is_japanese(clause)
    said = clause
    if speaker is not None:
        said = clause[speaker.end() :]
    if WORDS["fleeting"].search(said.strip()):
        return False
    return speaker is not None or WORDS["ending"].search(clause) is not None
