"""The sentences that the stand-in understands: clauses that match a rule of script.toml."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

SCRIPT: Final = tomllib.loads(files("kioku_stand_in").joinpath("script.toml").read_text("utf-8"))
_GRAMMAR: Final[dict[str, Any]] = SCRIPT["grammar"]
_SENTENCE: Final = re.compile(r"[^\n。！？!?]*?(?:[。！？!?]+|\.(?=\s|$)|\n|$)")


@dataclass(frozen=True)
class Said:
    """A clause: its rule by name and content (``unknown`` and none if none matches it).

    `quote` is its sentence, verbatim; `parts` are the named groups of the pattern, among them the
    whole `clause` and its `subject`. A clause that names several things is one `Said` for each.
    """

    name: str
    quote: str
    rule: Mapping[str, Any]
    parts: Mapping[str, str]

    @property
    def states(self) -> bool:
        """Whether it is a statement of the person about themselves."""
        return not {"level", "topic", "kind", "renames"}.isdisjoint(self.rule)

    @property
    def to_remember(self) -> bool:
        """Whether the sentence asks to remember it."""
        return not {"remember", "remember_after"}.isdisjoint(self.parts)


def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Compile the patterns of all rules, with their abbreviations written out."""
    found = []
    for name, rule in SCRIPT["rules"].items():
        states = Said(name, "", rule, {}).states
        before, after = (_GRAMMAR["wish"], _GRAMMAR["wish_after"]) if states else ("", "")
        for says in rule["says"]:
            pattern = f"{_GRAMMAR['lead']}{before}(?P<clause>{says}){after}"
            whole = re.sub(r"(?<!\?P)<(\w+)>", lambda gap: SCRIPT["short"][gap[1]], pattern)
            found.append((name, re.compile(whole, re.I)))
    return found


_PATTERNS: Final = _patterns()


def is_japanese(text: str) -> bool:
    """Return whether `text` contains kana or kanji."""
    return re.search(r"[ぁ-ゖァ-ヺ一-鿿]", text) is not None


def singular(name: str) -> str:
    """Return `name` for comparison: NFKC, case folded, without an English plural."""
    word = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return word if len(word) < 4 or word.endswith("ss") else word.removesuffix("s")


_WORDS: Final = {
    singular(word): kind for kind, words in SCRIPT["words"].items() for word in words.split()
}


def kind_of(name: str) -> str:
    """Return the kind of memory for a name that is or holds a known word, else ``""``."""
    word = singular(name)
    ends = [one for one in _WORDS if is_japanese(one) and word.endswith(one)]
    names = [word, *ends, *map(singular, word.split())]
    return next((_WORDS[one] for one in names if one in _WORDS), "")


# Each request repeats the messages before it.
@lru_cache(maxsize=512)
def read(text: str) -> tuple[Said, ...]:
    """Return the clauses of `text` in order."""
    text = re.sub(r"```.*?```", "\n", text[:20_000], flags=re.S)
    found: list[Said] = []
    for sentence in map(str.strip, _SENTENCE.findall(text)):
        words = " ".join(re.sub(r"[\s。！？!?.、,]+$", "", sentence).split())
        for joint, apart in _GRAMMAR["joints"]:
            words = re.sub(joint, apart, words, flags=re.I)
        clauses = words.split("\n") if len(words) <= 300 else []
        said = [one for clause in clauses for one in _clause(clause, sentence)]
        asks = sentence.endswith(("?", "？")) and any(
            one.states and not one.to_remember for one in said
        )
        if re.search(r"\w", sentence):
            found += said if said and not asks else [_unknown(sentence, sentence)]
    return tuple(found)


def changes_in(text: str) -> list[Said]:
    """Return what `text` forgets, and states unless it is not to be remembered."""
    said = read(text)
    taken_back = any(one.name in {"not_this", "not_that"} for one in said)
    return [one for one in said if (one.states and not taken_back) or one.name == "forget"]


def _unknown(clause: str, quote: str) -> Said:
    return Said("unknown", quote, {}, {"clause": clause})


def _clause(clause: str, quote: str) -> list[Said]:
    for name, pattern in _PATTERNS:
        if match := pattern.fullmatch(clause):
            parts = {part: text for part, text in match.groupdict().items() if text}
            meant = "forget" if "forget" in parts else name
            things = _things(parts["x"]) if "x" in parts else [parts["clause"]]
            if things and ("of" not in parts or kind_of(parts["of"])):
                subjects = [{"x": thing, "subject": parts.get("of", thing)} for thing in things]
                rule = SCRIPT["rules"][meant]
                return [Said(meant, quote, rule, parts | subject) for subject in subjects]
    return [_unknown(clause, quote)]


def _things(text: str) -> list[str]:
    """Return the one to three things of a list; none if an item is more than a name."""
    items = re.split(_GRAMMAR["list"], text)
    things = [re.sub(_GRAMMAR["bare"], "", item.strip(), flags=re.I) for item in items]
    no_thing = re.compile(_GRAMMAR["no_thing"], re.I)
    whole = all(one and len(one.split()) <= 4 and not no_thing.search(one) for one in things)
    return things if whole and len(things) <= 3 else []
