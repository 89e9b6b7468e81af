"""A person's actions on their own memories: list, search, forget, undo."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from bot.conversation.callbacks import FormNow, UpdateFromChanged, UpdateNotices
from bot.conversation.history import delete_texts, has_texts, latest_thread, messages_in
from bot.conversation.periods import Period
from bot.locale import Language, say
from bot.slack.messages import Message
from bot.users.profiles import Profiles
from bot.users.quotas import QuotaExceeded, Quotas
from bot.views.blocks import Payload, beside_payload, ephemeral_payload
from bot.views.forgetting import (
    forget_everything_question,
    forget_period_question,
    forget_question,
    forgotten_already,
    forgotten_notice,
    nothing_to_forget,
    period_asked,
)
from bot.views.memories import memory_list, no_such_number, numbered, one_memory, search_results
from bot.views.subcommands import is_number, numbers_in, sentence_in
from bot.views.time_forms import past_period
from memory import (
    DM,
    ChangeGone,
    Embedder,
    Forgotten,
    KiokuMemoryError,
    Memory,
    Person,
    Pool,
    Selection,
    forget,
    list_changes,
    list_memories,
    memory_view,
    named_in,
    open_questions,
    person_transaction,
    search_memories,
    selected,
    similar_memories,
    source_changed,
    transaction_timeout,
    undo_changes,
    undo_forgetting,
)

log = logging.getLogger(__name__)

_SIMILAR = 5
# Cosine similarity. Short texts about different things are below it with text-embedding-3-small.
_SIMILARITY = 0.3
# A person's whole history is tens of thousands of rows and one transaction: it takes seconds.
FORGETTING_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryActions:
    """Each answer is for the person alone and covers their own memories only."""

    pool: Pool
    embedder: Embedder
    people: Profiles
    update_notices: UpdateNotices
    form_now: FormNow
    update_from_changed: UpdateFromChanged
    quotas: Quotas

    async def listed(self, person: Person, language: Language, page: str = "", *_: str) -> Payload:
        """Return the page of a number, else the first; form what waits of the person."""
        unformed = await self.form_now(person)
        memories = await list_memories(self.pool, person)
        return memory_list(
            language,
            numbered(memories),
            page=int(page) if is_number(page) else 1,
            unformed=unformed,
            zone=await self.people.zone(person),
        )

    async def numbered_one(
        self, person: Person, language: Language, number: str, *_: str
    ) -> Payload:
        """Return the memory that has this number in the list, with its menu."""
        numbers = numbers_in(number)
        if not numbers:
            return await self.listed(person, language)
        memories = await list_memories(self.pool, person)
        found = [pair for pair in numbered(memories) if pair[0] in numbers]
        if not found:
            return ephemeral_payload(no_such_number(language, numbers[0], len(memories)))
        return one_memory(language, *found[0], await self.people.zone(person))

    async def searched(self, person: Person, language: Language, words: str, *_: str) -> Payload:
        """Return the memories with these words, else the nearest in meaning."""
        if not words.strip():
            return ephemeral_payload(say(language, "search_usage"))
        try:
            memories, hits, similar = await self.found(person, words)
        except QuotaExceeded as used_up:
            return ephemeral_payload(used_up.refusal(language))
        found = _among(memories, hits)
        if similar:
            nearness = {memory.key: place for place, memory in enumerate(hits)}
            found.sort(key=lambda pair: nearness[pair[1].key])
        zone = await self.people.zone(person)
        return search_results(language, found, words, similar=similar, zone=zone)

    async def found(self, person: Person, words: str) -> tuple[list[Memory], list[Memory], bool]:
        """Return all memories, those with these words, and whether they are only the nearest.

        The nearest are looked up with the embedding model, which counts as a request. Raises
        `QuotaExceeded`.
        """
        memories = await list_memories(self.pool, person)
        hits = await search_memories(self.pool, person, words)
        if hits or not memories:
            return memories, hits, False
        await self.quotas.admit(person)
        near = await similar_memories(
            self.pool,
            self.embedder,
            memory_view(person.namespace(DM)),
            words,
            least=_SIMILARITY,
            most=_SIMILAR,
        )
        return memories, near, bool(near)

    async def forget_asked(self, person: Person, language: Language, words: str) -> Payload:
        """Return the question about numbers of the list, or about what matches `words`."""
        memories = await list_memories(self.pool, person)
        zone = await self.people.zone(person)
        if numbers := numbers_in(words):
            found = [pair for pair in numbered(memories) if pair[0] in numbers]
            missing = set(numbers) - {number for number, _ in found}
            if missing:
                text = no_such_number(language, min(missing), len(memories))
                return ephemeral_payload(text)
            return forget_question(language, found, zone)
        hits = await search_memories(self.pool, person, words)
        if not hits and (sentence := sentence_in(words)):
            hits = await named_in(self.pool, person, sentence)
        found = _among(memories, hits)
        if not found:
            none = search_results(language, [], words, similar=False, zone=zone)
            return ephemeral_payload(f"{none['text']}\n{say(language, 'forget_forms')}")
        return forget_question(language, found, zone)

    async def proposed(
        self, person: Person, language: Language, memories: tuple[Memory, ...]
    ) -> Payload:
        """Return the question about the memories the model proposes to forget."""
        everything = await list_memories(self.pool, person)
        found = _among(everything, memories)
        return forget_question(language, found, await self.people.zone(person))

    async def everything_proposed(self, person: Person, language: Language) -> Payload:
        """Return the question before everything is forgotten."""
        memories = await list_memories(self.pool, person)
        if not (
            memories
            or await has_texts(self.pool, person)
            or await list_changes(self.pool, person, limit=1)
            or await open_questions(self.pool, person)
        ):
            return nothing_to_forget(language)
        return forget_everything_question(language, len(memories))

    async def forgotten(self, person: Person, language: Language, value: str) -> Payload:
        """Forget what a button names; pressing it twice does no harm."""
        keys = [str(key) for key in json.loads(value)["memories"]]
        return await self.forget(person, language, Selection(keys=keys))

    async def everything_forgotten(self, person: Person, language: Language, *_: str) -> Payload:
        """Forget everything about the person."""
        return await self.forget(person, language, Selection(everything=True))

    async def taken_back(
        self,
        message: Message,
        changes: Sequence[UUID],
        questions: Collection[UUID],
        *,
        again: bool,
    ) -> None:
        """Undo what tools stored of a message; of what was new no trace is left.

        `changes` and `questions` are ids: of the questions, those that it alone left open. A change
        that cannot be undone is treated as if the message was deleted. Where it is answered
        `again`, all else that comes from it is: an earlier attempt may have ended with it stored.
        """
        person = message.person
        entries = await list_changes(self.pool, person, ids=changes)
        new = [entry.key for entry in entries if entry.before is None]
        try:
            ids = [entry.id for entry in entries]
            undone = await undo_changes(self.pool, self.embedder, person, ids=ids)
            if again or len(undone) < len({entry.key for entry in entries}):
                place = message.channel_id, message.ts
                gone = await source_changed(self.pool, self.embedder, person, *place, None)
                new = [one.key for one in [*undone, *gone] if one.after is None]
        except KiokuMemoryError as problem:
            log.warning("changes could not be undone: %s", type(problem).__name__)
        if new or questions:
            await forget(self.pool, person, Selection(keys=new, questions=questions))

    async def brought_back(self, person: Person, language: Language, token: str) -> Payload:
        """Undo a forget: once, and within ten minutes."""
        try:
            with transaction_timeout(FORGETTING_SECONDS):
                count = await undo_forgetting(self.pool, person, UUID(token))
        except (ChangeGone, ValueError):
            # What was clicked may show what an earlier click has restored.
            return beside_payload(say(language, "undo_expired"))
        log.info("a person undid forgetting %d memories", count)
        await self.update_from_changed(person)
        await self.form_now(person)
        if not count:
            return ephemeral_payload(say(language, "undone_words"))
        return ephemeral_payload(say(language, "undone", count=count))

    async def period_typed(self, person: Person, language: Language, words: str) -> Payload:
        """Return the question for a time in one of the formats of `past_period`."""
        zone = await self.people.zone(person)
        ends = past_period(words, datetime.now(UTC), zone)
        if ends is None:
            raise ValueError("These words are none of the forms of a time.")
        return await self.period_proposed(person, language, Period.between(*ends))

    async def thread_proposed(self, person: Person, language: Language, channel: str) -> Payload:
        """Return the question for the newest thread of a direct message with the person."""
        async with person_transaction(self.pool, person) as connection:
            thread = await latest_thread(connection, person, channel)
        if thread is None:
            return ephemeral_payload(say(language, "forget_thread_unknown"))
        return await self.period_proposed(person, language, Period(thread=thread))

    async def period_proposed(self, person: Person, language: Language, period: Period) -> Payload:
        """Return the question before what was said in a period is forgotten.

        One that lasts until now ends with the question: what is said later stays.
        """
        zone = await self.people.zone(person)
        asked = (
            say(language, "forget_thread_ask")
            if period.thread is not None
            else period_asked(language, *period.ends(), zone)
        )
        if period.thread is None and period.until is None:
            period = replace(period, until=datetime.now(UTC).timestamp())
        found, messages = await self.of_period(person, period)
        if not (found.count or found.others or messages):
            none = "forget_thread_none" if period.thread else "forget_period_none"
            return ephemeral_payload(say(language, none))
        listed = _among(await list_memories(self.pool, person), found.memories)
        return forget_period_question(
            language, listed, found.count, messages, period.value(), asked, zone
        )

    async def period_forgotten(self, person: Person, language: Language, value: str) -> Payload:
        """Forget what a button names; pressing it twice does no harm."""
        period = Period.from_value(value)
        selection, _ = await self._of_period(person, period)
        return await self.forget(person, language, selection, period)

    async def of_period(self, person: Person, period: Period) -> tuple[Forgotten, int]:
        """Return what of a period would be forgotten, and the number of its stored messages."""
        selection, messages = await self._of_period(person, period)
        return await selected(self.pool, person, selection), messages

    async def _of_period(self, person: Person, period: Period) -> tuple[Selection, int]:
        """Return what to forget of a period, and the number of its messages with a stored text."""
        async with person_transaction(self.pool, person) as connection:
            messages, kept = await messages_in(connection, person, period)
        since, until = period.ends()
        if period.thread is not None:
            return Selection(messages=messages), len(kept)
        return Selection(since=since or datetime(2000, 1, 1, tzinfo=UTC), until=until), len(kept)

    async def forget(
        self,
        person: Person,
        language: Language,
        selection: Selection,
        period: Period | None = None,
    ) -> Payload:
        """Forget what is selected; return what was, with its Undo.

        With a `period`, the texts of what the person said then are deleted, too.
        """
        delete = partial(
            delete_texts, person=person, period=period, update_notices=self.update_notices
        )
        with transaction_timeout(FORGETTING_SECONDS):
            done = await forget(self.pool, person, selection, delete_texts=delete)
        if done.id is None:
            return forgotten_already(language, keep_message=done.just_now)
        log.info("a person forgot %d memories", done.count)
        zone = await self.people.zone(person)
        undo = str(done.id) if done.count or done.others else ""
        return forgotten_notice(language, done.memories, done.count, undo, zone)


def _among(memories: Sequence[Memory], chosen: Iterable[Memory]) -> list[tuple[int, Memory]]:
    references = {memory.key for memory in chosen}
    return [pair for pair in numbered(memories) if pair[1].key in references]
