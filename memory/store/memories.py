"""Reading of one person's memories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeAlias

from psycopg.rows import DictRow

from memory.model.dates import parse_timestamp
from memory.model.errors import InvalidNamespace
from memory.model.namespace import MemoryView, Namespace, Person
from memory.model.schemas import level, thing
from memory.postgres.database import Pool, person_statement

RowKey: TypeAlias = tuple[str, str]  # prefix, key
MessageKey: TypeAlias = tuple[str, str]  # channel, ts
COLUMNS: LiteralString = "prefix, key, value, created_at, updated_at"
# Under row-level security, the pattern operators can use the index and LIKE cannot.
OF_PERSON: LiteralString = "prefix ~>=~ %(low)s AND prefix ~<~ %(high)s"
# The same of a table without prefixes.
OF_IDS: LiteralString = "team_id = %(team)s AND user_id = %(user)s"
# The rows that `named_rows` names: each where it was named, else where it was moved.
MOVED_SINCE: LiteralString = (
    "SELECT DISTINCT ON (number) own.prefix, own.key, number"
    " FROM unnest(%(prefixes)s::text[], %(keys)s::text[]) WITH ORDINALITY"
    " AS given (prefix, key, number)"
    f" JOIN (SELECT prefix, key FROM store WHERE {OF_PERSON}) AS own USING (key)"
    " WHERE own.prefix = given.prefix OR EXISTS (SELECT FROM memory_changes WHERE"
    f" {OF_IDS} AND memory_changes.key = own.key"
    " AND moved_from IS NOT NULL)"
    " ORDER BY number, own.prefix <> given.prefix, own.prefix"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """The namespace and key of a memory: of itself, or of a change or a question about it."""

    namespace: Namespace
    key: str

    @property
    def row_key(self) -> RowKey:
        """The primary key of the memory's row: prefix and key."""
        return (self.namespace.prefix, self.key)

    @property
    def reference(self) -> str:
        """The memory's id within the person's namespaces: ``AUDIENCE/KEY``."""
        return f"{self.namespace.audience}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(Keyed):
    """One memory: a row of LangGraph's `store` table; `value` is the stored JSON."""

    value: dict[str, Any]
    created_at: datetime
    updated_at: datetime

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
    def supersedes(self) -> tuple[tuple[str, str], ...]:
        """The memories of other audiences that it supersedes: (audience, key) of each."""
        return tuple(
            (str(one.get("audience")), str(one.get("key")))
            for one in _list(self.value.get("supersedes"))
            if isinstance(one, dict)
        )

    @property
    def superseded_rows(self) -> list[RowKey]:
        """The primary keys of the memories that it supersedes."""
        person = self.namespace.person
        return [(f"{person.prefix}.{audience}", key) for audience, key in self.supersedes]

    @property
    def expires_at(self) -> datetime | None:
        """The time at which it expires; None: never."""
        return ends_at(self.value)

    @property
    def hides(self) -> bool:
        """Whether it only hides a wider memory, which was removed for this audience."""
        return bool(self.supersedes) and level(self.kind, self.content) == 0

    @property
    def source_messages(self) -> list[MessageKey]:
        """The messages it comes from, oldest first: of each source that has a channel and a ts."""
        return [
            (str(source["channel"]), str(source["ts"]))
            for source in self.sources
            if source.get("channel") and source.get("ts")
        ]


def person_range(person: Person) -> dict[str, str]:
    """Return the parameters of `OF_PERSON`, which selects the person's prefixes, and `OF_IDS`."""
    return {**person.ids, "low": f"{person.prefix}.", "high": f"{person.prefix}/"}


