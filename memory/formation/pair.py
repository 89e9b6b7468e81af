"""Pair new proposals with the rows about the same thing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from memory.formation.proposal import Proposal
from memory.model.namespace import Namespace
from memory.model.schemas import thing
from memory.postgres.database import Pool, person_transaction
from memory.recall.search import SMALL_SET
from memory.store.memories import Memory, reread


async def pair(
    pool: Pool, own: Namespace, proposals: Sequence[Proposal], known: Collection[Memory]
) -> list[Proposal]:
    """Give each new proposal the row about the same thing, if there is one.

    `known` are the rows that the model was shown; of a large set the others are read. Of several
    rows about a thing, one of the own namespace counts.
    """
    rows = sorted(known, key=lambda row: row.namespace != own)
    kinds = [one.kind for one in proposals if one.target is None]
    if kinds and len(rows) >= SMALL_SET:
        async with person_transaction(pool, own.person) as connection:
            rows[:0] = (await reread(connection, own.person, of=own, kinds=kinds)).values()
    first: dict[tuple[str, str], Memory] = {}
    for row in rows:
        first.setdefault((row.kind, thing(row.kind, row.content)), row)
    return [
        one
        if one.target
        else replace(one, target=first.get((one.kind, thing(one.kind, one.content))))
        for one in proposals
    ]
