"""Forgetting of memories, with Undo for ten minutes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.errors import UndoExpired
from memory.model.namespace import Person
from memory.postgres.database import Pool, person_transaction
from memory.postgres.locks import lock_for_forgetting
from memory.store import rows
from memory.store.dependents import (
    DEPENDENT_ROWS,
    delete_dependents,
    earlier_contents,
    earlier_keys,
    keys_of,
    put_entries_back,
    read_dependents,
    take_entries,
)
from memory.store.memories import (
    COLUMNS,
    MOVED_SINCE,
    OF_PERSON,
    Memory,
    MessageKey,
    RowKey,
    from_json,
    named_rows,
    person_range,
    read,
)
from memory.store.origins import ComesFrom, StoredFrom, stored_from
from memory.store.quotations import blank_quotes, put_quotes_back, remove_quotes
from memory.store.row_copies import RowCopy, put_memories, put_rows, read_rows
from memory.store.undo_payload import UndoPayload, decrypt, encrypt, new_key

UNDO_MINUTES = 10

# Deletes, in the same transaction, the application's texts about these memories' sources (None: all
# texts of the person), and returns them as JSON values for Undo. `places` in such a value are the
# (channel, ts) of the messages it is about. The ids are those of ledger entries and questions that
# are deleted besides those of the memories.
BlankTexts: TypeAlias = Callable[
    [AsyncConnection[DictRow], Sequence[Memory] | None, Collection[UUID]],
    Awaitable[list[dict[str, Any]]],
]
# Returns, in the same transaction, what says whether something is to be forgotten.
ReadOrigin: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[ComesFrom]]
RestoreTexts: TypeAlias = Callable[
    [AsyncConnection[DictRow], Sequence[dict[str, Any]]], Awaitable[None]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The Undo of a forgetting: the id of its ciphertext and the only copy of its key."""

    id: UUID
    key: str

    def token(self) -> str:
        """Return it as a string for a button's value."""
        return f"{self.id.hex}.{self.key}"

    @classmethod
    def from_token(cls, token: str) -> Undo:
        """Parse a button's value; raises `UndoExpired` if it is malformed."""
        name, _, key = token.partition(".")
        try:
            return cls(id=UUID(hex=name), key=key)
        except ValueError:
            raise UndoExpired("The Undo is malformed.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """The forgotten memories; `undo` is None if there was nothing to forget.

    `just_now`: nothing was found because it was forgotten within the last minute, with an Undo.
    """

    memories: tuple[Memory, ...]
    undo: Undo | None
    just_now: bool = False


async def forget(
    pool: Pool,
    person: Person,
    references: Sequence[str] | None,
    *,
    questions: Collection[UUID] = (),
    origin: ReadOrigin | None = None,
    blank_texts: BlankTexts | None = None,
) -> Forgotten:
    """Delete memories: rows, vectors, ledger entries, questions, and the texts of `blank_texts`.

    `references` are `Memory.reference`s of this person; None means all memories. A memory that was
    moved since is found by its key. Unknown references and those of other people match nothing. If
    only the ledger still has a memory, its entries are deleted. `questions` are the ids of open
    questions to delete besides those about these memories. `origin` selects, besides, what comes
    from some messages or from a time, as `stored_from` does: memories, those that only the ledger
    has, questions, and single ledger entries of memories that stay. Runs in one transaction, under
    a lock that stops formation for this person: what it has written before is selected, too.
    """
    async with person_transaction(pool, person) as connection:
        await lock_for_forgetting(connection, person)
        await connection.execute("DELETE FROM forgotten WHERE expires_at < now()")
        found = StoredFrom()
        if origin is not None:
            found = await stored_from(connection, person, await origin(connection))
        wanted = None if references is None else [*references, *found.references]
        asked = [*questions, *found.questions]
        stored = await _rows(connection, person, wanted)
        keys = None
        if wanted is not None:
            keys = [*keys_of(wanted), *found.keys, *(row["key"] for row in stored)]
            keys += await earlier_keys(connection, person, stored)
        payload = await read_dependents(connection, person, keys, asked)
        await take_entries(connection, person, found.entries, payload)
        memories = [read(row) for row in stored]
        # In a thread: reading thousands of entries takes tenths of a second.
        known = memories + await asyncio.to_thread(earlier_contents, payload, memories, person)
        if blank_texts is not None:
            about = None if keys is None else known
            besides = [*asked, *found.entries]
            payload.texts.extend(await blank_texts(connection, about, besides))
        if not memories and not payload.texts and not any(payload.rows.values()):
            just_now = await _forgotten_just_now(connection, person)
            return Forgotten(memories=(), undo=None, just_now=just_now)
        if keys is not None:
            payload.quotes.extend(await blank_quotes(connection, person, known, keys))
        undo = await _store_undo(connection, person, stored, payload)
        # ON DELETE CASCADE deletes the vectors and expiries of the rows.
        await rows.delete(connection, [(row["prefix"], row["key"]) for row in stored])
        await delete_dependents(connection, person, keys, asked)
        messages = {key for memory in known for key in memory.source_messages}
        await _record_forgotten(
            connection,
            person,
            undo,
            {*(keys or ()), *(m.key for m in known), *map(str, (*asked, *found.entries))},
            messages.union(*map(_message_keys, payload.texts)),
        )
    return Forgotten(memories=tuple(m for m in memories if not m.hides), undo=undo)


async def undo_forget(
    pool: Pool, person: Person, undo: Undo, *, restore_texts: RestoreTexts | None = None
) -> list[Memory]:
    """Undo a `forget`: restore the same rows, values, dates and vectors. Works once.

    A memory that was formed again in the meantime stays. If something else of the same message was
    forgotten in the meantime, neither texts nor quotes of that message are restored. Raises
    `UndoExpired`.
    """
    async with person_transaction(pool, person) as connection:
        await lock_for_forgetting(connection, person)
        payload = await _taken_payload(connection, person, undo)
        stored = await asyncio.to_thread(_stored, payload)
        await _restore(connection, payload, stored)
        await put_entries_back(connection, person, payload)
        await put_quotes_back(connection, person, payload.quotes)
        await connection.execute(
            "WITH keys AS (DELETE FROM forgotten_keys WHERE forgotten_id = %(id)s)"
            " DELETE FROM forgotten_sources WHERE forgotten_id = %(id)s",
            {"id": undo.id},
        )
        if restore_texts is not None:
            left = await _still_forgotten(connection, person)
            await restore_texts(
                connection, [one for one in payload.texts if not left & _message_keys(one)]
            )
    return [memory for memory in map(read, stored) if not memory.hides]


async def _taken_payload(
    connection: AsyncConnection[DictRow], person: Person, undo: Undo
) -> UndoPayload:
    """Delete the ciphertext and return its decrypted content.

    It has no quotes of messages of which something was forgotten later.
    """
    found = await connection.execute(
        "DELETE FROM forgotten WHERE id = %s AND team_id = %s AND user_id = %s"
        " AND expires_at >= now() RETURNING ciphertext, expires_at",
        (undo.id, person.team_id, person.user_id),
        binary=True,
    )
    row = await found.fetchone()
    if row is None:
        raise UndoExpired("The Undo has expired or was used already.")
    payload = await asyncio.to_thread(decrypt, row["ciphertext"], undo.key)
    found = await connection.execute(
        "SELECT channel, ts FROM forgotten_sources JOIN forgotten ON id = forgotten_id"
        " WHERE (forgotten.team_id, forgotten.user_id) = (%s, %s) AND forgotten.expires_at > %s",
        (person.team_id, person.user_id, row["expires_at"]),
    )
    if later := {(one["channel"], one["ts"]) for one in await found.fetchall()}:
        await asyncio.to_thread(remove_quotes, payload, later)
    return payload


def _message_keys(text: dict[str, Any]) -> set[MessageKey]:
    return {(channel, ts) for channel, ts in text.get("places") or []}


async def _record_forgotten(
    connection: AsyncConnection[DictRow],
    person: Person,
    undo: Undo,
    keys: Collection[str],
    messages: Collection[MessageKey],
) -> None:
    """Record the ids of what was forgotten, and of messages that are not to be formed again."""
    await connection.execute(
        "WITH keys AS (INSERT INTO forgotten_keys (forgotten_id, team_id, user_id, key)"
        " SELECT %(id)s, %(team)s, %(user)s, unnest(%(keys)s::text[]))"
        " INSERT INTO forgotten_sources (forgotten_id, team_id, user_id, channel, ts)"
        " SELECT %(id)s, %(team)s, %(user)s, channel, ts"
        " FROM unnest(%(channels)s::text[], %(times)s::text[]) AS said (channel, ts)",
        {
            "id": undo.id,
            **person.ids,
            "keys": [*keys],
            "channels": [channel for channel, _ in messages],
            "times": [ts for _, ts in messages],
        },
    )


async def _forgotten_just_now(connection: AsyncConnection[DictRow], person: Person) -> bool:
    found = await connection.execute(
        "SELECT FROM forgotten WHERE team_id = %s AND user_id = %s"
        " AND expires_at > now() + make_interval(mins => %s) LIMIT 1",
        (person.team_id, person.user_id, UNDO_MINUTES - 1),
    )
    return await found.fetchone() is not None


async def _still_forgotten(connection: AsyncConnection[DictRow], person: Person) -> set[MessageKey]:
    found = await connection.execute(
        "SELECT channel, ts FROM forgotten_sources WHERE team_id = %s AND user_id = %s",
        (person.team_id, person.user_id),
    )
    return {(row["channel"], row["ts"]) for row in await found.fetchall()}


_ROWS: LiteralString = f"SELECT {COLUMNS}, to_jsonb(store)::text AS line FROM store"


async def _rows(
    connection: AsyncConnection[DictRow], person: Person, references: Sequence[str] | None
) -> list[DictRow]:
    if references is None:
        found = await connection.execute(
            f"{_ROWS} WHERE {OF_PERSON} FOR UPDATE", person_range(person)
        )
        return await found.fetchall()
    found = await connection.execute(
        f"{_ROWS} JOIN (SELECT prefix, key, min(number) AS number FROM ({MOVED_SINCE}) AS named"
        " GROUP BY prefix, key) AS wanted USING (prefix, key) ORDER BY number FOR UPDATE OF store",
        named_rows(person, references),
    )
    stored = await found.fetchall()
    return stored + await _rows_that_only_hide(connection, person, stored)


async def _rows_that_only_hide(
    connection: AsyncConnection[DictRow], person: Person, forgotten: Sequence[DictRow]
) -> list[DictRow]:
    """Return rows of narrower audiences that only hide one of these memories."""
    if not forgotten:
        return []
    found = await connection.execute(
        f"{_ROWS} WHERE {OF_PERSON} AND CASE jsonb_typeof(value->'supersedes') WHEN 'array'"
        " THEN jsonb_array_length(value->'supersedes') = 1 END"
        " AND value->'supersedes'->0->>'key' = ANY(%(keys)s) FOR UPDATE",
        {**person_range(person), "keys": [row["key"] for row in forgotten]},
    )
    taken = {(row["prefix"], row["key"]) for row in forgotten}
    return [
        row
        for row in await found.fetchall()
        if read(row).hides and (row["prefix"], row["key"]) not in taken
    ]


async def _store_undo(
    connection: AsyncConnection[DictRow],
    person: Person,
    stored: Sequence[DictRow],
    payload: UndoPayload,
) -> Undo:
    payload.rows["store"] = [(row["line"], None) for row in stored]
    if stored:
        payload.rows["store_vectors"] = await read_rows(
            connection,
            "store_vectors",
            "(t.prefix, t.key) IN (SELECT * FROM unnest(%(prefixes)s::text[], %(keys)s::text[]))",
            {"prefixes": [row["prefix"] for row in stored], "keys": [row["key"] for row in stored]},
        )
    undo = Undo(id=uuid4(), key=new_key())
    ciphertext = await asyncio.to_thread(encrypt, payload, undo.key)
    await connection.execute(
        "INSERT INTO forgotten (id, team_id, user_id, ciphertext, expires_at)"
        " VALUES (%s, %s, %s, %s, clock_timestamp() + make_interval(mins => %s))",
        (undo.id, person.team_id, person.user_id, ciphertext, UNDO_MINUTES),
    )
    return undo


def _stored(payload: UndoPayload) -> list[DictRow]:
    """Return the rows of ``store`` with the types that psycopg returns."""
    return [from_json(json.loads(line)) for line, _ in payload.rows.get("store", ())]


async def _restore(
    connection: AsyncConnection[DictRow], payload: UndoPayload, stored: Sequence[DictRow]
) -> None:
    """Insert the rows again; rows stored again in the meantime keep their value and vector."""
    restored = await put_memories(connection, payload.rows.get("store", ()))
    values = {(row["prefix"], row["key"]): row["value"] for row in stored}
    await rows.set_expiries(connection, {key: values[key] for key in restored})
    vectors = [row for row in payload.rows.get("store_vectors", ()) if _row_key(row) in restored]
    await put_rows(connection, "store_vectors", vectors)
    for table in DEPENDENT_ROWS:
        await put_rows(connection, table, payload.rows.get(table, ()))


def _row_key(copy: RowCopy) -> RowKey:
    row = json.loads(copy[0])
    return (row["prefix"], row["key"])


async def forgotten_messages(
    connection: AsyncConnection[DictRow], person: Person, channel: str
) -> set[str]:
    """Return the ``ts`` of messages in `channel` whose memories this person has forgotten."""
    found = await connection.execute(
        "SELECT ts FROM forgotten_sources WHERE team_id = %s AND user_id = %s AND channel = %s",
        (person.team_id, person.user_id, channel),
    )
    return {row["ts"] for row in await found.fetchall()}
