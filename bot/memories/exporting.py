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
from bot.memories.slack_deletions import note_file
from bot.slack.files import FileNotSent, FileScopeMissing, FilesForbidden, SlackFiles
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.import_export import export_offer
from memory import Person, Pool, person_transaction, transaction_timeout

log = logging.getLogger(__name__)

_DATABASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Exporter:
    """The file goes to the person's direct messages with the app, wherever they ask for it."""

    pool: Pool
    files: SlackFiles
    settings: Settings

    async def offered(self, person: Person, language: Language, *_: str) -> Payload:
        """Offer the file, where it was asked for in plain words."""
        del person
        return export_offer(language)

    async def exported(self, person: Person, language: Language, *_: str) -> Payload:
        """Send the file, and say so."""
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
        try:
            await self.files.send(
                person, name, content.encode(), text, noted=partial(self._note, person)
            )
        except FileScopeMissing:
            return ephemeral_payload(say(language, "export_no_scope"))
        except FilesForbidden:
            return ephemeral_payload(say(language, "export_forbidden"))
        except FileNotSent as failed:
            key = "export_uncertain" if failed.uncertain else "export_failed"
            return ephemeral_payload(say(language, key))
        log.info("a person exported what is kept of them")
        return ephemeral_payload(say(language, "exported"))

    async def _note(self, person: Person, file: str) -> None:
        async with person_transaction(self.pool, person) as connection:
            await note_file(connection, person, file)
