"""The store LangMem sees: one person's memories, read once, written in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from langgraph.store.base import BaseStore, GetOp, Op, PutOp, Result, SearchItem, SearchOp
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.clauses import Said
from memory.database import Pool, person_transaction
from memory.embeddings import Embedder, literal
from memory.errors import FormationUnavailable, InvalidNamespace
from memory.guard import Refusal
from memory.memories import Memory, seen_in
from memory.namespace import Namespace, View
from memory.schemas import searchable_text
from memory.settlement import Settlement, settle
from memory.wishes import Row, Wish, to_wishes

InCommit: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[None]]

WHOLE = 50  # so many memories are shown whole,
NEIGHBOURS = 60  # of more so many: the nearest to each clause in turn
_CLAUSES = 24
_ATTEMPTS = 4
VECTOR_FIELD = "content"

_COLUMNS = "prefix, key, value, created_at, updated_at"
# Other LangMem tools write rows of other shapes here.
_READABLE = "value->>'kind' = ANY(%(kinds)s) AND jsonb_typeof(value->'content') = 'object'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a run did to one memory; equal `before` and `after`: said again, and confirmed."""

    action: Literal["remembered", "updated", "removed"]
    namespace: Namespace
    key: str
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Formed:
    """What came of a run; `refused` holds the guard's codes, never a text of the person."""

    changes: tuple[Change, ...]
    refused: tuple[str, ...]


