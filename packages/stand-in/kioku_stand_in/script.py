"""The script (script.toml): its rules, lists of phrases, and replies."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

_FILE: Final = files("kioku_stand_in").joinpath("script.toml")
SCRIPT: Final = tomllib.loads(_FILE.read_text("utf-8"))
_REFERENCE: Final = re.compile(r"(?<!\?P)<(\w+)>")
_JAPANESE: Final = re.compile(r"[ぁ-ゖァ-ヺ一-鿿]")


def compiled(table: Mapping[str, Sequence[str]]) -> dict[str, re.Pattern[str]]:
    """Compile each list of phrases of a table of the script."""
    return {name: _pattern(phrases) for name, phrases in table.items()}


def _pattern(phrases: Sequence[str]) -> re.Pattern[str]:
    """Match any of the phrases: whole English words or parts of Japanese ones."""
    english: list[str] = []
    japanese: list[str] = []
    for phrase in phrases:
        words = filled(phrase)
        if words.isascii():
            english.append(words)
        else:
            japanese.append(words)
    patterns = japanese
    if english:
        either = "|".join(english)
        whole = rf"(?<![a-z0-9'])(?:{either})(?<![a-z0-9'](?=[a-z0-9']))"
        patterns = [whole, *japanese]
    return re.compile("|".join(patterns), re.I)


def filled(pattern: str) -> str:
    """Return a pattern with what each `<name>` in it stands for."""
    return _REFERENCE.sub(
        lambda name: filled("|".join(SCRIPT["any"][name[1]])), pattern
    )


WORDS: Final = compiled(SCRIPT["words"])
COMMON: Final = frozenset(SCRIPT["common"]["words"].split())


def is_japanese(text: str) -> bool:
    """Return whether `text` contains kana or kanji."""
    return _JAPANESE.search(text) is not None
