"""The sentences that the stand-in understands: clauses that match a pattern of script.toml."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Final

_SCRIPT: Final = tomllib.loads(files("kioku_stand_in").joinpath("script.toml").read_text("utf-8"))
REPLIES: Final[dict[str, list[str]]] = _SCRIPT["replies"]
OUTCOMES: Final[dict[str, list[str]]] = _SCRIPT["outcomes"]
LEVELS: Final = {"love": 100, "like": 80, "special": 80, "interest": 75} | {
    "gone": 20,
    "dislike": 20,
    "hate": 5,
}
"""How much a person likes what a statement is about, 0 to 100."""
STATEMENTS: Final = frozenset(
    {*LEVELS, "avoid", "diet", "home", "work", "health", "plan", "instruct", "episode", "promise"}
)
_SHORT: Final = {
    "<adv>": "(?:(?:really|also|とても|すごく) ?)*",
    "<too>": "(?: (?:too|a lot|very much))?",
    "<be>": "(?:です|だ)?(?:よ|ね)?",
    "<て>": "[てで](?:ください)?",
    "<do>": "(?:(?:can|could) you )?(?:please )?",
    "<day>": r"(?P<day>monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow)",
    "<日>": "(?P<day2>[月火水木金土日]曜日?|明日)",
    "<x>": "(?P<x>.+?)",
}
"""Abbreviations in the patterns."""
_PATTERNS: Final = tuple(
    (name, re.compile(re.sub(r"(?<!\?P)<\w+>", lambda gap: _SHORT[gap[0]], pattern), re.I))
    for name, patterns in _SCRIPT["forms"].items()
    for pattern in patterns
)
_LONG: Final = (
    ("’", "'"),
    (r"\bI'm\b", "I am"),
    (r"n't\b", " not"),
    (r"\bwhat's\b", "what is"),
    (r"\s+", " "),
)
_LEAD: Final = re.compile(
    r"(?:(?:<@\w+>|@\w+|please|and|hi|hello|kioku|no)[,:]? +"
    r"|(?:私は|やっぱり|最近は|特に|技術トピックでは)、?)*",
    re.I,
)
_JOINTS: Final = (
    (r"(?i:,? (?:and|but) (?=(?:I|don['’]t)\b))", "\n"),
    (r"(好き|嫌い|苦手)(?:で(?!す)|ですが)、?", r"\1\n"),
    (r"興味があり、", "興味がある\n"),
)
_REMEMBER: Final = re.compile(
    r"(?:(?:can|could) you )?(?:please )?remember(?: that|:)? (.+)"
    r"|(.+?)(?:だと|のを|と|を)覚えて(?:おいて)?(?:ください)?",
    re.I,
)
_FORGET: Final = re.compile(r"(?:please )?forget that (.+)", re.I)
_LIST: Final = re.compile(r", and | and |, |、|・|(?<=[^ぁ-ん])と(?=[^ぁ-ん])")
_BARE: Final = re.compile(r"^(?:the|an?|some) |全般$|[「」“”\"*_`]", re.I)
_NO_THING: Final = re.compile(
    r"\b(?:I|am|not|no|it|this|that|these|them|you|me|my|your|is|are|was|if|when|than|to|for|so|because"
    r"|how|what|know|everything|anything|nothing)\b"
    r"|[はを？?!！。]|ない|ません|けど|たら|とき|思|何|誰|それ|これ|あれ|好き|興味|特に|わけ$|こと$",
    re.I,
)


@dataclass(frozen=True)
class Said:
    """One clause that matches a form, its named groups (`gaps`), and the things in ``<x>``.

    `quote` is its sentence, verbatim. `wish` is ``remember`` or ``forget`` if the sentence asks so.
    """

    name: str
    quote: str
    clause: str
    gaps: Mapping[str, str]
    things: tuple[str, ...] = ()
    wish: str = ""

    @property
    def level(self) -> int:
        """How much the person likes the subject, 0 to 100; 70 for other statements."""
        return LEVELS.get(self.name, 70)

    @property
    def subject(self) -> str:
        """The ramen in 「ラーメンは味噌ラーメンが好き」, else the first thing, else the clause."""
        return self.gaps.get("of", self.things[0] if self.things else self.clause)


def is_japanese(text: str) -> bool:
    """Return whether `text` contains kana or kanji."""
    return re.search(r"[ぁ-ゖァ-ヺ一-鿿]", text) is not None


def singular(name: str) -> str:
    """Return `name` for comparison: NFKC, case folded, without an English plural."""
    word = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return word if len(word) < 4 or word.endswith("ss") else word.removesuffix("s")


_KIND: Final = {
    singular(word): kind for kind, words in _SCRIPT["words"].items() for word in words.split()
}


def kind_of(name: str) -> str:
    """Return ``food``, ``tech``, or ``""`` for a name that neither is nor holds a known word."""
    word = singular(name)
    ends = [one for one in _KIND if is_japanese(one) and word.endswith(one)]
    names = [word, *ends, *map(singular, word.split())]
    return next((_KIND[one] for one in names if one in _KIND), "")


def without_marks(sentence: str) -> str:
    """Return the sentence without the punctuation at its end."""
    return re.sub(r"[\s。！？!?.、,]+$", "", sentence).strip()


# Each request repeats the messages before it.
@lru_cache(maxsize=512)
def read(text: str) -> tuple[Said, ...]:
    """Return the clauses of `text` in order; a sentence that matches no form is ``unknown``."""
    text = re.sub(r"```.*?```", "\n", text[:20_000], flags=re.S)
    said: list[Said] = []
    for part in re.findall(r"[^\n。！？!?]*?(?:[。！？!?]+|\.(?=\s|$)|\n|$)", text):
        if sentence := part.strip() if re.search(r"\w", part) else "":
            found = _clauses(without_marks(sentence), sentence) if len(sentence) <= 300 else []
            asks = sentence.endswith(("?", "？")) and any(
                one.name in STATEMENTS and not one.wish for one in found
            )
            said += [Said("unknown", sentence, sentence, {})] if asks or not found else found
    return tuple(said)


def statements(text: str) -> list[Said]:
    """Return the statements of `text` about its author; none if they are not to be remembered."""
    said = read(text)
    taken_back = any(one.name in {"not_this", "not_that"} for one in said)
    return [one for one in said if one.name in STATEMENTS and not taken_back]


def _clauses(text: str, quote: str) -> list[Said]:
    """Return the clauses of a sentence; none if one of them matches no form."""
    lead = _LEAD.match(text)
    for clause in dict.fromkeys((text, text[lead.end() if lead else 0 :])):
        if one := _clause(clause, quote):
            return [one]
        if told := _REMEMBER.fullmatch(clause):
            inner = _clauses(told[1] or told[2], quote)
            return [replace(one, wish="remember") for one in inner if one.name in STATEMENTS]
        if taken := _FORGET.fullmatch(clause):
            inner = [one for one in _clauses(taken[1], quote) if one.name in STATEMENTS]
            return [replace(one, name="forget", wish="forget") for one in inner]
    parts = text
    for joint, apart in _JOINTS:
        parts = re.sub(joint, apart, parts, flags=re.I)
    each = [_clauses(part, quote) for part in parts.split("\n")] if "\n" in parts else [[]]
    return [one for part in each for one in part] if all(each) else []


def _clause(clause: str, quote: str) -> Said | None:
    plain = clause
    for pattern, written in _LONG:
        plain = re.sub(pattern, written, plain, flags=re.I)
    for name, form in _PATTERNS:
        if match := form.fullmatch(plain):
            gaps = {gap.rstrip("23"): text for gap, text in match.groupdict().items() if text}
            things = (gaps["what"],) if "what" in gaps else _things(gaps.get("x", ""))
            known = name != "special" or kind_of(gaps["of"])
            if known and (things or "x" not in gaps):
                return Said(name, quote, clause, gaps, things)
    return None


def _things(text: str) -> tuple[str, ...]:
    """Return the one to three things of a list; none if an item is more than a name."""
    parts = [_BARE.sub("", part.strip()) for part in _LIST.split(text)]
    whole = all(part and len(part.split()) <= 4 and not _NO_THING.search(part) for part in parts)
    return tuple(parts) if whole and len(parts) <= 3 else ()
