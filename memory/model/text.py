"""Clean text for storage, and normalise it for comparison."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, NewType, TypeAlias

import regex

Json: TypeAlias = dict[str, Any]
"""A JSON object."""
Line = NewType("Line", str)
"""A line that `framed` has made."""
MAX_TEXT = 2_000  # characters of a stored text
MAX_DEPTH = 16  # nesting of objects and lists, in JSON that others have written
_CLUSTER = regex.compile(r"\X")
# Thirty characters in a row that may be marks: all but the letters, syllables and symbols of these
# ranges. Unicode's Stream-Safe Text Format (UAX #15, 13) allows no more marks than that.
# `normalized` of memory/schema.sql has the same expression.
_MARKS = re.compile(
    "[^\x00-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u1fff\u2000-\u20cf"
    "\u3000-\u3029\u3030-\u3098\u309b-\u9fff\uac00-\ud7ff]{30}"
)
_LINE_END = re.compile("\r\n|[\r\x85\u2028\u2029]")
# Invisible characters; the group `meant` has the joiners and flags among them.
_INVISIBLE = regex.compile(
    r"(?P<meant>(?<=[\p{L}\p{M}\p{S}])[\u200c\u200d](?=[\p{L}\p{M}\p{S}])"
    r"|(?<=\U0001F3F4)[\U000E0030-\U000E0039\U000E0061-\U000E007A]{1,6}+\U000E007F)"
    r"|[[\p{Cc}\p{Cf}\p{Cs}\p{Co}]--[\n\t]]",
    regex.VERSION1,
)
_JSON = json.JSONEncoder(ensure_ascii=False, default=str)
# What would end a frame, begin one, or end its line; and the opening bracket of what would be read
# as a citation, such as [m3], in every form of bracket that models write.
_FORGERY = regex.compile(
    r"[<>\x7f\x85\u2028\u2029]|[\[\uff3b\u3010\u3014\u3016](?=[\p{Zs}]*+[mk\uff4d\uff4b]\p{Zs}*+\p{Nd})",
    regex.IGNORECASE,
)
_JOINER = "\u034f"  # of no width and no class: marks are not moved across it


def clean(text: str) -> str:
    """Return `text` without NULs, lone surrogates, control characters and invisible characters.

    Each of Unicode's line ends becomes a line feed.
    Characters that carry meaning stay: a joiner between two characters, as in Persian words and
    family emoji, and the tags of a flag, such as Scotland's.
    """
    lines = _LINE_END.sub("\n", text)
    return _INVISIBLE.sub(lambda found: found["meant"] or "", lines)


def clean_content(content: Mapping[str, Any], limit: int | None = None) -> Json:
    """Return `content` without invisible characters, each text cut to `limit` characters."""
    return {clean(key): _clean_value(value, limit) for key, value in content.items()}


def _clean_value(value: Any, limit: int | None) -> Any:
    if isinstance(value, str):
        return clean(value).strip()[:limit]
    if isinstance(value, Mapping):
        return clean_content(value, limit)
    if isinstance(value, list):
        return [_clean_value(item, limit) for item in value]
    return value


def estimated_tokens(text: str) -> int:
    """Estimate tokens without a tokenizer: four ASCII characters each, one for any other.

    Errs on the high side for Japanese, so budgets hold.
    """
    ascii_count = len(text.encode("ascii", "ignore"))
    return (ascii_count + 3) // 4 + len(text) - ascii_count


def texts(value: Any) -> list[str]:
    """Return every string in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    found: list[str] = []
    if isinstance(value, list):
        for item in value:
            found += texts(item)
    return found


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with every string changed; the names of fields stay as they are."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: with_texts(item, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_texts(item, change) for item in value]
    return value


def objects(value: Any) -> list[Json]:
    """Return the objects in a list of a payload; none if it is not a list."""
    if not isinstance(value, list):
        return []
    return [one for one in value if isinstance(one, dict)]


def with_objects(value: Any, change: Callable[[Json], Json]) -> Any:
    """Return a JSON value with every object changed, an object in another one before that one."""
    if isinstance(value, list):
        return [with_objects(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {name: with_objects(item, change) for name, item in value.items()}
    return change(inner)


def parse_json(text: str) -> Any:
    """Return the JSON value of `text`; raises ValueError also for NaN and infinity."""
    return json.loads(text, parse_constant=_number, parse_float=_number)


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("JSON has no such number.")
    return number


def framed(value: object) -> Line:
    """Return a value as one line of JSON for a frame: it can neither end the frame nor begin one.

    Nor has it a citation mark. What it escapes is JSON still, so that the line reads as the value.
    """
    line = _JSON.encode(value)
    return Line(_FORGERY.sub(lambda found: f"\\u{ord(found[0]):04x}", line))


def frame(name: str, lines: Iterable[Line]) -> str:
    """Return lines between ``<name>`` and ``</name>``: the one way in which a prompt holds data."""
    return "\n".join([f"<{name}>", *lines, f"</{name}>"])


def depth(value: Any) -> int:
    """Return how deeply objects and lists are nested in a JSON value; not recursive."""
    levels = 0
    level = [value]
    while level:
        levels += 1
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level = inner
    return levels - 1


def normalized(text: str) -> str:
    """Return `text` in compatibility form (NFKC), in linear time.

    Normalization sorts the marks after a letter, and sorting many is quadratic: 39,000 take seconds
    in Python and in PostgreSQL. So thirty are sorted at a time; no legible letter has more.
    """
    if text.isascii():
        return text
    separated = _MARKS.sub(rf"\g<0>{_JOINER}", text)
    return unicodedata.normalize("NFKC", separated).replace(_JOINER, "")  # noqa: TID251


def folded(text: str) -> str:
    """Return `text` in compatibility form and case folded, so that width and case do not differ.

    Turkish İ becomes i, as people type it, and not i with a dot above.
    """
    return normalized(text).casefold().replace("i\u0307", "i")


def letters(text: str) -> str:
    """Return the letters, marks and numbers of `text`, in compatibility form and case folded.

    Texts that differ only in case, width, white space, punctuation or symbols give the same result.
    """
    return "".join(plain for plain, _, _ in lettered(text))


def lettered(text: str) -> list[tuple[str, int, int]]:
    """Return what `letters` keeps, one grapheme cluster at a time, with its offsets in `text`.

    A cluster is a user-perceived character (UAX #29), so that a letter with its marks, half-width
    kana with a sound mark, and decomposed Hangul are each compared as a whole.
    """
    found: list[tuple[str, int, int]] = []
    for cluster in _CLUSTER.finditer(text):
        plain = "".join(
            c for c in folded(cluster.group()) if unicodedata.category(c)[0] in "LMN"
        )
        if plain:
            found.append((normalized(plain), cluster.start(), cluster.end()))
    return found
