"""One person's memories: rows of LangGraph's `store`, and how they are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.model.errors import InvalidNamespace
from memory.model.namespace import COLLEAGUES, DM, MemoryView, Namespace, Person, memory_view
from memory.model.schemas import SUBJECT_FIELDS
from memory.postgres.database import PERSON_SETTING, Pool, execute_statement, person_statement

MessageKey: TypeAlias = tuple[str, str]  # channel, ts
MAX_MEMORIES = 5_000
"""The most memories of a person, of all audiences; a restored or moved one is no new one."""
COLUMNS: LiteralString = "prefix, key, value, created_at, updated_at, expires_at"
# Under row-level security, the pattern operators can use the index and LIKE cannot.
OF_PERSON: LiteralString = "prefix ~>=~ %(low)s AND prefix ~<~ %(high)s"
# The same of a table without prefixes.
OF_IDS: LiteralString = "team_id = %(team)s AND user_id = %(user)s"
UNEXPIRED: LiteralString = "(expires_at IS NULL OR expires_at > now())"
# Other tools may have written rows of another shape into `store`.
READABLE: LiteralString = (
    "value->>'kind' = ANY(%(kinds)s) AND jsonb_typeof(value->'content') = 'object'"
)
ROOM: LiteralString = (
    f"{MAX_MEMORIES} - (SELECT count(*) FROM (SELECT FROM store WHERE {OF_PERSON}"
    f" LIMIT {MAX_MEMORIES}) AS kept)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """The namespace and key of a memory: of itself, or of a change or a question about it.

    The key is the memory's id: editing and moving keep it.
    """

    namespace: Namespace
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(Keyed):
    """One memory; `value` is the stored JSON, `expires_at` None if it never expires."""

    value: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None

    @property
    def kind(self) -> str:
        """The name of its schema."""
        return str(self.value.get("kind", "Memory"))

    @property
    def content(self) -> dict[str, Any]:
        """The schema's fields; a value of another shape, as other tools store it, as one field."""
        content = self.value.get("content")
        return dict(content) if isinstance(content, dict) else {"content": content}

    @property
    def sources(self) -> tuple[dict[str, Any], ...]:
        """The messages, commands, forms and tool calls it comes from, oldest first."""
        return tuple(one for one in _list(self.value.get("sources")) if isinstance(one, dict))

    @property
    def supersedes(self) -> tuple[str, ...]:
        """The keys of the memories of wider audiences that it supersedes in its own."""
        return tuple(
            str(one.get("key"))
            for one in _list(self.value.get("supersedes"))
            if isinstance(one, dict)
        )

    @property
    def source_messages(self) -> list[MessageKey]:
        """The messages it comes from, oldest first: of each source that has a channel and a ts."""
        return [key for one in self.sources if (key := message_of(one))]


def message_of(source: Mapping[str, Any]) -> MessageKey | None:
    """Return the message of an entry of `sources`; None for words without one."""
    channel, ts = source.get("channel"), source.get("ts")
    return (str(channel), str(ts)) if channel and ts else None


def person_range(person: Person) -> dict[str, Any]:
    """Return the parameters of `OF_PERSON`, which selects the person's prefixes, and `OF_IDS`."""
    return {**person.ids, "low": f"{person.prefix}.", "high": f"{person.prefix}/"}


def in_view(view: MemoryView) -> tuple[LiteralString, dict[str, Any]]:
    """Return an SQL condition on `prefix` for the namespaces of `view`, and its parameters."""
    if view.audiences is None:
        return OF_PERSON, person_range(view.person)
    prefixes = [view.person.namespace(audience).prefix for audience in view.audiences]
    return "prefix = ANY(%(prefixes)s)", {"prefixes": prefixes}


def current_in(view: MemoryView, table: LiteralString) -> tuple[LiteralString, dict[str, Any]]:
    """Return `in_view` for `table`, without rows that a row of the view supersedes."""
    where, values = in_view(view)
    # value ? 'supersedes' is the condition of the partial index store_superseding.
    superseded: LiteralString = (
        "SELECT FROM store AS newer, jsonb_path_query(newer.value, '$.supersedes[*]') AS entry"
        f" WHERE {where} AND newer.value ? 'supersedes' AND {table}.key = entry->>'key'"
        f" AND {table}.key <> newer.key"
    )
    return f"{where} AND NOT EXISTS ({superseded})", values


