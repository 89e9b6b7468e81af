"""``/memories import``: an export, or another assistant's lines, shown first and then taken in."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from bot.locale import Language, say
from bot.person.settings import ConsentMode, PersonSettings, read_settings
from bot.slack_files import FileScopeMissing, FileUnreadable, SlackFiles
from bot.surfaces.places import sentence_view
from bot.surfaces.standing import off_line
from bot.surfaces.transfer import (
    Entered,
    import_form,
    import_preview,
    imported_view,
    not_an_export,
    read_import,
)
from bot.surfaces.views import View, language_of_view, metadata_of
from bot.words import storable
from memory import (
    SCHEMAS,
    Change,
    ChangedSince,
    Embedder,
    EmbeddingsUnavailable,
    MemoryOff,
    NotAnExport,
    Person,
    Pool,
    impatiently,
    import_memories,
    person_transaction,
    plan_import,
)

log = logging.getLogger(__name__)

MAX_BYTES = 40_000_000
# A large document is many rows: nobody waits for it as for an answer.
_DATABASE_SECONDS = 60.0


class Importing:
    """The modals of an import. Nothing is stored before the person has seen what would be.

    Nothing is kept between the modals either: the text stands in the second one, a file is read
    again, and where that is not what was shown, it is shown anew.
    """

    def __init__(
        self,
        pool: Pool,
        embedder: Embedder,
        files: SlackFiles,
        *,
        schemas: Sequence[type[BaseModel]] = SCHEMAS,
        consent: ConsentMode,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._files = files
        self._schemas = schemas
        self._consent: ConsentMode = consent

    async def form(self, person: Person, language: Language) -> View:
        """Return the form; why there is none, where the person does not agree to memory."""
        if line := await self._refused(person, language):
            return sentence_view(language, "import_title", line)
        return import_form(language, with_file=await self._files.may_read())

    def errors(self, view: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with a submitted form, by block; looks nothing up."""
        language = language_of_view(view)
        entered = read_import(view)
        if entered.text and entered.file:
            return {entered.block: say(language, "import_both")}
        if not (entered.text or entered.file):
            return {entered.block: say(language, "import_neither")}
        return {}

    async def previewed(self, person: Person, language: Language, view: Mapping[str, Any]) -> View:
        """Return what importing would do, to be agreed to; nothing is stored."""
        entered = read_import(view)
        try:
            text = await self._text(entered)
            return await self._preview(person, language, entered, text)
        except (NotAnExport, FileScopeMissing, FileUnreadable) as problem:
            return await self._again(language, entered, problem)

    async def imported(self, person: Person, language: Language, view: Mapping[str, Any]) -> View:
        """Import what was shown; what was changed since, or the file, is shown anew."""
        entered = read_import(view)
        try:
            text = await self._text(entered)
            if _digest(text) != metadata_of(view).get("digest"):
                return await self._preview(person, language, entered, text)
            changes = await self._import(person, text)
        except (NotAnExport, FileScopeMissing, FileUnreadable) as problem:
            return await self._again(language, entered, problem)
        except MemoryOff:
            return sentence_view(language, "import_title", say(language, "off_refused"))
        except (ChangedSince, EmbeddingsUnavailable):
            return sentence_view(language, "import_title", say(language, "command_failed"))
        log.info("a person imported %d memories", len(changes))
        return imported_view(language, changes)

    async def _preview(
        self, person: Person, language: Language, entered: Entered, text: str
    ) -> View:
        if line := await self._refused(person, language):
            return sentence_view(language, "import_title", line)
        with impatiently(_DATABASE_SECONDS):
            plan = await plan_import(self._pool, person, text, schemas=self._schemas)
        return import_preview(language, plan, entered, _digest(text))

    async def _import(self, person: Person, text: str) -> list[Change]:
        async def permitted(connection: AsyncConnection[DictRow], _: object) -> None:
            if self._disagrees(await read_settings(connection, person)):
                raise MemoryOff("The person has switched memory off meanwhile.")

        with impatiently(_DATABASE_SECONDS):
            return await import_memories(
                self._pool,
                self._embedder,
                person,
                text,
                schemas=self._schemas,
                in_commit=permitted,
            )

    async def _text(self, entered: Entered) -> str:
        if not entered.file:
            return storable(entered.text)
        content = await self._files.read(entered.file, most=MAX_BYTES)
        wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        try:
            return storable(content.decode("utf-16" if wide else "utf-8-sig"))
        except UnicodeDecodeError:
            raise NotAnExport("damaged") from None

    async def _again(self, language: Language, entered: Entered, problem: Exception) -> View:
        if isinstance(problem, NotAnExport):
            text = not_an_export(language, problem.cause)
        else:
            missing = isinstance(problem, FileScopeMissing)
            text = say(language, "import_no_scope" if missing else "import_unreadable")
        with_file = await self._files.may_read()
        return import_form(language, with_file=with_file, text=entered.text, problem=text)

    async def _refused(self, person: Person, language: Language) -> str:
        async with person_transaction(self._pool, person) as connection:
            settings = await read_settings(connection, person)
        off = settings.off(self._consent)
        return off_line(language, off, settings) if off and self._disagrees(settings) else ""

    def _disagrees(self, settings: PersonSettings) -> bool:
        # A pause is about what is said meanwhile; an import is done by hand.
        return settings.off(self._consent) not in (None, "paused")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
