"""The store of LangMem's tools: searches use recall, puts are judged, deletes are proposals."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from langgraph.store.base import BaseStore, GetOp, Op, PutOp, Result, SearchItem, SearchOp
from pydantic import BaseModel

from memory.embeddings.embedder import Embedder
from memory.formation.chat_model import TokenUse
from memory.formation.evidence import PersonMessage, TypedMessage
from memory.formation.questions import Question
from memory.formation.user_store import FormationResult, InCommit, UserStore
from memory.formation.verdicts import Verifier
from memory.model.errors import FormationUnavailable
from memory.model.namespace import MemoryView
from memory.postgres.database import Pool
from memory.recall.search import recall_memories
from memory.store.memories import Memory, list_memories
from memory.store.unit_of_work import Change

JUDGED_WITHIN = 8.0  # seconds to wait for the verdict on a memory that a tool stores


@dataclass(eq=False)
class ToolStore(BaseStore):
    """The store for one message: what was found, changed, and proposed for deletion."""

    pool: Pool
    embedder: Embedder
    view: MemoryView
    words: PersonMessage
    schemas: Sequence[type[BaseModel]]
    in_commit: InCommit | None = None
    verifier: Verifier | None = None
    found: list[Memory] = field(default_factory=list, init=False)
    shown: dict[str, Memory] = field(default_factory=dict, init=False)
    to_forget: dict[str, Memory] = field(default_factory=dict, init=False)
    changes: list[Change] = field(default_factory=list, init=False)
    questions: list[Question] = field(default_factory=list, init=False)
    tokens: TokenUse = field(default_factory=Counter, init=False)
    outcome: FormationResult | None = field(default=None, init=False)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Not supported: use `abatch`."""
        raise NotImplementedError("A person's memories are read and written asynchronously only.")

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Answer LangMem's operations one after the other."""
        return [await self._answer(op) for op in ops]

    async def knows(self, key: str) -> bool:
        """Return whether the person may see a memory with that key here."""
        return await self._memory(key) is not None

    async def _memory(self, key: str) -> Memory | None:
        memories = await list_memories(self.pool, self.view.person)
        return next((m for m in memories if m.key == key and self.view.allows(m.namespace)), None)

    async def _answer(self, op: Op) -> Result:
        if isinstance(op, SearchOp):
            recalled = await recall_memories(
                self.pool, self.embedder, self.view, op.query or " ", instructions=False
            )
            self.found = list(recalled.memories)[: op.limit]
            return [_item(memory) for memory in self.found]
        if isinstance(op, PutOp) and op.value is None:
            memory = await self._memory(op.key)
            if memory is not None:
                self.to_forget[memory.reference] = memory
            return None
        if isinstance(op, PutOp):
            await self._put(op)
            return None
        if isinstance(op, GetOp):
            return None
        raise NotImplementedError("A person's memories can be searched and written only.")

    async def _put(self, op: PutOp) -> None:
        """Store the tool's content, which includes `evidence`, if the verdict accepts it."""
        content = dict((op.value or {}).get("content") or {})
        kind = str(content.pop("kind", ""))
        message = TypedMessage(self.words)
        memory = await self._memory(op.key)
        store = await UserStore.load(
            self.pool,
            self.embedder,
            self.view,
            [message],
            schemas=self.schemas,
            also=[memory] if memory else [],
        )
        namespace = memory.namespace if memory else self.view.own
        await store.aput(namespace.parts, op.key, {"kind": kind, "content": content})
        try:
            async with asyncio.timeout(JUDGED_WITHIN):
                self.tokens = self.tokens + await store.judge(self.verifier)
            self.outcome = await store.commit(self.in_commit, at=datetime.now(UTC))
        except (TimeoutError, FormationUnavailable):
            self.outcome = FormationResult(changes=(), refused=(), late=True)
            return
        self.changes += self.outcome.changes
        self.questions += self.outcome.questions


def _item(memory: Memory) -> SearchItem:
    return SearchItem(
        memory.namespace.parts,
        memory.key,
        {"kind": memory.kind, "content": memory.content},
        memory.created_at,
        memory.updated_at,
    )
