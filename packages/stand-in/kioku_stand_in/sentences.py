"""The sentences that the stand-in understands: clauses that match a rule of script.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

SCRIPT: Final = tomllib.loads(files("kioku_stand_in").joinpath("script.toml").read_text("utf-8"))
_GRAMMAR: Final = SCRIPT["grammar"]
_SHORT: Final = {**SCRIPT["short"], **SCRIPT["words"]}
_SENTENCE: Final = re.compile(r"[^\n。！？!?]*?(?:[。！？!?]+|\.(?=\s|$)|\n|$)")
_LONGEST: Final = 300  # characters of a clause


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
        return self.states and not {"remember", "remember_after"}.isdisjoint(self.parts)


def _pattern(says: str) -> re.Pattern[str]:
    """Compile a pattern of a rule, with its abbreviations written out."""
    whole = f"{_GRAMMAR['before']}(?P<whole>{says}){_GRAMMAR['after']}"
    return re.compile(re.sub(r"(?<!\?P)<(\w+)>", lambda gap: str(_SHORT[gap[1]]), whole), re.I)


_PATTERNS: Final = [
    (name, _pattern(says)) for name, rule in SCRIPT["rules"].items() for says in rule["says"]
]
# A known word is a whole word of an English name, or the end of a Japanese one.
_WORDS: Final = {
    kind: re.compile(rf"(?:^|.*[^a-z])(?:{words})s?(?: .*)?", re.I)
    for kind, words in SCRIPT["words"].items()
}


def is_japanese(text: str) -> bool:
    """Return whether `text` contains kana or kanji."""
    return re.search(r"[ぁ-ゖァ-ヺ一-鿿]", text) is not None


# Each request repeats the messages before it.
@lru_cache(maxsize=512)
def read(text: str) -> tuple[Said, ...]:
    """Return the clauses of `text` in order."""
    sentences = [one for one in map(str.strip, _SENTENCE.findall(text)) if re.search(r"\w", one)]
    return tuple(said for sentence in sentences for said in _sentence(sentence))


def _sentence(sentence: str) -> list[Said]:
    """Return the clauses of a sentence; a question states nothing."""
    words = " ".join(re.sub(r"[\s。！？!?.、,]+$", "", sentence).split())
    for joint, apart in _GRAMMAR["joints"]:
        words = re.sub(joint, apart, words, flags=re.I)
    said = [one for clause in words.split("\n") for one in _clause(clause, sentence)]
    told = [one for one in said if one.states and not one.to_remember]
    return _clause("", sentence) if told and sentence.endswith(("?", "？")) else said


def _clause(clause: str, quote: str) -> list[Said]:
    """Return a clause by the first rule that matches it; the last one matches everything."""
    clause = clause if len(clause) <= _LONGEST else ""
    matches = ((name, pattern.fullmatch(clause)) for name, pattern in _PATTERNS)
    name, match = next((name, match) for name, match in matches if match)
    parts = {"quote": quote, **{part: text for part, text in match.groupdict().items() if text}}
    name = "forget" if "forget" in parts else name
    rule = SCRIPT["rules"][name]
    things = re.split(_GRAMMAR["list"], parts.get("x", parts.get("of", "")))
    return [Said(name, rule, _parts(rule, parts, thing)) for thing in things]


def _parts(rule: Mapping[str, Any], groups: dict[str, str], thing: str) -> dict[str, Any]:
    """Add the kind of the memory, its `thing` if the kind has one, and what is spoken of."""
    states = rule.get("states", {})
    kinds = (kind for kind, words in _WORDS.items() if words.fullmatch(thing))
    kind = states.get("kind") or next(kinds, "UserFact")
    whole = groups.get("whole", "")
    about = groups.get("of") or thing or whole
    named = {"thing": thing} if kind in _WORDS else {}
    return {"clause": whole, **groups, **states, **named, "kind": kind, "x": thing, "about": about}
