"""Memories of tests, stored as the app stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from psycopg.types.json import Jsonb
from pydantic import BaseModel

from memory import (
    SCHEMAS,
    Change,
    Embedder,
    FormationResult,
    Former,
    Memory,
    MemoryView,
    Namespace,
    Origin,
    Pool,
    add_memories,
)
from memory.formation.commit import InCommit, commit
from memory.formation.evidence import TypedMessage
from memory.formation.extract import CollectingStore, known_memories
from memory.formation.former import pair
from memory.formation.proposal import Verdict, read_writes
from tests.databases import SPACE, owner_rows

VECTOR = "[1" + ",0" * (SPACE.dimensions - 1) + "]"


def put_memory(
    database: str,
    namespace: Namespace,
    value: Mapping[str, Any],
    *,
    key: str = "",
    at: str = "now",
    vector: str = VECTOR,
) -> str:
    """Store or replace a memory and its vector as the database's owner; return its key.

    `at` is when it was learned, as PostgreSQL reads a moment.
    """
    key = key or str(uuid4())
    owner_rows(
        database,
        "WITH made AS (INSERT INTO store (prefix, key, value, created_at, updated_at)"
        " SELECT %s, %s, %s, at, at FROM (SELECT %s::timestamptz AS at) AS learned"
        " ON CONFLICT (prefix, key) DO UPDATE SET value = excluded.value, updated_at = now()"
        " RETURNING prefix, key, created_at)"
        " INSERT INTO store_vectors (prefix, key, field_name, embedding, created_at)"
        " SELECT prefix, key, 'content', %s, created_at FROM made ON CONFLICT DO NOTHING",
        *(namespace.prefix, key, Jsonb(value), at, vector),
    )
    return key


async def add_memory(
    pool: Pool,
    embedder: Embedder,
    namespace: Namespace,
    kind: str,
    content: Mapping[str, Any],
    origin: Origin,
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
) -> Change:
    """Store one memory."""
    given = [(content, origin)]
    [change] = await add_memories(pool, embedder, namespace, kind, given, schemas=schemas)
    return change


def no_model() -> BaseChatModel:
    """Stand for the model where a test gives the proposals itself."""
    raise AssertionError("No model is asked in this test.")


APPROVED = Verdict(index=0, supported=True, about="speaker", modality="asserted", conflict="none")


class ApprovedStore(CollectingStore):
    """The store LangMem sees, of one run whose proposals are all approved."""

    def __init__(
        self,
        former: Former,
        view: MemoryView,
        said: Sequence[TypedMessage],
        known: Mapping[str, Memory],
    ) -> None:
        super().__init__(known.values())
        self._former, self._view, self._said, self._known = former, view, said, known

    @classmethod
    async def load(
        cls,
        pool: Pool,
        embedder: Embedder,
        view: MemoryView,
        said: Sequence[TypedMessage],
    ) -> ApprovedStore:
        """Read the memories to show."""
        former = Former(pool, embedder, no_model)
        return cls(former, view, said, await known_memories(pool, embedder, view, said))

    async def commit(self, in_commit: InCommit | None = None) -> FormationResult:
        """Write what passes the evidence rule."""
        former, own, known = self._former, self._view.own, self._known
        schemas = {schema.__name__: schema for schema in former.schemas}
        proposals, refused = read_writes(self.writes, known, self._said, own=own, schemas=schemas)
        paired = await pair(former.pool, self._view, proposals, known)
        judged = [replace(one, verdict=APPROVED) for one in paired]
        pool, embedder = former.pool, former.embedder
        return await commit(
            pool, embedder, self._view, judged, refused=refused, in_commit=in_commit
        )
