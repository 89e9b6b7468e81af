"""The app's sentences in English and Japanese, and who reads them.

The sentences are gettext catalogues, `<language>/LC_MESSAGES/kioku.po`, compiled when this
process first needs them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from babel.dates import format_date, format_skeleton, format_time
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

Language: TypeAlias = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
LANGUAGE_NAMES: dict[Language, str] = {"en": "English", "ja": "日本語"}
# Between a day and a time: "Fri, Nov 27 at 12:00 PM" and 「11月27日(金) 12:00」.
_BETWEEN = {"en": " at ", "ja": " "}
_WEEKDAY = {"en": "EEE", "ja": "EEEE"}
_NAMES = {-1: "day_yesterday", 0: "day_today", 1: "day_tomorrow"}
_WEEK = 7


def read_catalogue(language: Language) -> Catalog:
    """Return a catalogue as people write it. Raises `PoFileError`."""
    path = Path(__file__).parent / language / "LC_MESSAGES" / "kioku.po"
    with path.open("rb") as file:
        return read_po(file, abort_invalid=True)


@cache
def _texts(language: Language) -> GNUTranslations:
    compiled = BytesIO()
    write_mo(compiled, read_catalogue(language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def say(language: Language, key: str, **values: object) -> str:
    """Return the text `key` in `language` with `values` filled in.

    If the text has plural forms, the value named `count` decides between them. Raises `KeyError`
    for a key that the catalogues do not have.
    """
    texts = _texts(language)
    count = values.get("count")
    text = key
    if isinstance(count, int):
        text = texts.ngettext(key, key, count)
    if text == key:
        text = texts.gettext(key)
    if text == key:
        raise KeyError(key)
    return text.format(**values)


def known_language(code: object) -> Language | None:
    """Return `code` if the app has sentences in that language, else None."""
    for language in LANGUAGES:
        if language == code:
            return language
    return None


def language_of(locale: str | None, text: str) -> Language:
    """Return the language of a Slack locale such as ``ja-JP``; without one, that of the script."""
    if locale:
        return known_language(locale[:2].lower()) or "en"
    if any("\u3040" <= character <= "\u30ff" for character in text):
        return "ja"
    return "en"


@dataclass(frozen=True, slots=True)
class Localizer:
    """Writes sentences, dates and times for one person.

    A day has its weekday and date. In what is `read_at_once`, such as a panel, a day near by is
    "today" or "Fri"; a message may be read later.
    """

    language: Language
    zone: tzinfo = UTC
    read_at_once: bool = False

    def say(self, key: str, **values: object) -> str:
        """Return a sentence of the catalogues. Raises `KeyError` for an unknown key."""
        return say(self.language, key, **values)

    def listed(self, items: Iterable[str]) -> str:
        """Return short texts, such as names, as they are listed within a sentence."""
        return self.say("listed").join(items)

    def today(self) -> date:
        """Return the person's day."""
        return datetime.now(self.zone).date()

    def minute(self, moment: datetime) -> str:
        """Return date and time."""
        local = moment.astimezone(self.zone)
        return self.day(local.date(), local.time())

    def stored_day(self, day: str) -> str:
        """Return a day as it is stored, ``YYYY-MM-DD``. Raises `ValueError`."""
        return self.day(date.fromisoformat(day))

    def day(self, day: date, at: time | None = None) -> str:
        """Return a day, as the class says, and a time if given."""
        shown = self._near(day) or self.calendar_day(day)
        if at is None:
            return shown
        return f"{shown}{_BETWEEN[self.language]}{self._clock(at)}"

    def calendar_day(self, day: date) -> str:
        """Return a day with its weekday, and its year if not the current one."""
        skeleton = "yMMMEd"
        if day.year == self.today().year:
            skeleton = "MMMEd"
        return format_skeleton(skeleton, day, locale=self.language)

    def _near(self, day: date) -> str:
        """Return the name of a day near by where it is read at once; "" for any other."""
        days = (day - self.today()).days
        if not self.read_at_once or not -1 <= days < _WEEK:
            return ""
        if days in _NAMES:
            return self.say(_NAMES[days])
        return format_date(day, _WEEKDAY[self.language], locale=self.language)

    def _clock(self, at: time) -> str:
        clock = format_time(at, "short", locale=self.language)
        # CLDR's narrow space before AM and PM; elsewhere texts have the usual one.
        return clock.replace("\N{NARROW NO-BREAK SPACE}", " ")
