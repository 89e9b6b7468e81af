"""One person's memories: rows of LangGraph's `store`, and how they are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
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
    """One memory, in the namespace of the audience that may read it; `value` is the stored JSON.

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
        """The messages, commands, forms and tool calls it comes from, oldest first.

        They are those that its audience heard, or, in what only the person sees, all.
        """
        return tuple(self.value.get("sources", ()))

    @property
    def sentence(self) -> str:
        """The person's newest sentence that says all of it, in what only the person sees; or ""."""
        sentence: str = self.value.get("sentence", "")
        return " ".join(sentence.split())

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
    def left_out(self) -> bool:
        """Whether no model is shown it, because a model's provider declines it."""
        return self.value.get("left_out") is True

    @property
    def is_always_shown(self) -> bool:
        """Whether every reply needs it: how the person wants to be answered, or what may harm."""
        return self.may_harm or self.kind == INSTRUCTION_KIND

    @property
    def audience(self) -> str:
        """Who may read it: ``dm``, ``public``, or the id of a private conversation."""
        return self.namespace.audience

    @property
    def source_messages(self) -> list[MessageKey]:
        """The messages it comes from, oldest first: sources that have a channel and a ts."""
        return messages_of(self.sources)


def read_own(rows: Iterable[DictRow], person: Person) -> list[Memory]:
    """Convert `rows`; raises `InvalidNamespace` if one belongs to another person."""
    return _read(rows, memory_view(person.namespace(DM)))


def read_in_view(rows: Iterable[DictRow], view: MemoryView) -> list[Memory]:
    """Convert `rows` for a model, without those that are left out; raises as `read_own` does."""
    return [memory for memory in _read(rows, view) if not memory.left_out]


def _read(rows: Iterable[DictRow], view: MemoryView) -> list[Memory]:
    memories: list[Memory] = []
    for row in rows:
        memory = Memory(
            namespace=Namespace.from_prefix(row["prefix"]),
            key=row["key"],
            value=row["value"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            expires_at=row["expires_at"],
        )
        memories.append(memory)
    if not all(view.allows(memory.namespace) for memory in memories):
        raise InvalidNamespace(
            "A query returned a memory of another person or audience; nothing was done."
        )
    return memories


async def list_memories(pool: Pool, person: Person) -> list[Memory]:
    """Return all memories of a person, newest first."""
    values = {"prefixes": None, "limit": None}
    return read_own(
        await person_statement(pool, person, _SQL["newest"], values), person
    )


async def find_memory(pool: Pool, person: Person, key: str) -> Memory | None:
    """Return the memory with this key as the person sees it, with all that was said; None: gone."""
    rows = await person_statement(pool, person, _SQL["for_the_person"], {"key": key})
    found = read_own(rows, person)
    return found[0] if found else None


async def find_in_view(
    pool: Pool, view: MemoryView, keys: Iterable[str]
) -> dict[str, Memory]:
    """Return the memories with these keys that a conversation may read."""
    values = {"prefixes": view.prefixes, "keys": list(keys)}
    rows = await person_statement(pool, view.person, _SQL["read_memories"], values)
    return {one.key: one for one in read_in_view(rows, view)}


async def newest(pool: Pool, view: MemoryView, limit: int) -> list[Memory]:
    """Return at most `limit` memories in `view`, newest first."""
    values = {"prefixes": view.prefixes, "limit": limit}
    found = await person_statement(pool, view.person, _SQL["newest"], values)
    return read_in_view(found, view)


async def read_memories(
    transaction: PersonTransaction, keys: Iterable[str]
) -> dict[str, Memory]:
    """Return the memories with these keys, newest first, whoever may read them."""
    values = {"prefixes": None, "keys": list(keys)}
    rows = await transaction.fetch(_SQL["read_memories"], values)
    return {one.key: one for one in read_own(rows, transaction.person)}


async def read_in_order(
    transaction: PersonTransaction, keys: Collection[str]
) -> list[Memory]:
    """Return the memories with these keys that are still there, in the order of the keys."""
    found = await read_memories(transaction, keys)
    return [found[key] for key in keys if key in found]
