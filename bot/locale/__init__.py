"""What the app says, in English and Japanese."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")


@cache
def catalogue(language: Language) -> dict[str, str]:
    """Return all texts of one language by key."""
    return dict(tomllib.loads((files("bot.locale") / f"{language}.toml").read_text("utf-8")))


class _Count(int):
    """A number that brings its noun: ``{count:memory|memories}`` is "1 memory" or "2 memories"."""

    def __format__(self, spec: str) -> str:
        one, mark, many = spec.partition("|")
        return f"{int(self)} {one if self == 1 else many}" if mark else format(int(self), spec)


def say(language: Language, key: str, **values: object) -> str:
    """Return the text `key` in `language` with `values` filled in."""
    filled = {
        name: _Count(value) if isinstance(value, int) else value for name, value in values.items()
    }
    return catalogue(language)[key].format(**filled)


def language_of(locale: str | None, text: str = "") -> Language:
    """Choose a language from a Slack locale such as ``ja-JP``; without one, from the script."""
    if locale:
        return "ja" if locale.lower().startswith("ja") else "en"
    return "ja" if any("\u3040" <= character <= "\u30ff" for character in text) else "en"