def read(row: Mapping[str, Any]) -> Memory:
    """Convert a `store` row; raises `InvalidNamespace` if it is outside a person's namespace."""
    return Memory(
        namespace=Namespace.from_prefix(row["prefix"]),
        key=row["key"],
        value=row["value"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
    )


def from_json(row: Mapping[str, Any]) -> DictRow:
    """Return a `store` row that PostgreSQL converted to JSON as `read` takes it."""
    times = ("created_at", "updated_at", "expires_at")
    return {**row, **{t: row[t] and datetime.fromisoformat(row[t]) for t in times}}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def read_own(rows: Iterable[Mapping[str, Any]], person: Person) -> list[Memory]:
    """Convert `rows`; raises `InvalidNamespace` if one belongs to another person."""
    return read_within(rows, memory_view(person.namespace(DM)))


def read_within(rows: Iterable[Mapping[str, Any]], view: MemoryView) -> list[Memory]:
    """Convert `rows`; raises `InvalidNamespace` for a row outside `view`: the query was wrong."""
    memories = [read(row) for row in rows]
    if not all(view.allows(memory.namespace) for memory in memories):
        raise InvalidNamespace("A query returned a memory of another audience; nothing was done.")
    return memories


def current(memories: Sequence[Memory]) -> list[Memory]:
    """Return the memories that no other of them supersedes."""
    gone = {key for memory in memories for key in memory.supersedes if key != memory.key}
    return [memory for memory in memories if memory.key not in gone]


async def list_memories(pool: Pool, person: Person) -> list[Memory]:
    """Return all of a person's memories, newest first."""
    rows = await person_statement(
        pool,
        person,
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND {UNEXPIRED}"
        " ORDER BY updated_at DESC, prefix, key",
        person_range(person),
    )
    return read_own(rows, person)


async def find_memory(pool: Pool, person: Person, key: str) -> Memory | None:
    """Return the memory with this key, in whatever audience it is now; None without one."""
    rows = await person_statement(pool, person, REREAD, reread_values(person, [key], None, ()))
    return next(iter(read_own(rows, person)), None)


_CARD: LiteralString = (
    f"SELECT {COLUMNS} FROM store WHERE prefix = %(prefix)s AND {UNEXPIRED}"
    " ORDER BY created_at, key LIMIT %(most)s"
)


async def read_card(pool: Pool, reader: Person, owner: Person, *, most: int) -> list[Memory]:
    """Return the memories that `owner` shows to colleagues, for `reader`; oldest first.

    Row-level security opens rows of the audience ``colleagues`` of one named person, and only if
    both are of the same workspace.
    """
    rows = await execute_statement(
        pool,
        _CARD,
        {"prefix": owner.namespace(COLLEAGUES).prefix, "most": most},
        scope={PERSON_SETTING: reader.scope, "kioku.colleague": owner.scope},
    )
    return read_own(rows, owner)


async def newest(pool: Pool, view: MemoryView, kinds: Sequence[str], limit: int) -> list[Memory]:
    """Return the memories of `kinds` in `view`, newest first."""
    where, values = in_view(view)
    found = await person_statement(
        pool,
        view.person,
        f"SELECT {COLUMNS} FROM store WHERE {where} AND {READABLE} AND {UNEXPIRED}"
        " ORDER BY updated_at DESC, key LIMIT %(limit)s",
        {**values, "kinds": kinds, "limit": limit},
    )
    return read_within(found, view)


# The person's rows with these keys, and those of `kinds` in one namespace.
REREAD: LiteralString = (
    f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND {UNEXPIRED}"
    f" AND (key = ANY(%(keys)s) OR prefix = %(own)s AND {READABLE})"
)


async def reread(
    connection: AsyncConnection[DictRow],
    person: Person,
    *,
    keys: Iterable[str] = (),
    of: Namespace | None = None,
    kinds: Sequence[str] = (),
) -> dict[str, Memory]:
    """Return the person's rows with these keys, and those of `kinds` in the namespace `of`."""
    found = await connection.execute(REREAD, reread_values(person, keys, of, kinds))
    return {one.key: one for one in read_own(await found.fetchall(), person)}


def reread_values(
    person: Person, keys: Iterable[str], of: Namespace | None, kinds: Sequence[str]
) -> dict[str, Any]:
    """Return the parameters of `REREAD`."""
    own = of.prefix if of else None
    return {**person_range(person), "keys": list(keys), "own": own, "kinds": list(kinds)}


async def room(connection: AsyncConnection[DictRow], person: Person) -> int:
    """Return how many new memories of a person may be stored before there are `MAX_MEMORIES`."""
    found = await connection.execute(f"SELECT {ROOM} AS room", person_range(person))
    [row] = await found.fetchall()
    return int(row["room"])


# Whether the stored vectors are of this model: not between `reembed` and a restart.
COMPARABLE: LiteralString = (
    "(SELECT (model, dimensions) = (%(model)s, %(dimensions)s) FROM kioku_embedding_space)"
)

# The subject of a stored value, as `memory.model.schemas.subject` returns it.
SUBJECT: LiteralString = (
    "COALESCE(NULLIF(value->'content'->>(%(fields)s::jsonb->>(value->>'kind')), ''), (SELECT"
    " one #>> '{}' FROM jsonb_path_query(value, '$.content.* ? (@.type() == \"string\")') AS one"
    " WHERE one <> '\"\"' LIMIT 1))"
)


def subjects() -> dict[str, Any]:
    """Return the parameter of `SUBJECT`."""
    return {"fields": Jsonb(dict(SUBJECT_FIELDS))}


# Whether a stored value comes from one of `message_columns`.
FROM_MESSAGES: LiteralString = (
    "EXISTS (SELECT FROM jsonb_path_query(value, '$.sources[*]') AS one"
    " WHERE (one->>'channel', one->>'ts') IN"
    " (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[])))"
)


def message_columns(messages: Collection[MessageKey]) -> dict[str, Any]:
    """Return messages as two parameters of the same length, `channels` and `times`."""
    return {"channels": [c for c, _ in messages], "times": [ts for _, ts in messages]}
