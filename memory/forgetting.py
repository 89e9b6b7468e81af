"""Forgetting for good, with ten minutes to take it back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from cryptography.fernet import Fernet, InvalidToken
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory import rows
from memory.database import Pool, person_transaction
from memory.errors import InvalidNamespace, KiokuMemoryError
from memory.locks import lock_for_forgetting
from memory.memories import COLUMNS, OF_PERSON, Memory, person_range, read
from memory.namespace import Namespace, Person
from memory.quotations import blank_quotes, put_quotes_back
from memory.traces import REPLAY, drop_traces, earlier_keys, keys_of, once_known, traces_of

UNDO_MINUTES = 10

# Takes away, in the same transaction, what the application keeps of these memories' sources (None:
# of the person altogether), and returns it as JSON values for Undo. `places` in such a value are
# the (channel, ts) of the messages it was about.
TakeAway: TypeAlias = Callable[
    [AsyncConnection[DictRow], Sequence[Memory] | None], Awaitable[list[dict[str, Any]]]
]
PutBack: TypeAlias = Callable[[AsyncConnection[DictRow], Sequence[dict[str, Any]]], Awaitable[None]]


class UndoExpired(KiokuMemoryError):
    """What was forgotten cannot be brought back any more: ten minutes are over, or it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """What brings something forgotten back: its row and the only copy of its key."""

    id: UUID
    key: str

    def token(self) -> str:
        """Return it as one word, for a button."""
        return f"{self.id.hex}.{self.key}"

    @classmethod
    def from_token(cls, token: str) -> Undo:
        """Read a button's word; raises `UndoExpired` for anything else."""
        name, _, key = token.partition(".")
        try:
            return cls(id=UUID(hex=name), key=key)
        except ValueError:
            raise UndoExpired("That is no undo of ours.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was forgotten; `undo` is None where nothing was there."""

    memories: tuple[Memory, ...]
    undo: Undo | None


async def forget(
    pool: Pool,
    person: Person,
    references: Sequence[str] | None,
    *,
    take_away: TakeAway | None = None,
) -> Forgotten:
    """Remove memories for good: rows, vectors, ledger, questions, what `take_away` keeps of them.

    `references` are `Memory.reference`s of this person, None means everything. Those of other
    people's memories, or of none, match nothing; those of memories that the ledger alone still
    knows take its entries. All in one transaction, and none of this person's memories is formed
    meanwhile.
    """
    async with person_transaction(pool, person) as connection:
        await lock_for_forgetting(connection, person)
        await connection.execute("DELETE FROM forgotten WHERE expires_at < now()")
        stored = await _rows(connection, person, references)
        keys = None
        if references is not None:
            keys = [*keys_of(references), *(row["key"] for row in stored)]
            keys += await earlier_keys(connection, person, stored)
        traces = await traces_of(connection, person, keys)
        memories = [read(row) for row in stored]
        known = [*memories, *once_known(traces, memories, person)]
        texts: list[dict[str, Any]] = []
        if take_away is not None:
            texts = await take_away(connection, None if references is None else known)
        if not memories and not texts and not any(traces.values()):
            return Forgotten(memories=(), undo=None)
        quotes: list[dict[str, Any]] = []
        if keys is not None:
            quotes = await blank_quotes(connection, person, known, keys)
        undo = await _keep_for_undo(connection, person, stored, texts, traces, quotes)
        for row in stored:
            # store_vectors goes with it: ON DELETE CASCADE.
            await connection.execute(
                "DELETE FROM store WHERE prefix = %s AND key = %s", (row["prefix"], row["key"])
            )
        await drop_traces(connection, person, keys)
        places = {place for memory in known for place in memory.places}
        for channel, ts in places.union(*map(_places, texts)):
            await connection.execute(
                "INSERT INTO forgotten_sources (forgotten_id, team_id, user_id, channel, ts)"
                " VALUES (%s, %s, %s, %s, %s)",
                (undo.id, person.team_id, person.user_id, channel, ts),
            )
    return Forgotten(memories=tuple(m for m in memories if not m.hides), undo=undo)


async def bring_back(
    pool: Pool, person: Person, undo: Undo, *, put_back: PutBack | None = None
) -> list[Memory]:
    """Undo a `forget`: the same rows, bytes, dates and vectors. Works once.

    A memory that was formed anew meanwhile stays as it is, and a text in which something else was
    forgotten stays away. Raises `UndoExpired`.
    """
    async with person_transaction(pool, person) as connection:
        found = await connection.execute(
            "DELETE FROM forgotten WHERE id = %s AND team_id = %s AND user_id = %s"
            " AND expires_at >= now() RETURNING ciphertext",
            (undo.id, person.team_id, person.user_id),
        )
        row = await found.fetchone()
        if row is None:
            raise UndoExpired("The time to undo is over, or it was undone already.")
        try:
            kept = json.loads(Fernet(undo.key.encode()).decrypt(bytes(row["ciphertext"])))
        except (InvalidToken, ValueError):
            raise UndoExpired("That is no undo of ours.") from None
        for one in kept["rows"]:
            await _restore(connection, one)
        for table, lines in kept.get("traces", {}).items():
            await connection.execute(REPLAY[table], (lines,))
        await put_quotes_back(connection, person, kept.get("quotes", []))
        memories = [m for one in kept["rows"] if not (m := read(_dated(one))).hides]
        await connection.execute(
            "DELETE FROM forgotten_sources WHERE forgotten_id = %s", (undo.id,)
        )
        if put_back is not None:
            left = await _still_forgotten(connection, person)
            await put_back(connection, [one for one in kept["texts"] if not left & _places(one)])
    return memories


def _places(text: dict[str, Any]) -> set[tuple[str, str]]:
    return {(channel, ts) for channel, ts in text.get("places") or []}


async def _still_forgotten(
    connection: AsyncConnection[DictRow], person: Person
) -> set[tuple[str, str]]:
    found = await connection.execute(
        "SELECT channel, ts FROM forgotten_sources WHERE team_id = %s AND user_id = %s",
        (person.team_id, person.user_id),
    )
    return {(row["channel"], row["ts"]) for row in await found.fetchall()}


async def _rows(
    connection: AsyncConnection[DictRow], person: Person, references: Sequence[str] | None
) -> list[DictRow]:
    if references is None:
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} FOR UPDATE", person_range(person)
        )
        return await found.fetchall()
    found_rows: list[DictRow] = []
    for reference in dict.fromkeys(references):
        audience, _, key = reference.partition("/")
        try:
            prefix = person.namespace(audience).prefix
        except InvalidNamespace:
            continue
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE prefix = %s AND key = %s FOR UPDATE", (prefix, key)
        )
        found_rows += await found.fetchall()
    return found_rows + await _hiders(connection, person, found_rows)


