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
from memory.postgres.database import Pool
from memory.store.hidden import seeing_forgotten
from memory.store.people import begin_epoch
from memory.store.questions import delete_questions_of_message
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


async def delete_unsaid(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    message: MessageKey,
    words: PersonMessage | None,
    *,
    in_commit: InCommit[Collection[UUID]] = do_nothing,
) -> set[str]:
    """Delete what a message no longer says; return the keys of the memories concerned.

    `words` is the new version of the message, None if it was deleted. Statements whose evidence it
    still contains stay; the caller forms its new text. What other messages say about the memories
    stays; clicks go with a memory of which they alone are left. Moves and removals go with the last
    message, if that was deleted; after an edit they count for what the new version says. Questions
    that quote the message are deleted. If anything is gone, `in_commit` is awaited in the
    transaction with the batches of the notices about it.
    """
    typed = [TypedMessage(words)] if words else []
    now = datetime.now(UTC)
    async with writing(pool, embedder, person) as transaction:
        async with seeing_forgotten(transaction):
            said = await statements_of_message(transaction, message)
            gone = [one for one in said if not _is_still_said(one.evidence, typed)]
            keys = {one.key for one in gone}
            ids = {one.id for one in gone}
            batches = await delete_questions_of_message(transaction, message)
            by_key = await read_statements(transaction, keys)
            for statements in by_key.values():
                batches |= {one.batch for one in statements}
                others = [one for one in statements if one.id not in ids]
                ids |= _left_behind(others, now, is_deleted=words is None)
            await delete_statements(transaction, ids)
        await refresh_keys(transaction, keys)
        if batches:
            await in_commit(transaction, batches)
    return keys


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


def _is_still_said(evidence: str, typed: list[TypedMessage]) -> bool:
    """Return whether a message, if it still exists, contains these words, or they are blanked."""
    if not typed:
        return False
    return not evidence or find_evidence(evidence, typed) is not None
