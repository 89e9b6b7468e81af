"""The app's sentences in English and Japanese: gettext catalogues, `<language>/LC_MESSAGES`."""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeAlias, get_args

Language: TypeAlias = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
LANGUAGE_NAMES: dict[Language, str] = {"en": "English", "ja": "日本語"}


@cache
def _texts(language: Language) -> GNUTranslations:
    folder = Path(__file__).parent / language / "LC_MESSAGES"
    from bot.locale.compiling import compiled  # only now: Babel takes long to import

    return GNUTranslations(BytesIO(compiled((folder / "kioku.po").read_bytes())))


def say(language: Language, key: str, **values: object) -> str:
    """Return the text `key` in `language` with `values` filled in.

    Where the text has plural forms, the value named `count` decides between them. Raises
    `KeyError` for a key that the catalogues do not have.
    """
    texts = _texts(language)
    count = values.get("count")
    text = texts.ngettext(key, key, count) if isinstance(count, int) else key
    if text == key and (text := texts.gettext(key)) == key:
        raise KeyError(key)
    return text.format(**values)


def known_language(code: object) -> Language | None:
    """Return `code` if the app speaks that language."""
    return next((language for language in LANGUAGES if language == code), None)


def language_of(locale: str | None, text: str = "") -> Language:
    """Choose a language from a Slack locale such as ``ja-JP``; without one, from the script."""
    if locale:
        return known_language(locale[:2].lower()) or "en"
    return "ja" if any("\u3040" <= character <= "\u30ff" for character in text) else "en"
