"""``/memories export``: everything about a person as one file, to them alone."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from bot.config import Settings
from bot.locale import Language, say
from bot.memories.person_data import export_person
from bot.memories.slack_deletions import note_file, plan_deletion_of_file
from bot.queue.queue import Queue
from bot.slack.files import FileNotSent, FileScopeMissing, FilesForbidden, SentFile, SlackFiles
from bot.users.requests import begin_request, check_request
from bot.views.blocks import Payload, ephemeral_payload
from memory import (
    MemoryOff,
    Person,
    Pool,
    lock_for_forgetting,
    person_transaction,
    transaction_timeout,
)

log = logging.getLogger(__name__)

_DATABASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Exporter:
    """The file goes to the person's direct messages with the app, wherever they ask for it."""

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
        if sent and await self._taken_back(person, request, language, sent):
            key = "export_erased"
        if key == "exported":
            log.info("a person exported what is kept of them")
        return ephemeral_payload(say(language, key))

    async def _note(self, person: Person, request: str, file: str) -> None:
        async with person_transaction(self.pool, person) as connection:
            # The next statement sees an erasing that came before, and a later one sees the file.
            await lock_for_forgetting(connection, person)
            await check_request(connection, person, request)
            await note_file(connection, person, file)

    async def _taken_back(
        self, person: Person, request: str, language: Language, sent: SentFile
    ) -> bool:
        """Schedule the deletion of a file if its person was erased since; return whether they were.

        The erasing does not know of the message, and its job may have found no file yet.
        """
        async with person_transaction(self.pool, person) as connection:
            try:
                await check_request(connection, person, request)
            except MemoryOff:
                log.info("a file was sent as its person was erased; it is deleted")
                await plan_deletion_of_file(connection, self.queue, person.team_id, language, sent)
                return True
        return False