class UserStore(BaseStore):
    """LangGraph's store interface over what one person may be shown in one place.

    Reads are answered from what `load` read; writes wait for `commit`.
    """

    supports_ttl = False

    def __init__(
        self, pool: Pool, embedder: Embedder, view: View, said: Sequence[Said], rows: Sequence[Row]
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._view = view
        self._said = said
        self._rows = {row.place: row for row in rows}
        self._writes: list[PutOp] = []

    @classmethod
    async def load(
        cls,
        pool: Pool,
        embedder: Embedder,
        view: View,
        said: Sequence[Said],
        *,
        kinds: Iterable[str],
        also: Iterable[Memory] = (),
    ) -> UserStore:
        """Read the memories of `kinds` to be shown: all of them, or the nearest to what was said.

        `also` are memories to be there in any case.

        Makes at most one embedding call, with no connection held. Raises `EmbeddingsUnavailable`,
        and `InvalidNamespace` should the database ever return a row outside `view`.
        """
        known = sorted(kinds)
        rows = await _newest(pool, view, known)
        if len(rows) > WHOLE:
            clauses = list(dict.fromkeys(c.text for s in said for c in s.clauses))[:_CLAUSES]
            vectors = await embedder.embed(clauses)
            rows = await _nearest(pool, view, known, vectors)
        wanted = {(memory.namespace.prefix, memory.key) for memory in also}
        if missing := wanted - {row.place for row in rows}:
            rows += await _named(pool, view, missing)
        return cls(pool, embedder, view, said, _without_superseded(rows))

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Raise: everything here is asynchronous."""
        raise NotImplementedError("A person's memories are read and written asynchronously only.")

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Answer reads from memory and keep writes for `commit`; everything else is refused."""
        return [self._answer(op) for op in ops]

    def _answer(self, op: Op) -> Result:
        if isinstance(op, SearchOp):
            return [_item(row) for row in self._rows.values()]
        if isinstance(op, GetOp):
            row = self._rows.get((".".join(op.namespace), op.key))
            return _item(row) if row else None
        if isinstance(op, PutOp):
            self._writes.append(op)
            return None
        raise NotImplementedError("A person's memories can be searched, read and written only.")

    def discard(self) -> None:
        """Drop the writes that wait."""
        self._writes.clear()

    async def commit(self, in_commit: InCommit | None = None, *, at: datetime) -> Formed:
        """Write what the guard agrees to, and run `in_commit`, in one transaction.

        `at` is when the memories are confirmed. Texts are embedded before the transaction; rows
        are read again inside it, under a lock of this namespace. Raises `EmbeddingsUnavailable`.
        """
        wishes, refused = to_wishes(self._writes, self._rows, self._said, own=self._view.own)
        vectors: dict[str, list[float]] = {}
        settlement = self._settle(wishes, list(self._rows.values()), at)
        for _ in range(_ATTEMPTS):
            await self._embed(settlement, vectors)
            async with person_transaction(self._pool, self._view.person) as connection:
                # Nothing is written while the person forgets, nor forgotten while this is written.
                await connection.execute(
                    "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))",
                    (self._view.person.prefix,),
                )
                current = await _reread(connection, self._view.own, wishes, self._rows)
                settlement = self._settle(wishes, current, at)
                if all(text in vectors for text in settlement.texts):
                    gone = await _write(connection, self._view.own, settlement, vectors)
                    if in_commit is not None:
                        await in_commit(connection)
                    return _formed(self._view.own, settlement, refused, gone)
        raise FormationUnavailable("These memories keep changing; the words stay waiting.")

    def _settle(self, wishes: Sequence[Wish], rows: Sequence[Row], at: datetime) -> Settlement:
        return settle(wishes, rows, own=self._view.own, confirmed_at=at.isoformat())

    async def _embed(self, settlement: Settlement, vectors: dict[str, list[float]]) -> None:
        if missing := [text for text in settlement.texts if text not in vectors]:
            vectors.update(zip(missing, await self._embedder.embed(missing), strict=True))


def _item(row: Row) -> SearchItem:
    return SearchItem(row.namespace.parts, row.key, row.shown(), row.created_at, row.updated_at)


def _formed(
    own: Namespace, settlement: Settlement, refused: Sequence[Refusal], gone: set[str]
) -> Formed:
    changes = tuple(
        Change(
            action=change.action,
            namespace=own,
            key=change.key,
            kind=change.kind,
            before=change.before,
            after=change.after,
        )
        for change in settlement.changes
        if change.key not in gone
    )
    return Formed(
        changes=changes,
        refused=(*refused, *settlement.refused, *("deleted_meanwhile" for _ in gone)),
    )


def _without_superseded(rows: Sequence[Row]) -> list[Row]:
    hidden = {place for row in rows for place in row.supersedes if row.place != place}
    return [row for row in rows if row.place not in hidden]


# --- SQL -----------------------------------------------------------------------------------


def _row(record: DictRow) -> Row:
    return Row(
        namespace=Namespace.from_prefix(record["prefix"]),
        key=record["key"],
        value=record["value"],
        created_at=record["created_at"],
        updated_at=record["updated_at"],
    )


def rows_within(records: Iterable[DictRow], view: View) -> list[Row]:
    """Read `store` rows; raises `InvalidNamespace` for one that `view` does not allow."""
    rows = [_row(record) for record in records]
    if not all(view.allows(row.namespace) for row in rows):
        raise InvalidNamespace("A query returned a memory for other ears; nothing was done.")
    return rows


async def _newest(pool: Pool, view: View, kinds: Sequence[str]) -> list[Row]:
    where, values = seen_in(view)
    async with person_transaction(pool, view.person) as connection:
        cursor = await connection.execute(
            f"SELECT {_COLUMNS} FROM store WHERE {where} AND {_READABLE}"
            " ORDER BY updated_at DESC, key LIMIT %(limit)s",
            {**values, "kinds": kinds, "limit": WHOLE + 1},
        )
        return rows_within(await cursor.fetchall(), view)


async def _nearest(
    pool: Pool, view: View, kinds: Sequence[str], vectors: Sequence[Sequence[float]]
) -> list[Row]:
    where, values = seen_in(view)
    ranked: list[tuple[int, Row]] = []
    async with person_transaction(pool, view.person) as connection:
        for vector in vectors:
            cursor = await connection.execute(
                f"SELECT {_COLUMNS} FROM ("
                "SELECT prefix, key, embedding <=> %(vector)s::vector AS distance"
                f" FROM store_vectors WHERE {where} ORDER BY distance LIMIT %(limit)s) near"
                " JOIN store USING (prefix, key)"
                f" WHERE {_READABLE}"
                " ORDER BY distance",
                {**values, "vector": literal(vector), "limit": NEIGHBOURS, "kinds": kinds},
            )
            ranked += enumerate(rows_within(await cursor.fetchall(), view))
    ranked.sort(key=lambda pair: pair[0])
    return list({row.place: row for _, row in ranked}.values())[:NEIGHBOURS]


async def _named(pool: Pool, view: View, places: Iterable[tuple[str, str]]) -> list[Row]:
    async with person_transaction(pool, view.person) as connection:
        cursor = await connection.execute(
            f"SELECT {_COLUMNS} FROM store WHERE (prefix, key) IN"
            " (SELECT * FROM unnest(%s::text[], %s::text[]))",
            [[prefix for prefix, _ in places], [key for _, key in places]],
        )
        return rows_within(await cursor.fetchall(), view)


async def _reread(
    connection: AsyncConnection[DictRow],
    own: Namespace,
    wishes: Sequence[Wish],
    rows: dict[tuple[str, str], Row],
) -> list[Row]:
    """Lock this namespace against other runs; return its rows of these kinds, and the targets."""
    if not wishes:
        return []
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (own.prefix,))
    places = {wish.target.place for wish in wishes if wish.target} | {
        place for place, row in rows.items() if row.namespace != own
    }
    places |= {place for row in rows.values() for place in row.supersedes}
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM store WHERE prefix = %(own)s AND {_READABLE}"
        " UNION "
        f"SELECT {_COLUMNS} FROM store WHERE (prefix, key) IN"
        " (SELECT * FROM unnest(%(prefixes)s::text[], %(keys)s::text[]))",
        {
            "own": own.prefix,
            "kinds": [wish.kind for wish in wishes],
            "prefixes": [prefix for prefix, _ in places],
            "keys": [key for _, key in places],
        },
    )
    return [_row(record) for record in await cursor.fetchall()]


