"""Memories that end by themselves: "until Friday", and Friday is over."""

from __future__ import annotations

from itertools import groupby

from memory import rows
from memory.database import Pool, person_transaction, transaction
from memory.ledger import note_ends
from memory.locks import lock_for_writing
from memory.memories import COLUMNS
from memory.namespace import Namespace
from memory.writing import Change


async def expire_due(pool: Pool, *, limit: int = 500) -> list[Change]:
    """Delete what has ended, of everybody: row, vector, the ledger's texts and open questions.

    The ledger keeps that something ended, not what. Questions that nobody answered in time go too.
    Safe to run from any number of processes; `limit` memories at a time, the longest due first.
    """
    async with transaction(pool) as connection:
        await connection.execute("SELECT delete_expired_questions()")
        found = await connection.execute(
            "SELECT prefix, key FROM memory_expiries WHERE expires_at <= now()"
            " ORDER BY expires_at LIMIT %s",
            (limit,),
        )
        due = [(Namespace.from_prefix(row["prefix"]), row["key"]) for row in await found.fetchall()]
    due.sort(key=lambda place: (place[0].prefix, place[1]))
    ended: list[Change] = []
    for namespace, places in groupby(due, key=lambda place: place[0]):
        ended += await _end(pool, namespace, [key for _, key in places])
    return ended


async def _end(pool: Pool, namespace: Namespace, keys: list[str]) -> list[Change]:
    async with person_transaction(pool, namespace.person) as connection:
        await lock_for_writing(connection, namespace.person, namespace)
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE prefix = %s AND key IN (SELECT key"
            " FROM memory_expiries e WHERE e.prefix = %s AND key = ANY(%s)"
            " AND e.expires_at <= now()) ORDER BY key",
            (namespace.prefix, namespace.prefix, keys),
        )
        ended = [rows.row(record) for record in await found.fetchall()]
        await rows.delete(connection, [row.place for row in ended])
        return await note_ends(connection, ended)
