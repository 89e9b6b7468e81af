"""One person's memories: rows of LangGraph's `store`, and how they are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from psycopg.rows import DictRow

from memory.model.errors import InvalidNamespace
from memory.model.namespace import (
    DM,
    MemoryView,
    Namespace,
    Person,
    memory_view,
)
from memory.model.schemas import (
    EPISODE_KIND,
    INSTRUCTION_KIND,
    fields_with_value,
    subject,
)
from memory.model.statement import MessageKey, messages_of
from memory.model.text import Json
from memory.postgres.database import (
    PersonTransaction,
    Pool,
    person_statement,
)
from memory.postgres.statements import load_statements

_SQL = load_statements("memory", "memories")

MAX_MEMORIES = 5_000
"""The most memories of a person; restored and moved ones do not count as new."""
# The text of a fact shows its kind, and each of the other two kinds has a frame of its own.
_WITHOUT_KIND = frozenset({"UserFact", INSTRUCTION_KIND, EPISODE_KIND})


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One memory; `value` is the stored JSON.

    `key` is its id, which editing and moving keep. At `expires_at` all of it has ended; None if
    something stays.
    """

    namespace: Namespace
    key: str
    value: Json
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None

    @property
    def kind(self) -> str:
        """The name of its schema."""
        return str(self.value["kind"])

    @property
    def content(self) -> Json:
        """The schema's fields."""
        return dict(self.value["content"])

    @cached_property
    def text(self) -> str:
        """What it says, such as ``UserFoodPreference: ramen; preference: 90``.

        The subject comes first, then each other field that has a value, by its name.
        """
        kind = self.kind
        content = self.content
        about = subject(kind, content)
        parts = [about]
        if kind not in _WITHOUT_KIND:
            parts = [f"{kind}: {about}"]
        for name, value in fields_with_value(content).items():
            if value != about:
                parts.append(f"{name}: {value}")
        return "; ".join(parts)

    @property
    def sources(self) -> tuple[Json, ...]:
        """The messages, commands, forms and tool calls it comes from, oldest first."""
        return tuple(self.value.get("sources", ()))

    @property
    def said_on(self) -> str:
        """The day on which it was said last, where the person was, such as ``2026-11-26``."""
        said_on: str | None = self.value.get("said_on")
        return said_on or self.updated_at.date().isoformat()

    @property
    def may_harm(self) -> bool:
        """Whether somebody may come to harm if it is not known, such as an allergy."""
        return self.value.get("may_harm") is True

    @property
    def is_always_shown(self) -> bool:
        """Whether every reply needs it: how the person wants to be answered, or what may harm."""
        return self.may_harm or self.kind == INSTRUCTION_KIND

    @property
    def audiences(self) -> tuple[str, ...]:
        """The audiences that know it besides direct messages; only the `dm` row has them."""
        return tuple(self.value.get("audiences", ()))

    @property
    def source_messages(self) -> list[MessageKey]:
        """The messages it comes from, oldest first: sources that have a channel and a ts."""
        return messages_of(self.sources)


def memory_of(row: DictRow) -> Memory:
    """Convert a `store` row; raises `InvalidNamespace` if it is outside a person's namespace."""
    return Memory(
        namespace=Namespace.from_prefix(row["prefix"]),
        key=row["key"],
        value=row["value"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
    )


def read_own(rows: Iterable[DictRow], person: Person) -> list[Memory]:
    """Convert `rows`; raises `InvalidNamespace` if one belongs to another person."""
    memories = [memory_of(row) for row in rows]
    if any(memory.namespace.person != person for memory in memories):
        raise InvalidNamespace(
            "A query returned another person's memory; nothing was done."
        )
    return memories


def read_in_view(rows: Iterable[DictRow], view: MemoryView) -> dict[str, Memory]:
    """Convert `rows`, and merge those of each memory into one; return them by key, in their order.

    Raises `InvalidNamespace` for a row outside `view`, from a wrong query.
    """
    memories = [memory_of(row) for row in rows]
    if not all(view.allows(memory.namespace) for memory in memories):
        raise InvalidNamespace(
            "A query returned a memory of another audience; nothing was done."
        )
    return merged(memories, view)


def merged(memories: Iterable[Memory], view: MemoryView) -> dict[str, Memory]:
    """Merge the rows of each memory into one; return them by key, in the given order.

    It has what every audience of `view` knows of the memory. Two audiences never disagree, because
    each of them agrees with the whole.
    """
    by_key: dict[str, Memory] = {}
    for memory in memories:
        known = by_key.get(memory.key)
        by_key[memory.key] = memory if known is None else _joined(known, memory, view)
    return by_key


def _joined(one: Memory, other: Memory, view: MemoryView) -> Memory:
    """Return what two audiences know of a memory, with the times of the own audience."""
    base = one
    more = other
    if other.namespace == view.own:
        base, more = more, base
    known = more.sources
    added = [source for source in base.sources if source not in known]
    value = {
        **base.value,
        "content": {**more.content, **fields_with_value(base.content)},
        "sources": [*known, *added],
        "said_on": max(one.said_on, other.said_on),
    }
    return replace(base, value=value)


async def list_memories(pool: Pool, person: Person) -> list[Memory]:
    """Return all memories of a person, as direct messages know them, newest first."""
    return await newest(pool, memory_view(person.namespace(DM)), None)


async def find_memory(pool: Pool, person: Person, key: str) -> Memory | None:
    """Return the memory with this key, as direct messages know it; None without one."""
    found = await find_in_view(pool, memory_view(person.namespace(DM)), [key])
    return found.get(key)


async def find_in_view(
    pool: Pool, view: MemoryView, keys: Iterable[str]
) -> dict[str, Memory]:
    """Return the memories with these keys, as a conversation knows them."""
    values = {"prefixes": view.prefixes, "keys": list(keys)}
    rows = await person_statement(pool, view.person, _SQL["read_memories"], values)
    return read_in_view(rows, view)


async def newest(pool: Pool, view: MemoryView, limit: int | None) -> list[Memory]:
    """Return at most `limit` memories in `view`, or all, newest first."""
    values = {"prefixes": view.prefixes, "limit": limit}
    found = await person_statement(pool, view.person, _SQL["newest"], values)
    return list(read_in_view(found, view).values())


async def read_memories(
    transaction: PersonTransaction, keys: Iterable[str]
) -> dict[str, Memory]:
    """Return the memories with these keys, as direct messages know them, newest first."""
    values = {"prefixes": [transaction.person.dm_prefix], "keys": list(keys)}
    rows = await transaction.fetch(_SQL["read_memories"], values)
    return {one.key: one for one in read_own(rows, transaction.person)}


async def read_in_order(
    transaction: PersonTransaction, keys: Collection[str]
) -> list[Memory]:
    """Return the memories with these keys that are still there, in the order of the keys."""
    found = await read_memories(transaction, keys)
    return [found[key] for key in keys if key in found]
