"""What a person's sentences say: requests, statements with their memories, questions, remarks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from kioku_stand_in.memories import FIELDS, Memory
from kioku_stand_in.script import SCRIPT, WORDS, compiled, is_japanese

_SENTENCE: Final = re.compile(r"[^\n。！？!?]*?(?:[。！？!?]+|\.(?=\s|$)|\n|$)")
_END: Final = re.compile(
    r"[\s。！？!?.、,…〜~笑\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]+$"
)
_JOINT: Final = re.compile("|".join(SCRIPT["joints"]))
_CLOSING: Final = re.compile(SCRIPT["closing"], re.I)
_OPENINGS: Final = "|".join(SCRIPT["openings"].values())
_OPENING_END: Final = "(?:[,.:!]? +|、|$)"
_OPENING: Final = re.compile(f"(?:{_OPENINGS})*".replace("<end>", _OPENING_END), re.I)

_TOPICS: Final = compiled(SCRIPT["topics"])
_LEVELS: Final = compiled(SCRIPT["levels"])
_LIKED: Final = compiled(SCRIPT["liked"])
_SEPARATOR: Final = re.compile(
    r",? and |, ?| too$| (?:very much|a lot(?! of))\b|\b(?:for|the|a lot of|an?|some) ",
    re.I,
)
_RUN: Final = "[ァ-ヺー一-鿿A-Za-z0-9]*"
_LIKED_NAMES: Final = "|".join(chain.from_iterable(SCRIPT["liked"].values()))
_NAMES: Final = re.compile(f"お?{_RUN}(?:{_LIKED_NAMES}){_RUN}")
_LONGEST: Final = 4  # words of a name
# Characters of a sentence that is read; the time of some patterns grows with the square of them.
_LONGEST_SENTENCE: Final = 2_000


def _rules() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield each pattern of the script's rules with the name of its rule, in their order."""
    for name, rule in SCRIPT["rules"].items():
        for says in rule["says"]:
            pattern = says
            for short in ("when", "いつ"):
                pattern = pattern.replace(f"<{short}>", SCRIPT[short])
            yield name, re.compile(pattern, re.I)


_RULES: Final = tuple(_rules())


@dataclass(frozen=True)
class Clause:
    """A clause of a sentence: the name of its rule, or else of its category.

    `quote` is the sentence, and `text` the clause in it. `rule` is the rule in the script, `parts`
    are the groups of its pattern, and `memories` are what the clause states.
    """

    name: str
    quote: str
    text: str
    rule: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    memories: tuple[Memory, ...] = ()


# Each request repeats the messages before it.
@lru_cache(maxsize=512)
def clauses_in(text: str) -> tuple[Clause, ...]:
    """Return the clauses of `text` in order."""
    clauses: list[Clause] = []
    for sentence in _SENTENCE.findall(text):
        if re.search(r"\w", sentence):
            clauses += _clauses_of(sentence.strip())
    return tuple(clauses)


def _clauses_of(sentence: str) -> Iterator[Clause]:
    """Yield the clauses of a sentence, without how it begins and ends; a long one is not read."""
    if len(sentence) > _LONGEST_SENTENCE:
        yield Clause("unknown", sentence, sentence)
        return
    plain = _END.sub("", sentence).replace("’", "'")
    words = " ".join(plain.split())
    other = "unknown"
    opening = _OPENING.match(words)
    if opening is not None:
        other = opening.lastgroup or "unknown"
        words = words[opening.end() :]
    if sentence.endswith(("?", "？")) or WORDS["question"].search(words):
        other = "question"
    words = _CLOSING.sub("", words)
    for text in _JOINT.split(words):
        yield _clause(text, sentence, other)


def _clause(text: str, sentence: str, other: str) -> Clause:
    """Return a clause by the first matching rule, else as a statement, else as `other`."""
    for name, says in _RULES:
        rule = SCRIPT["rules"][name]
        if other == "question" and "kind" in rule and "asked" not in rule:
            continue
        found = says.fullmatch(text)
        if found is not None:
            parts = found.groupdict()
            memories = _memories_of(rule.get("kind"), text, parts)
            return Clause(name, sentence, text, rule, parts, memories)
    if other == "question":
        return Clause(other, sentence, text)
    memories = stated(text)
    if memories:
        return Clause("statement", sentence, text, memories=memories)
    return Clause(other, sentence, text)


def _memories_of(
    kind: str | None, clause: str, parts: Mapping[str, str]
) -> tuple[Memory, ...]:
    """Return the memories of a clause that has a rule of this kind."""
    if kind is None:
        return ()
    if kind == "UserFact":
        text = parts.get("fact", clause)
        return stated(text) or (fact(text),)
    if kind == "UserInstruction":
        return (Memory(kind, {"instruction": clause}),)
    if "promise" not in parts:  # an old promise, which was kept
        return ()
    content = {name: parts[name] for name in FIELDS[kind] if name in parts}
    return (Memory(kind, content),)


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
        likings = tuple(_likings(names, int(level)))
        if likings:
            return likings
    if _is_lasting(clause):
        return (fact(clause),)
    return ()


def _likings(names: Sequence[str], level: int) -> Iterator[Memory]:
    """Yield the memories of named likings; a longer name of the same thing adds the details."""
    short = [name.strip() for name in names if len(name.split()) <= _LONGEST]
    for kind, words in _LIKED.items():
        name_field, level_field, details_field = FIELDS[kind]
        liked = [name for name in short if words.search(name)]
        if len(liked) > 1 and liked[0] in liked[1]:
            content = {
                name_field: liked[0],
                level_field: level,
                details_field: liked[1],
            }
            yield Memory(kind, content)
            continue
        for name in liked:
            yield Memory(kind, {name_field: name, level_field: level})


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