async def _write(
    connection: AsyncConnection[DictRow],
    own: Namespace,
    settlement: Settlement,
    vectors: dict[str, list[float]],
) -> set[str]:
    """Write rows and vectors; return the keys that the person deleted at this very moment."""
    gone: set[str] = set()
    for key, value in settlement.inserts.items():
        await connection.execute(
            "INSERT INTO store (prefix, key, value, created_at, updated_at)"
            " VALUES (%s, %s, %s, clock_timestamp(), clock_timestamp())",
            (own.prefix, key, Jsonb(value)),
        )
    for key, value in settlement.updates.items():
        cursor = await connection.execute(
            "UPDATE store SET value = %s, updated_at = clock_timestamp()"
            " WHERE prefix = %s AND key = %s",
            (Jsonb(value), own.prefix, key),
        )
        if not cursor.rowcount:
            gone.add(key)
    for key, value in (settlement.inserts | settlement.updates).items():
        if key not in gone:
            await _write_vector(connection, own, key, vectors[searchable_text(value["content"])])
    if settlement.removals:
        await connection.execute(
            "DELETE FROM store WHERE prefix = %s AND key = ANY(%s)",
            (own.prefix, list(settlement.removals)),
        )
    return gone


async def _write_vector(
    connection: AsyncConnection[DictRow], own: Namespace, key: str, vector: Sequence[float]
) -> None:
    await connection.execute(
        "DELETE FROM store_vectors WHERE prefix = %s AND key = %s AND field_name <> %s",
        (own.prefix, key, VECTOR_FIELD),
    )
    await connection.execute(
        "INSERT INTO store_vectors (prefix, key, field_name, embedding, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s::vector, clock_timestamp(), clock_timestamp())"
        " ON CONFLICT (prefix, key, field_name)"
        " DO UPDATE SET embedding = EXCLUDED.embedding, updated_at = EXCLUDED.updated_at",
        (own.prefix, key, VECTOR_FIELD, literal(vector)),
    )
