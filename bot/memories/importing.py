"""``/memories import``: an export, or another assistant's lines, shown first and then taken in."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from bot.locale import Language, language_of, say
from bot.slack.files import FileNotNow, FileScopeMissing, FileUnreadable, SlackFiles
from bot.slack.messages import storable
from bot.types import ConsentMode, PersonSettings
from bot.users.quotas import Quotas
from bot.users.requests import begin_request, check_request
from bot.users.settings import read_settings
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.import_export import (
    IMPORT_TEXT,
    ImportInput,
    any_selected,
    import_form,
    import_page,
    import_preview,
    imported_view,
    not_an_export,
    read_import,
    selected_instructions,
)
from bot.views.memory_state import memory_off_text
from bot.views.views import SlackView, language_of_view, metadata_of, sentence_view
from memory import (
    ChangedSince,
    Embedder,
    EmbeddingsUnavailable,
    FormationUnavailable,
    ImportPlan,
    ImportResult,
    JudgedInstructions,
    MemoryOff,
    NotAnExport,
    Person,
    Pool,
    Verifier,
    count_undone,
    import_memories,
    judge_instructions,
    person_transaction,
    plan_import,
    transaction_timeout,
    undo_batch,
)

log = logging.getLogger(__name__)

MAX_BYTES = 40_000_000
# A large document is many rows and may take longer than an answer.
_DATABASE_SECONDS = 60.0
_VERDICT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Importer:
    """The modals of an import. Nothing is stored before the person has seen what would be.

    Nothing is kept between the modals either: the text is in the second one, a file is read
    again, and if it differs from the preview, a new preview is shown.
    """

    pool: Pool
    embedder: Embedder
    files: SlackFiles
    _: KW_ONLY
    schemas: Sequence[type[BaseModel]]
    consent: ConsentMode
    verifier: Verifier | None
    quotas: Quotas
    # Reading a large document takes seconds of processor time: one at a time in each process.
    _reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1), init=False)

    async def form(self, person: Person, language: Language, *_: str) -> SlackView:
        """Return the form."""
        return import_form(language, with_file=await self.files.may_read(person.team_id))

    def errors(self, view: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with a submitted form, by block; looks nothing up."""
        language = language_of_view(view)
        entered = read_import(view)
        if entered.text and entered.file:
            return {IMPORT_TEXT: say(language, "import_both")}
        if not (entered.text or entered.file):
            return {IMPORT_TEXT: say(language, "import_neither")}
        return {}

    async def previewed(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Return what importing would do, to be agreed to; nothing is stored."""
        entered = read_import(view)
        if limit := await self._over_limit(person, language):
            return limit
        try:
            text = await self._text(person, entered)
            return await self._preview(person, language, entered, text)
        except (NotAnExport, FileScopeMissing, FileUnreadable) as problem:
            return await self._form_with_problem(person, language, entered, problem)

    async def page(
        self, person: Person, language: Language, view: Mapping[str, Any], page: str = "1"
    ) -> SlackView:
        """Return a page of all changes that the file of a preview would make; it is read again."""
        file = metadata_of(view).get("file", "")
        try:
            text = await self._text(person, ImportInput(file=file))
            plan = await self._plan(person, text)
        except (NotAnExport, FileScopeMissing, FileUnreadable) as problem:
            return sentence_view(language, "import_title", say(language, _problem_key(problem)))
        return import_page(language, plan, int(page) if page.isdecimal() else 1, file)

    async def imported(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Import what the preview showed; if the file or the memories have changed, show it again.

        Of the instructions, those are imported that the person ticked and the verdicts allow.
        """
        entered = read_import(view)
        if limit := await self._over_limit(person, language):
            return limit
        request = await begin_request(self.pool, person)
        try:
            text = await self._text(person, entered)
            if _digest(text) != metadata_of(view).get("digest"):
                return await self._preview(person, language, entered, text)
            confirmed = await self._confirmed(person, view, text)
            done = await self._import(person, text, confirmed.references, request)
        except (NotAnExport, FileScopeMissing, FileUnreadable) as problem:
            return await self._form_with_problem(person, language, entered, problem)
        except MemoryOff:
            return sentence_view(language, "import_title", say(language, "off_refused"))
        except (FormationUnavailable, TimeoutError):
            return sentence_view(language, "import_title", say(language, "import_unchecked"))
        except (ChangedSince, EmbeddingsUnavailable):
            return sentence_view(language, "import_title", say(language, "command_failed"))
        log.info("a person imported %d memories", len(done.changes))
        return imported_view(language, done, confirmed.refused)

    async def undone(self, person: Person, language: Language, value: str) -> Payload:
        """Undo the import that a button names, as `imported_view` has it."""
        return await batch_undone(self.pool, self.embedder, person, language, "import", value)

    async def _over_limit(self, person: Person, language: Language) -> SlackView | None:
        used_up = await self.quotas.admit(person)
        if used_up is None:
            return None
        return sentence_view(language, "import_title", used_up.refusal(language))

    async def _confirmed(
        self, person: Person, view: Mapping[str, Any], text: str
    ) -> JudgedInstructions:
        """Return which of the ticked instructions may be stored; no connection is held."""
        if not any_selected(view):
            return JudgedInstructions(references=frozenset(), refused=0)
        plan = await self._plan(person, text)
        instructions = [one.memory for one in selected_instructions(plan, view)]
        async with asyncio.timeout(_VERDICT_SECONDS):
            confirmed = await judge_instructions(self.verifier, instructions)
        if confirmed.tokens:
            await self.quotas.spend(person.team_id, confirmed.tokens)
        return confirmed

    async def _plan(self, person: Person, text: str) -> ImportPlan:
        with transaction_timeout(_DATABASE_SECONDS):
            async with self._reading:
                return await plan_import(
                    self.pool, self.embedder, person, text, schemas=self.schemas
                )

    async def _preview(
        self, person: Person, language: Language, entered: ImportInput, text: str
    ) -> SlackView:
        if line := await self._refused(person, language):
            return sentence_view(language, "import_title", line)
        plan = await self._plan(person, text)
        return import_preview(language, plan, entered, _digest(text))

    async def _import(
        self, person: Person, text: str, instructions: Collection[str], request: str
    ) -> ImportResult:
        async def permitted(connection: AsyncConnection[DictRow], _: object) -> None:
            await check_request(connection, person, request)
            if self._disagrees(await read_settings(connection, person)):
                raise MemoryOff("The person has switched memory off meanwhile.")

        with transaction_timeout(_DATABASE_SECONDS):
            return await import_memories(
                self.pool,
                self.embedder,
                person,
                text,
                schemas=self.schemas,
                instructions=instructions,
                in_commit=permitted,
            )

    async def _text(self, person: Person, entered: ImportInput) -> str:
        if not entered.file:
            return storable(entered.text)
        content = await self.files.read(person.team_id, entered.file, most=MAX_BYTES)
        return storable(_decoded(content))

    async def _form_with_problem(
        self, person: Person, language: Language, entered: ImportInput, problem: Exception
    ) -> SlackView:
        if isinstance(problem, NotAnExport):
            text = not_an_export(language, problem.cause)
        else:
            missing = isinstance(problem, FileScopeMissing)
            text = say(language, "import_no_scope" if missing else _problem_key(problem))
        with_file = await self.files.may_read(person.team_id)
        return import_form(language, with_file=with_file, text=entered.text, problem=text)

    async def _refused(self, person: Person, language: Language) -> str:
        async with person_transaction(self.pool, person) as connection:
            settings = await read_settings(connection, person)
        off = settings.off_reason(self.consent)
        return memory_off_text(language, off, settings) if off and self._disagrees(settings) else ""

    def _disagrees(self, settings: PersonSettings) -> bool:
        # A pause is about what is said meanwhile; an import is done by hand.
        return settings.off_reason(self.consent) not in (None, "paused")


async def batch_undone(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    language: Language,
    actor: Literal["import", "merge"],
    value: str,
) -> Payload:
    """Undo the import or merge that a button's value names: ``FIRST LAST NUMBER``.

    A second click returns the same.
    """
    first, last, number = value.split()
    moments = datetime.fromisoformat(first), datetime.fromisoformat(last)
    with transaction_timeout(_DATABASE_SECONDS):
        try:
            undone = await undo_batch(pool, embedder, person, actor, *moments)
        except EmbeddingsUnavailable:
            return ephemeral_payload(say(language, "command_failed"))
        count = len(undone) or await count_undone(pool, person, actor, *moments)
    if undone:
        log.info("a person undid %d changes of their %s", len(undone), actor)
    if not count:
        return ephemeral_payload(say(language, "undo_gone"))
    key = "import_undone" if actor == "import" else "merge_undone"
    return ephemeral_payload(say(language, key, count=count, total=number))


def _decoded(content: bytes) -> str:
    """Return a file's text: UTF-8, UTF-16, or Japanese as Windows saves it.

    What is UTF-8 as far as it goes is cut off or damaged, and not in another encoding.
    """
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as problem:
        if wide or not content[: problem.start].isascii():
            raise NotAnExport("damaged") from None
    try:
        text = content.decode("cp932")
    except UnicodeDecodeError:
        raise NotAnExport("damaged") from None
    if language_of(None, text) != "ja":
        raise NotAnExport("damaged")
    return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _problem_key(problem: Exception) -> str:
    return "import_not_now" if isinstance(problem, FileNotNow) else "import_unreadable"
