"""The sentences that the stand-in understands: clauses that match a rule of script.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

SCRIPT: Final = tomllib.loads(files("kioku_stand_in").joinpath("script.toml").read_text("utf-8"))
_SHORT: Final = {**SCRIPT["short"], **SCRIPT["words"]}
_SENTENCE: Final = re.compile(r"[^\n。！？!?]*?(?:[。！？!?]+|\.(?=\s|$)|\n|$)")
_LONGEST: Final = 300  # characters of a clause
_TO_REMEMBER: Final = {"remember", "remember_after"}


@dataclass(frozen=True)
class Said:
    """A clause: its rule by name and content, and its parts.

    The parts are the named groups of the pattern, what the rule states, and what `_parts` adds. A
    clause that names several things is one `Said` for each.
    """

    name: str
    rule: Mapping[str, Any]
    parts: Mapping[str, Any]

    @property
    def states(self) -> bool:
        """Whether it is a statement of the person about themselves."""
        return "states" in self.rule

    @property
    def to_remember(self) -> bool:
        """Whether it is a statement that the sentence asks to remember."""
        return self.states and not _TO_REMEMBER.isdisjoint(self.parts)


def pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern of the script; ``<name>`` stands for an entry of `short` or `words`."""
    while (written_out := re.sub(r"(?<!\?P)<(\w+)>", lambda gap: _SHORT[gap[1]], text)) != text:
        text = written_out
    return re.compile(text, re.I)


_PATTERNS: Final = [
    (name, pattern(f"<before>(?P<whole>{says})<after>"))
    for name, rule in SCRIPT["rules"].items()
    for says in rule["says"]
]
_JOINTS: Final = [(pattern(joint), apart) for joint, apart in SCRIPT["joints"]]
_QUESTION: Final = pattern("<question>")
_SEPARATOR: Final = pattern("<separator>")
# A known word is a whole word of an English name, or the end of a Japanese one.
_WORDS: Final = {
    kind: pattern(rf"(?:^|.*[^a-z])(?:<{kind}>)s?(?: .*)?") for kind in SCRIPT["words"]
}


def is_japanese(text: str) -> bool:
    """Return whether `text` contains kana or kanji."""
    return re.search(r"[ぁ-ゖァ-ヺ一-鿿]", text) is not None


# Each request repeats the messages before it.
@lru_cache(maxsize=512)
def read(text: str) -> tuple[Said, ...]:
    """Return the clauses of `text` in order."""
    sentences = [one.strip() for one in _SENTENCE.findall(text)]
    return tuple(said for one in sentences if re.search(r"\w", one) for said in _sentence(one))


def _sentence(sentence: str) -> Iterator[Said]:
    """Yield the clauses of a sentence."""
    words = " ".join(re.sub(r"[\s。！？!?.、,]+$", "", sentence).split())
    asks = sentence.endswith(("?", "？")) or _QUESTION.fullmatch(words) is not None
    for joint, apart in _JOINTS:
        words = joint.sub(apart, words)
    for clause in words.split("\n"):
        name, groups = _match(clause if len(clause) <= _LONGEST else "", asks=asks)
        rule = SCRIPT["rules"][name]
        things = groups.get("x") or groups.get("of", "")
        is_single = "kind" in rule.get("states", {})
        for thing in [things] if is_single else _SEPARATOR.split(things):
            yield Said(name, rule, {"quote": sentence, **_parts(rule, groups, thing)})


def _match(clause: str, *, asks: bool) -> tuple[str, dict[str, str]]:
    """Return the first rule that fits a clause, and its groups; a question states nothing."""
    for name, says in _PATTERNS:
        match = says.fullmatch(clause)
        groups = {part: text for part, text in match.groupdict().items() if text} if match else {}
        if "forget" in groups:
            return "forget", groups
        is_statement = "states" in SCRIPT["rules"][name]
        if groups and not (asks and is_statement and groups.keys().isdisjoint(_TO_REMEMBER)):
            return name, groups
    return "question" if asks else "unknown", {"whole": clause}


def _parts(rule: Mapping[str, Any], groups: Mapping[str, str], thing: str) -> dict[str, Any]:
    """Add the kind of the memory, its `thing` if the kind has one, and what is spoken of."""
    states = rule.get("states", {})
    kinds = (kind for kind, words in _WORDS.items() if words.fullmatch(thing))
    kind = states.get("kind") or next(kinds, "UserFact")
    named = {"thing": thing} if kind in _WORDS else {}
    about = groups.get("of") or thing or groups["whole"]
    spoken_of = {"kind": kind, "x": thing, "about": about}
    return {"clause": groups["whole"], **groups, **states, **named, **spoken_of}
