"""Erasing everything about oneself, for good: asked with a typed word, answered with a receipt."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.locale import LANGUAGES, Language, say
from bot.logs import fault
from bot.memories.person_data import erase_person
from bot.slack.client import SLACK_FAULTS, Installations, direct_message, error_code
from bot.users.profiles import Profiles
from bot.views.erasing import erased_view, includes_messages, typed_confirmation
from bot.views.views import SlackView, language_of_view
from memory import Person, Pool, transaction_timeout

log = logging.getLogger(__name__)

_DATABASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PersonEraser:
    """Erases everything about a person at their own request, as `kioku erase` does."""

    pool: Pool
    people: Profiles
    slack: Installations

    def errors(self, view: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with what was typed, by block; the word of any language counts."""
        block, typed = typed_confirmation(view)
        words = {_folded(say(language, "erase_word")) for language in LANGUAGES}
        if _folded(typed) in words:
            return {}
        language = language_of_view(view)
        return {block: say(language, "erase_wrong", word=say(language, "erase_word"))}

    async def erased(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Erase everything of the person, in Slack as far as they chose; return the receipt."""
        messages = includes_messages(view)
        direct = await self._direct(person) if messages else None
        with transaction_timeout(_DATABASE_SECONDS):
            erased = await erase_person(
                self.pool, person, language=language, messages=messages, direct=direct
            )
        self.people.invalidate(person)
        return erased_view(language, erased)

    async def _direct(self, person: Person) -> str | None:
        try:
            found = await direct_message(self.slack.client(person.team_id), person.user_id)
        except SLACK_FAULTS as error:
            log.warning("a direct message was not found: %s", error_code(error) or fault(error))
            return None
        return str(found["id"]) if found else None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip(" 「」\"'“”").casefold()
