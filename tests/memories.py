"""Memories of tests, stored as the app stores them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langgraph.store.base import BaseStore, Op, PutOp, Result
from psycopg.types.json import Jsonb

from memory import (
    Change,
    Embedder,
    FormationResult,
    Former,
    Memory,
    MemoryView,
    Namespace,
    PersonMessage,
    Pool,
    add_memories,
)
from memory.formation.commit import commit
from memory.formation.evidence import TypedMessage
from memory.formation.former import match_stored
from memory.formation.known import known_memories
from memory.formation.proposal import Verdict, Write, read_writes
from memory.model.sameness import plain_column
from memory.model.schemas import BUILT_IN_KINDS, subject_key
from memory.store.statements import InCommit, do_nothing
from tests.databases import SPACE, owner_rows

VECTOR = "[1" + ",0" * (SPACE.dimensions - 1) + "]"


_STATEMENTS = """
INSERT INTO statements (id, team_id, user_id, key, audience, kind, act, actor, content, subject,
    evidence, channel, ts, said_at, zone, batch)
SELECT gen_random_uuid(), %(team)s, %(user)s, %(key)s, %(audience)s, %(kind)s, 'say', 'command',
    %(content)s, %(subject)s, COALESCE(source->>'evidence', ''), source->>'channel', source->>'ts',
    %(at)s::timestamptz, 'UTC', gen_random_uuid()
FROM jsonb_array_elements(%(sources)s) AS source
"""
_ROWS = """
WITH made AS (
    INSERT INTO store (prefix, key, value, plain, created_at, updated_at)
    VALUES (%(prefix)s, %(key)s, %(value)s, %(plain)s, %(at)s::timestamptz, %(at)s::timestamptz)
    ON CONFLICT (prefix, key) DO UPDATE SET value = excluded.value,
        plain = excluded.plain, updated_at = now()
    RETURNING prefix, key, created_at
)
INSERT INTO store_vectors (prefix, key, field_name, embedding, created_at)
SELECT prefix, key, 'content', %(vector)s, created_at FROM made ON CONFLICT DO NOTHING
"""


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

    It is in `namespace`, and rests on a statement for each of its
    `sources`, or on one without a message. `at` is when it was said, as PostgreSQL reads a moment.
    """
    key = key or str(uuid4())
    person = namespace.person
    content = value["content"]
    kind = value["kind"]
    owner_rows(
        database,
        _STATEMENTS,
        {
            **person.ids,
            "key": key,
            "audience": namespace.audience,
            "kind": kind,
            "content": Jsonb(content),
            "subject": subject_key(str(kind), content),
            "sources": Jsonb(value.get("sources") or [{"evidence": "typed in a form"}]),
            "at": at,
        },
    )
    values = {
        "prefix": namespace.prefix,
        "key": key,
        "value": Jsonb(value),
        "plain": plain_column(value),
        "at": at,
        "vector": vector,
    }
    owner_rows(database, _ROWS, values)
    return key


async def add_memory(
    pool: Pool,
    embedder: Embedder,
    namespace: Namespace,
    kind: str,
    content: Mapping[str, Any],
    origin: PersonMessage,
) -> Change:
    """Store one memory."""
    given = [(content, origin)]
    [change] = await add_memories(pool, embedder, namespace, kind, given)
    return change


def no_model() -> BaseChatModel:
    """Stand for the model where a test gives the proposals itself."""
    raise AssertionError("No model is asked in this test.")


APPROVED = Verdict(
    index=0, supported=True, about="speaker", modality="asserted", conflict="none"
)


class ApprovedStore(BaseStore):
    """A store that collects what is proposed in one run, which is all approved."""

    def __init__(
        self,
        former: Former,
        view: MemoryView,
        said: Sequence[TypedMessage],
        known: Mapping[str, Memory],
    ) -> None:
        self.writes: list[Write] = []
        self._former = former
        self._view = view
        self._said = said
        self._known = known

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
        return cls(
            former,
            view,
            said,
            await known_memories(pool, embedder, view, said, [*BUILT_IN_KINDS]),
        )

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Collect writes."""
        writes = [Write(op.key, op.value) for op in ops if isinstance(op, PutOp)]
        self.writes += writes
        return [None for _ in writes]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do as `batch` does."""
        return self.batch(ops)

    async def commit(
        self, in_commit: InCommit[FormationResult] = do_nothing
    ) -> FormationResult:
        """Write what passes the evidence rule."""
        former = self._former
        known = self._known
        schemas = {schema.__name__: schema for schema in former.schemas}
        proposals, refused = read_writes(self.writes, known, self._said, schemas)
        paired = await match_stored(former.pool, self._view, proposals)
        judged = [replace(one, verdict=APPROVED) for one in paired]
        pool = former.pool
        embedder = former.embedder
        return await commit(
            pool, embedder, self._view, judged, refused=refused, in_commit=in_commit
        )