async def _hiders(
    connection: AsyncConnection[DictRow], person: Person, forgotten: Sequence[DictRow]
) -> list[DictRow]:
    """Return the rows of narrower ears whose one purpose was to hide one of these."""
    if not forgotten:
        return []
    found = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON}"
        " AND jsonb_array_length(COALESCE(value->'supersedes', '[]')) = 1"
        " AND value->'supersedes'->0->>'key' = ANY(%(keys)s) FOR UPDATE",
        {**person_range(person), "keys": [row["key"] for row in forgotten]},
    )
    taken = {(row["prefix"], row["key"]) for row in forgotten}
    return [
        row
        for row in await found.fetchall()
        if read(row).hides and (row["prefix"], row["key"]) not in taken
    ]


async def _keep_for_undo(
    connection: AsyncConnection[DictRow],
    person: Person,
    stored: Sequence[DictRow],
    texts: Sequence[dict[str, Any]],
    traces: Mapping[str, Sequence[str]],
    quotes: Sequence[dict[str, Any]],
) -> Undo:
    kept = []
    for row in stored:
        found = await connection.execute(
            "SELECT field_name, embedding::text AS embedding, created_at, updated_at"
            " FROM store_vectors"
            " WHERE prefix = %s AND key = %s",
            (row["prefix"], row["key"]),
        )
        kept.append({**row, "vectors": await found.fetchall()})
    key = Fernet.generate_key()
    whole = {"rows": kept, "texts": list(texts), "traces": traces, "quotes": list(quotes)}
    plain = json.dumps(whole, default=str).encode()
    undo = Undo(id=uuid4(), key=key.decode())
    await connection.execute(
        "INSERT INTO forgotten (id, team_id, user_id, ciphertext, expires_at)"
        " VALUES (%s, %s, %s, %s, now() + make_interval(mins => %s))",
        (undo.id, person.team_id, person.user_id, Fernet(key).encrypt(plain), UNDO_MINUTES),
    )
    return undo


async def _restore(connection: AsyncConnection[DictRow], one: dict[str, Any]) -> None:
    stored = await connection.execute(
        "INSERT INTO store (prefix, key, value, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (one["prefix"], one["key"], Jsonb(one["value"]), one["created_at"], one["updated_at"]),
    )
    if not stored.rowcount:
        return
    value = one["value"]
    await rows.note_expiry(connection, Namespace.from_prefix(one["prefix"]), one["key"], value)
    for vector in one["vectors"]:
        await connection.execute(
            "INSERT INTO store_vectors"
            " (prefix, key, field_name, embedding, created_at, updated_at)"
            " VALUES (%(prefix)s, %(key)s, %(field_name)s, %(embedding)s::vector,"
            " %(created_at)s, %(updated_at)s)",
            {"prefix": one["prefix"], "key": one["key"], **vector},
        )


def _dated(one: dict[str, Any]) -> dict[str, Any]:
    dates = {n: datetime.fromisoformat(one[n]) for n in ("created_at", "updated_at")}
    return {**one, **dates}


async def ask_forgotten(
    connection: AsyncConnection[DictRow], person: Person, channel: str
) -> AsyncCursor[DictRow]:
    """Ask for the ``ts`` of messages in `channel` that this person had forgotten."""
    return await connection.execute(
        "SELECT ts FROM forgotten_sources WHERE team_id = %s AND user_id = %s AND channel = %s",
        (person.team_id, person.user_id, channel),
    )


async def forgotten_places(
    connection: AsyncConnection[DictRow], person: Person, channel: str
) -> set[str]:
    """Return the timestamps of messages in `channel` that this person had forgotten."""
    found = await ask_forgotten(connection, person, channel)
    return {row["ts"] for row in await found.fetchall()}
