"""The store LangMem sees, on the real PostgreSQL, without LangMem."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field

from memory.embeddings.embedder import Embedder
from memory.formation.commit import FormationResult
from memory.formation.evidence import PersonMessage, TypedMessage
from memory.model.errors import InvalidNamespace
from memory.model.namespace import DM, PUBLIC, MemoryView, Namespace, Person, memory_view
from memory.model.schemas import UserFoodPreference, UserTechInterest, register_schemas
from memory.postgres.database import Pool
from memory.store.memories import read_within
from tests.databases import owner_rows
from tests.memories import ApprovedStore, add_memory, put_memory

ALICE = Person("T1", "U1")
OWN = ALICE.namespace(DM)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Pastime(BaseModel):
    """A kind without a level."""

    text: str


class Book(BaseModel):
    """A kind with defaults that are not None; `author` was once called `writer`."""

    title: str
    author: str | None = None
    tags: list[str] = Field(default_factory=list)
    finished: bool = False


SCHEMAS = register_schemas([UserFoodPreference, UserTechInterest, Pastime, Book])


def said(*messages: str) -> list[TypedMessage]:
    """Read messages of one person."""
    return [
        TypedMessage(PersonMessage(text=text, channel="D1", ts=str(i)))
        for i, text in enumerate(messages)
    ]


def put(database: str, namespace: Namespace, key: str, value: dict[str, Any]) -> None:
    """Store a row behind the store's back."""
    put_memory(database, namespace, value, key=key)


def stored(database: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return every row, by audience and key."""
    rows = owner_rows(database, "SELECT prefix, key, value FROM store")
    return {(Namespace.from_prefix(r["prefix"]).audience, r["key"]): r["value"] for r in rows}


def food(name: str, level: int | None = 80, **more: Any) -> dict[str, Any]:
    """Return the value of a food memory."""
    return {
        "kind": "UserFoodPreference",
        "content": {"food_name": name, "preference": level},
    } | more


def note(text: str, **more: Any) -> dict[str, Any]:
    """Return the value of a memory of a kind without a level."""
    return {"kind": "Pastime", "content": {"text": text}} | more


def book(**fields: Any) -> dict[str, Any]:
    """Return the value of a memory of a book; its other fields are at their defaults."""
    return {"kind": "Book", "content": Book(**fields).model_dump()}


def quoted(value: dict[str, Any], evidence: str) -> dict[str, Any]:
    """Return `value` as the memory model writes it."""
    return {"kind": value["kind"], "content": {**value["content"], "evidence": evidence}}


def reasons(formed: FormationResult) -> list[str]:
    """Return why proposals were refused."""
    return [one.reason for one in formed.refused]


class PersonStore:
    """One person's store, loaded for one conversation."""

    def __init__(self, pool: Pool, embedder: Embedder, database: str) -> None:
        self.pool, self.embedder, self.database = pool, embedder, database

    async def load(self, *messages: str, seen: MemoryView | None = None) -> ApprovedStore:
        return await ApprovedStore.load(
            self.pool, self.embedder, seen or memory_view(OWN), said(*messages), schemas=SCHEMAS
        )

    async def commit(self, store: ApprovedStore) -> FormationResult:
        return await store.commit()

    async def form(
        self, text: str, value: dict[str, Any], *, key: str = "new", own: Namespace = OWN
    ) -> FormationResult:
        """Write one memory with the whole message as its quote, and commit."""
        store = await self.load(text, seen=memory_view(own))
        await store.aput(own.parts, key, quoted(value, text))
        return await self.commit(store)


@pytest.fixture
def person_store(pool: Pool, model_embedder: Embedder, database: str) -> PersonStore:
    """Where one person's memories are read and written."""
    return PersonStore(pool, model_embedder, database)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (food("soba", 1_000), "unusable"),
        (food("  "), "unusable"),
        ({"kind": "UserFoodPreference", "content": {"preference": 80}}, "unusable"),
        ({"kind": "UserSecret", "content": {"text": "soba"}}, "unusable"),
    ],
)
async def test_what_is_no_valid_memory_is_refused(
    person_store: PersonStore, value: dict[str, Any], reason: str
) -> None:
    """Fields that do not fit their kind, a thing without a name, and kinds there are not."""
    assert reasons(await person_store.form("I love soba", value)) == [reason]
    assert stored(person_store.database) == {}


@pytest.mark.parametrize("formed", [True, False])
async def test_a_default_is_not_what_the_person_said(
    person_store: PersonStore, formed: bool
) -> None:
    """Of a known thing that is said again, fields at their default stay as they are stored."""
    known = {"title": "Dune", "writer": "F. H.", "tags": ["sand"], "finished": True}
    put(person_store.database, OWN, "a", {"kind": "Book", "content": known})
    told = {"title": "dune", "author": "Herbert"}
    if formed:
        await person_store.form("Dune is by Herbert", book(title="dune", author="Herbert"))
    else:
        source = {"kind": "command", "channel": "D1", "ts": "9.0"}
        pool, embedder = person_store.pool, person_store.embedder
        await add_memory(pool, embedder, OWN, "Book", told, source, schemas=SCHEMAS)
    [value] = stored(person_store.database).values()
    old = {"writer": "F. H."} if formed else {}  # an edit writes the fields of the kind only
    assert value["content"] == {**old, **told, "tags": ["sand"], "finished": True}


async def test_a_wider_memory_is_removed_by_a_yes(person_store: PersonStore) -> None:
    """What is taken back in a narrower audience stays as it is, and the person is asked."""
    put(person_store.database, ALICE.namespace(PUBLIC), "wide", note("plays go"))
    put(person_store.database, ALICE.namespace(PUBLIC), "other", note("plays chess"))
    put(person_store.database, OWN, "a", note("plays go daily", supersedes=[{"key": "wide"}]))
    store = await person_store.load("forget that I play go", "forget that I play chess")
    assert {item.key for item in await store.asearch(OWN.parts)} == {"a", "other"}
    await store.adelete(OWN.parts, "a")
    await store.adelete(ALICE.namespace(PUBLIC).parts, "other")
    formed = await person_store.commit(store)
    assert [(one.key, one.action) for one in formed.changes] == [("a", "removed")]
    assert [(one.key, one.asks) for one in formed.questions] == [
        ("wide", "remove"),
        ("other", "remove"),
    ]
    assert {key for _, key in stored(person_store.database)} == {"wide", "other"}


@pytest.mark.parametrize(
    "prefix", ["chat.T1.U2.public", "chat.T2.U1.public", "chat.T1.U1.dm", "chat.T1.U1.C2"]
)
def test_rows_of_another_audience_stop_everything(prefix: str) -> None:
    """Should a query ever return another person's or another audience's row, nothing is done."""
    record = {"prefix": prefix, "key": "a", "value": {}, "created_at": NOON, "updated_at": NOON}
    record["expires_at"] = None
    with pytest.raises(InvalidNamespace, match="another audience"):
        read_within([record], memory_view(ALICE.namespace("C1")))
