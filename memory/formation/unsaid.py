"""What a message no longer says, once it is edited, deleted or taken back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from memory.embeddings.embedder import Embedder
from memory.formation.evidence import TypedMessage, find_evidence
from memory.model.fold import fold_at
from memory.model.namespace import Person
from memory.model.person_message import PersonMessage
from memory.model.statement import MessageKey, Statement
from memory.postgres.database import Pool, person_transaction
from memory.store.hidden import seeing_forgotten
from memory.store.people import begin_epoch
from memory.store.questions import delete_questions_of_message, set_aside
from memory.store.statements import (
    InCommit,
    delete_statements,
    do_nothing,
    read_statements,
    refresh_keys,
    statements_of_message,
    withdraw,
    writing,
)


async def take_back(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    message: MessageKey,
    *,
    is_deleted: bool,
    in_commit: InCommit[Collection[UUID]] = do_nothing,
) -> list[Statement]:
    """Take back all that a message said, because it was edited or deleted; return that.

    After an edit the caller forms its new words. Until then, for a day at most, what it said is set
    aside: see `memory.store.questions.SetAside`. What other messages say about the memories stays;
    clicks go with a memory of which they alone are left, moves and removals with the last message,
    if that was deleted. Questions that quote the message are deleted. `in_commit` is awaited in the
    transaction with the batches of the notices about it.
    """
    now = datetime.now(UTC)
    async with writing(pool, embedder, person) as transaction:
        async with seeing_forgotten(transaction):
            said = await statements_of_message(transaction, message)
            keys = {one.key for one in said}
            ids = {one.id for one in said}
            batches = await delete_questions_of_message(transaction, message)
            by_key = await read_statements(transaction, keys)
            left_behind: set[UUID] = set()
            for statements in by_key.values():
                batches |= {one.batch for one in statements}
                others = [one for one in statements if one.id not in ids]
                left_behind |= _left_behind(others, now, is_deleted=is_deleted)
            if not is_deleted:
                await set_aside(transaction, ids)
            await delete_statements(transaction, ids | left_behind)
        await refresh_keys(transaction, keys)
        await in_commit(transaction, batches)
    return said


async def still_quoted(
    pool: Pool, person: Person, message: MessageKey, words: PersonMessage
) -> bool:
    """Return whether a message still has each sentence from which something was remembered.

    For a message of which no words are stored: Slack reports a preview as it does an edit.
    """
    typed = [TypedMessage(words)]
    async with (
        person_transaction(pool, person) as transaction,
        seeing_forgotten(transaction),
    ):
        said = await statements_of_message(transaction, message)
    quoted = [one.evidence for one in said if one.evidence]
    return all(find_evidence(one, typed) is not None for one in quoted)


async def undo_message(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    message: MessageKey,
    *,
    in_commit: InCommit[Collection[UUID]],
) -> None:
    """Withdraw what a message says, as an Undo does, and delete the questions that quote it.

    What a model has been asked about the person is not stored any more: it may repeat the message.
    `in_commit` is awaited in the transaction with the batches of the notices about it.
    """
    async with writing(pool, embedder, person) as transaction:
        await begin_epoch(transaction)
        said = await statements_of_message(transaction, message)
        await withdraw(transaction, [one.id for one in said])
        batches = await delete_questions_of_message(transaction, message)
        batches |= {one.batch for one in said}
        await in_commit(transaction, batches)


def _left_behind(
    others: Collection[Statement], now: datetime, *, is_deleted: bool
) -> set[UUID]:
    """Return the statements about a memory that go with those of the message.

    `others` are those of other messages, and those without one.
    """
    if fold_at(others, now) is not None:
        return set()
    said = [one for one in others if one.act == "say"]
    if is_deleted and all(one.is_click for one in said):
        return {one.id for one in others}
    return {one.id for one in said if one.is_click}