def named_rows(person: Person, references: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of `MOVED_SINCE`; malformed references are left out."""
    row_keys: list[RowKey] = []
    for reference in dict.fromkeys(references):
        audience, _, key = reference.partition("/")
        with suppress(InvalidNamespace):
            row_keys.append((person.namespace(audience).prefix, key))
    return {
        **person_range(person),
        "prefixes": [prefix for prefix, _ in row_keys],
        "keys": [key for _, key in row_keys],
    }


def view_condition(view: MemoryView) -> tuple[LiteralString, dict[str, Any]]:
    """Return an SQL condition on `prefix` for the namespaces of `view`, and its parameters."""
    if view.audiences is None:
        return OF_PERSON, {**person_range(view.person)}
    prefixes = [view.person.namespace(audience).prefix for audience in view.audiences]
    return "prefix = ANY(%(prefixes)s)", {"prefixes": prefixes}


def current_condition(
    view: MemoryView, table: LiteralString
) -> tuple[LiteralString, dict[str, Any]]:
    """Return `view_condition` for `table`, without rows that a row of the view supersedes."""
    where, values = view_condition(view)
    # value ? 'supersedes' is the condition of the partial index store_superseding.
    superseded: LiteralString = (
        "SELECT FROM store AS newer, jsonb_path_query(newer.value, '$.supersedes[*]') AS entry"
        f" WHERE {where} AND newer.value ? 'supersedes' AND {table}.key = entry->>'key'"
        f" AND {table}.prefix = %(person)s || (entry->>'audience')"
    )
    values["person"] = f"{view.person.prefix}."
    return f"{where} AND NOT EXISTS ({superseded})", values


def read(row: DictRow) -> Memory:
    """Convert a `store` row; raises `InvalidNamespace` if it is outside a person's namespace."""
    return Memory(
        namespace=Namespace.from_prefix(row["prefix"]),
        key=row["key"],
        value=row["value"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def from_json(row: Mapping[str, Any]) -> DictRow:
    """Return a `store` row that PostgreSQL converted to JSON as `read` takes it."""
    times = {name: datetime.fromisoformat(row[name]) for name in ("created_at", "updated_at")}
    return {**row, **times}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def thing_of(namespace: Namespace, value: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return a key that is equal for memories about the same subject in one audience."""
    kind = str(value["kind"])
    return (namespace.prefix, kind, thing(kind, value["content"]))


def ends_at(value: Mapping[str, Any]) -> datetime | None:
    """Return the expiry of a stored value."""
    return _moment(value.get("expires_at"))


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_timestamp(str(text))
    except ValueError:
        return None


def unexpired(memories: Iterable[Memory]) -> list[Memory]:
    """Return the memories that have not expired."""
    now = datetime.now(UTC)
    return [one for one in memories if (end := one.expires_at) is None or end > now]


def read_own(rows: Iterable[DictRow], person: Person) -> list[Memory]:
    """Convert `rows`; raises `InvalidNamespace` if one belongs to another person.

    That would mean that the query was wrong.
    """
    memories = [read(row) for row in rows]
    if any(memory.namespace.person != person for memory in memories):
        raise InvalidNamespace("A query returned another person's memory; nothing was shown.")
    return memories


def checked(rows: Sequence[DictRow], view: MemoryView) -> list[Memory]:
    """Convert `rows`; drop memories that `view` excludes, that expired or are superseded there.

    Raises as `read_own` does.
    """
    seen = [memory for memory in read_own(rows, view.person) if view.allows(memory.namespace)]
    gone = {key for memory in seen for key in memory.superseded_rows}
    return unexpired(m for m in seen if m.row_key not in gone and not m.hides)


async def stored_memory(pool: Pool, person: Person, reference: str) -> Memory | None:
    """Return the row that a `Memory.reference` names, also one that only hides a wider memory.

    A memory keeps its key when it is moved, so one that was moved since is found, too.
    """
    rows = await person_statement(
        pool,
        person,
        f"SELECT {COLUMNS} FROM store JOIN ({MOVED_SINCE}) AS named USING (prefix, key)",
        named_rows(person, [reference]),
    )
    return next(iter(unexpired(read_own(rows, person))), None)


async def find_memory(pool: Pool, person: Person, reference: str) -> Memory | None:
    """Return the memory that a `Memory.reference` names, moved since or not; None without one."""
    found = await stored_memory(pool, person, reference)
    return None if found is None or found.hides else found


async def list_memories(pool: Pool, person: Person) -> list[Memory]:
    """Return all of a person's memories, newest first."""
    rows = await person_statement(
        pool,
        person,
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} ORDER BY updated_at DESC, prefix, key",
        person_range(person),
    )
    return unexpired(memory for memory in read_own(rows, person) if not memory.hides)
