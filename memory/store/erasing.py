"""Erasure of all of a person's data, without Undo."""

from __future__ import annotations

from uuid import UUID, uuid4

from memory.model.namespace import Person
from memory.postgres.database import PersonTransaction, Pool, person_transaction
from memory.postgres.statements import load_statements
from memory.store.forgetting import Selection, forget_within

_SQL = load_statements("memory", "forgetting")


async def erase(pool: Pool, person: Person) -> int:
    """Forget everything about a person without Undo; return how many memories there were.

    Only the ids (channel and ts) of the source messages are kept, so that they are not formed
    again, a record of each erasure with its id (`forgotten_since`), and for a day the count of the
    person's hour. What was read of the person before is not stored afterwards. Idempotent.
    """
    async with person_transaction(pool, person, locked=True) as transaction:
        return await erase_within(transaction, uuid4())


async def erase_within(transaction: PersonTransaction, identity: UUID | None) -> int:
    """Erase the person as `erase` does, in a transaction that holds their lock.

    `identity` is the id by which the erasure is recorded; None: it is not, because nothing is
    stored about the person.
    """
    forgotten = await forget_within(transaction, Selection(everything=True))
    for row in await transaction.fetch(_SQL["delete_person"]):
        await transaction.execute(_SQL["carry_count"], row)
    if identity is not None:
        await transaction.execute(_SQL["record_erasure"], {"id": identity})
    return len(forgotten.memories)
