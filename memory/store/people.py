"""People and their epochs: what was read in one is not stored about its person in another.

Whoever asks a model for a person reads the epoch first, and gives it to the transaction that
stores what came of it (`memory.postgres.person_transaction`), which raises `Overtaken` if a new one
has begun. One begins when the person forgets something or is erased, when memory is switched off,
and when words of theirs that are held are edited or deleted: always under the person's lock,
exclusive or shared.
"""

from __future__ import annotations

from memory.model.namespace import Person
from memory.postgres.database import (
    PersonTransaction,
    Pool,
    Query,
    execute_queries,
)
from memory.postgres.statements import load_statements

_SQL = load_statements("memory", "people")


def epoch_query(person: Person) -> Query:
    """Return the query for a person's epoch: one row, which is made if there is none."""
    return Query(_SQL["enter"], person.ids, prepare=True)


async def read_epoch(pool: Pool, person: Person) -> int:
    """Return the epoch of a person."""
    query = epoch_query(person)
    [[row]] = await execute_queries(pool, [query], scope=person.settings)
    epoch: int = row["epoch"]
    return epoch


async def begin_epoch(transaction: PersonTransaction) -> None:
    """Begin another epoch of the person, whose lock the transaction holds."""
    await transaction.execute(_SQL["begin_epoch"])
