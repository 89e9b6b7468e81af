"""Requests of a person for all their data: to export it as one file, or to erase it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bot.config import Settings
from bot.locale import LANGUAGES, Language, say
from bot.memories.person_data import erase_person, export_person
from bot.memories.sent_files import delete_sent_file_later, note_file
from bot.queue.queue import Queue
from bot.slack.files import FileNotSent, FileScopeMissing, FilesForbidden, SentFile, SlackFiles
from bot.users.profiles import Profiles
from bot.users.requests import begin_request, check_request
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.erasing import erased_view, typed_confirmation
from bot.views.views import SlackView, language_of_view
from memory import (
    MemoryOff,
    Person,
    Pool,
    lock_person,
    person_transaction,
    transaction_timeout,
)

log = logging.getLogger(__name__)

_DATABASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Exporter:
    """Sends the file to the person's direct messages with the app, wherever they ask for it."""

    pool: Pool
    queue: Queue
    files: SlackFiles
    settings: Settings

    async def exported(self, person: Person, language: Language, *_: str) -> Payload:
        """Send the file, and say so; a person who is erased meanwhile gets none."""
        request = await begin_request(self.pool, person)
        with transaction_timeout(_DATABASE_SECONDS):
            document = await export_person(self.pool, person, self.settings)
        text = say(
            language,
            "export_message",
            memories=say(language, "counted_memories", count=len(document["memories"])),
            messages=say(language, "counted_answers", count=len(document["conversation"])),
        )
        content = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        name = f"kioku-{datetime.now(UTC).date().isoformat()}.json"
        sent: SentFile | None = None
        key = "exported"
        try:
            noted = partial(self._note, person, request)
            sent = await self.files.send(person, name, content.encode(), text, noted=noted)
        except MemoryOff:
            key = "export_erased"
        except FileScopeMissing:
            key = "export_no_scope"
        except FilesForbidden:
            key = "export_forbidden"
        except FileNotSent as failed:
            sent = failed.uncertain
            key = "export_uncertain" if sent else "export_failed"
        if sent and await self._taken_back(person, request, sent):
            key = "export_erased"
        if key == "exported":
            log.info("a person exported what is kept of them")
        return ephemeral_payload(say(language, key))

    async def _note(self, person: Person, request: str, file: str) -> None:
        async with person_transaction(self.pool, person) as connection:
            # The next statement sees an erasing that came before, and a later one sees the file.
            await lock_person(connection, person)
            await check_request(connection, person, request)
            await note_file(connection, person, file)

    async def _taken_back(self, person: Person, request: str, sent: SentFile) -> bool:
        """Schedule the deletion of a file if its person was erased since; return whether they were.

        The erasing does not know of the message, and its job may have found no file yet.
        """
        async with person_transaction(self.pool, person) as connection:
            try:
                await check_request(connection, person, request)
            except MemoryOff:
                log.info("a file was sent as its person was erased; it is deleted")
                await delete_sent_file_later(connection, self.queue, person.team_id, sent)
                return True
        return False


@dataclass(frozen=True, slots=True)
class PersonEraser:
    """Erases everything about a person at their own request, as `kioku erase` does."""

    pool: Pool
    people: Profiles

    def errors(self, view: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with what was typed, by block; the word of any language counts."""
        block, typed = typed_confirmation(view)
        words = {say(language, "erase_word") for language in LANGUAGES}
        if typed.strip() in words:
            return {}
        language = language_of_view(view)
        return {block: say(language, "erase_wrong", word=say(language, "erase_word"))}

    async def erased(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Erase everything of the person; return the receipt."""
        del view
        with transaction_timeout(_DATABASE_SECONDS):
            erased = await erase_person(self.pool, person)
        self.people.invalidate(person)
        return erased_view(language, erased)
