"""People and their epochs: what was read in one is not stored about its person in another.

Whoever asks a model for a person reads the epoch first, and gives it to the transaction that
stores what came of it (`memory.postgres.person_transaction`), which raises `Overtaken` if a new one
has begun. One begins when the person forgets something or is erased, when memory is switched off,
and when words of theirs that are held are edited or deleted: always under the person's lock,
exclusive or shared.
"""

from __future__ import annotations

from dataclasses import dataclass

from memory.model.namespace import Person
from memory.postgres.database import (
    PersonTransaction,
    Pool,
    Query,
    execute_queries,
)
from memory.postgres.statements import load_statements

_SQL = load_statements("memory", "people")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A person's epoch, and how many requests of theirs made Kioku ask a model in this hour.

    The hour began at `asked_from`, in seconds since 1970, with the first of them.
    """

    epoch: int
    asked: int
    asked_from: float


def ask_query(person: Person, requests: int) -> Query:
    """Return the query that counts requests of a person: one row with the fields of `Asked`."""
    values = {**person.ids, "requests": requests}
    return Query(_SQL["ask"], values, prepare=True)


async def ask(pool: Pool, person: Person, requests: int = 1) -> Asked:
    """Count a request of a person, for which a model is asked next."""
    query = ask_query(person, requests)
    [[row]] = await execute_queries(pool, [query], scope=person.settings)
    return Asked(**row)


async def ask_within(transaction: PersonTransaction) -> Asked:
    """Count a request of a person, as `ask` does, in a transaction that holds their lock."""
    [row] = await transaction.fetch(_SQL["ask"], {"requests": 1})
    return Asked(**row)


async def read_epoch(pool: Pool, person: Person) -> int:
    """Return the epoch of a person, of whom nothing is counted."""
    asked = await ask(pool, person, requests=0)
    return asked.epoch


async def may_search(transaction: PersonTransaction) -> bool:
    """Return whether a memory that a provider declines may be looked for now: once a day."""
    return bool(await transaction.fetch(_SQL["claim_search"]))


async def begin_epoch(transaction: PersonTransaction) -> None:
    """Begin another epoch of the person, whose lock the transaction holds."""
    await transaction.execute(_SQL["begin_epoch"])
