"""A person's actions on their own memories: list, search, forget, undo."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from functools import partial

from bot.conversation.callbacks import Withdraw, withdraw_nothing
from bot.conversation.history import anything_said, put_back, take_away
from bot.locale import Language, say
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.forgetting import (
    forget_everything_question,
    forget_question,
    forgotten_already,
    forgotten_notice,
    nothing_to_forget,
)
from bot.views.memories import memory_list, numbered, search_results
from bot.views.subcommands import is_number
from memory import (
    DM,
    Change,
    Embedder,
    KiokuMemoryError,
    Memory,
    Person,
    Pool,
    Undo,
    UndoExpired,
    forget,
    list_memories,
    matching,
    recall_memories,
    transaction_timeout,
    undo_changes,
    undo_forget,
    view,
)

log = logging.getLogger(__name__)

_SIMILAR = 5
# A person's whole history is tens of thousands of rows and one transaction: it takes seconds.
FORGETTING_SECONDS = 60.0


class MemoryActions:
    """Each answer is for the person alone and covers their own memories only."""

    def __init__(
        self,
        pool: Pool,
        embedder: Embedder,
        *,
        stand_in: bool,
        withdraw: Withdraw = withdraw_nothing,
    ) -> None:
        self._pool = pool
        self._withdraw = withdraw
        self._embedder = embedder
        self._stand_in = stand_in

    async def listed(self, person: Person, language: Language, page: str = "") -> Payload:
        """Return the page that `page` names, else the first."""
        memories = await list_memories(self._pool, person)
        number = int(page) if is_number(page) else 1
        return memory_list(language, numbered(memories), page=number, stand_in=self._stand_in)

    async def searched(self, person: Person, language: Language, words: str) -> Payload:
        """Return the memories with these words, else the nearest in meaning."""
        memories, hits, similar = await self.found(person, words)
        found = _among(memories, hits)
        if similar:
            nearness = {memory.reference: place for place, memory in enumerate(hits)}
            found.sort(key=lambda pair: nearness[pair[1].reference])
        return search_results(language, found, words, similar=similar, stand_in=self._stand_in)

    async def found(self, person: Person, words: str) -> tuple[list[Memory], list[Memory], bool]:
        """Return all memories, those with these words, and whether they are only the nearest."""
        memories = await list_memories(self._pool, person)
        hits = matching(memories, words)
        if hits or not memories:
            return memories, hits, False
        own = view(person.namespace(DM))
        recalled = await recall_memories(
            self._pool, self._embedder, own, words, whole=0, instructions=False
        )
        return memories, list(recalled.memories)[:_SIMILAR], True

    async def forget_asked(self, person: Person, language: Language, words: str) -> Payload:
        """Return the question about a number of the list, or about what matches `words`."""
        memories = await list_memories(self._pool, person)
        if words.isdecimal():
            number = int(words) if is_number(words) else 0
            found = [pair for pair in numbered(memories) if pair[0] == number]
            if not found:
                return ephemeral_payload(
                    say(language, "forget_no_number", number=words[:20], count=len(memories))
                )
            return forget_question(language, found, stand_in=self._stand_in)
        found = _among(memories, matching(memories, words))
        if not found:
            return search_results(language, [], words, similar=False)
        return forget_question(language, found, stand_in=self._stand_in)

    async def proposed(
        self, person: Person, language: Language, memories: tuple[Memory, ...]
    ) -> Payload:
        """Return the question about the memories the model proposes to forget."""
        everything = await list_memories(self._pool, person)
        return forget_question(language, _among(everything, memories), stand_in=self._stand_in)

    async def everything_proposed(self, person: Person, language: Language) -> Payload:
        """Return the question before everything is forgotten."""
        memories = await list_memories(self._pool, person)
        if not memories and not await anything_said(self._pool, person):
            return nothing_to_forget(language)
        return forget_everything_question(language, len(memories))

    async def forgotten(self, person: Person, language: Language, value: str) -> Payload:
        """Forget what a button names; pressing it twice does no harm."""
        return await self.forget(person, language, [str(r) for r in json.loads(value)["memories"]])

    async def everything_forgotten(self, person: Person, language: Language, *_: str) -> Payload:
        """Forget everything about the person."""
        return await self.forget(person, language, None)

    async def taken_back(self, person: Person, changes: Sequence[Change]) -> None:
        """Undo what was stored of a message a moment ago; of what was new no trace is left."""
        try:
            ids = [change.id for change in changes]
            undone = await undo_changes(self._pool, self._embedder, person, ids)
        except KiokuMemoryError as problem:
            log.warning("changes could not be undone: %s", type(problem).__name__)
        else:
            if len(undone) < len(ids):
                log.warning("%d change(s) could not be undone", len(ids) - len(undone))
        if new := [change.reference for change in changes if change.before is None]:
            await forget(self._pool, person, new)

    async def brought_back(self, person: Person, language: Language, token: str) -> Payload:
        """Undo a forget: once, and within ten minutes."""
        try:
            with transaction_timeout(FORGETTING_SECONDS):
                memories = await undo_forget(
                    self._pool, person, Undo.from_token(token), put_back=put_back
                )
        except UndoExpired:
            return ephemeral_payload(say(language, "undo_expired"))
        log.info("a person took back forgetting %d memories", len(memories))
        if not memories:
            return ephemeral_payload(say(language, "undone_words"))
        return ephemeral_payload(say(language, "undone", count=len(memories)))

    async def forget(
        self, person: Person, language: Language, references: list[str] | None
    ) -> Payload:
        """Forget these memories, or with None everything; return what was, with its Undo."""
        with transaction_timeout(FORGETTING_SECONDS):
            done = await forget(
                self._pool,
                person,
                references,
                take_away=partial(take_away, person=person, withdraw=self._withdraw),
            )
        if done.undo is None:
            return forgotten_already(language, keep_message=done.just_now)
        log.info("a person forgot %d memories", len(done.memories))
        return forgotten_notice(language, done.memories, done.undo.token())


def _among(memories: Sequence[Memory], chosen: Iterable[Memory]) -> list[tuple[int, Memory]]:
    references = {memory.reference for memory in chosen}
    return [pair for pair in numbered(memories) if pair[1].reference in references]
