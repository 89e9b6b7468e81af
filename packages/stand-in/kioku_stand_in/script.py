"""The script (script.toml): its rules, lists of phrases, and replies."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

SCRIPT: Final = tomllib.loads(files("kioku_stand_in").joinpath("script.toml").read_text("utf-8"))


def phrases(listed: Sequence[str]) -> re.Pattern[str]:
    """Compile any of these, `<name>` filled in: whole English words or parts of Japanese ones."""
    filled = [re.sub(r"<(\w+)>", _any, one) for one in listed]
    patterns = []
    english = "|".join(one for one in filled if one.isascii())
    if english:
        patterns.append(rf"(?<![a-z0-9'])(?:{english})(?<![a-z0-9'](?=[a-z0-9']))")
    patterns += [one for one in filled if not one.isascii()]
    return re.compile("|".join(patterns), re.I)


def _any(name: re.Match[str]) -> str:
    return "|".join(SCRIPT["any"][name[1]])


def compiled(table: Mapping[str, Sequence[str]]) -> dict[str, re.Pattern[str]]:
    """Compile each list of phrases of a table of the script."""
    return {name: phrases(listed) for name, listed in table.items()}


WORDS: Final = compiled(SCRIPT["words"])
COMMON: Final = frozenset(SCRIPT["common"]["words"].split())


def is_japanese(text: str) -> bool:
    """Return whether `text` contains kana or kanji."""
    return re.search(r"[ぁ-ゖァ-ヺ一-鿿]", text) is not None
