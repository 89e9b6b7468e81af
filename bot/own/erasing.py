"""Erasing everything about oneself, for good: asked with a typed word, answered with a receipt."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from bot.locale import LANGUAGES, Language, say
from bot.own.data import erase_person
from bot.person.people import People
from bot.surfaces.erasing import erase_form, erased_view, typed_word
from bot.surfaces.views import View, language_of_view
from memory import Person, Pool, impatiently

_DATABASE_SECONDS = 30.0


class Erasing:
    """What `kioku erase` does for an operator, done by the person."""

    def __init__(self, pool: Pool, people: People) -> None:
        self._pool = pool
        self._people = people

    def errors(self, view: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with what was typed, by block; the word of any language counts."""
        block, typed = typed_word(view)
        words = {_folded(say(language, "erase_word")) for language in LANGUAGES}
        if _folded(typed) in words:
            return {}
        language = language_of_view(view)
        return {block: say(language, "erase_wrong", word=say(language, "erase_word"))}

    def form(self, language: Language) -> View:
        """Return the question, which is answered by typing a word."""
        return erase_form(language)

    async def erased(self, person: Person, language: Language) -> View:
        """Erase everything of the person; return the receipt."""
        with impatiently(_DATABASE_SECONDS):
            erased = await erase_person(self._pool, person)
        self._people.forget(person)
        return erased_view(language, erased)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip(" 「」\"'“”").casefold()
