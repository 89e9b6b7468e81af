"""The store LangMem's tools see: searches are recall, puts are guarded runs, deletes proposals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from langgraph.store.base import BaseStore, GetOp, Op, PutOp, Result, SearchItem, SearchOp
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from memory.clauses import Said, Words
from memory.database import Pool
from memory.embeddings import Embedder
from memory.guard import Quote, find_quote, shares
from memory.memories import Memory, list_memories
from memory.namespace import View
from memory.questions import Question
from memory.recall import recall_memories
from memory.schemas import subject
from memory.user_store import Formed, UserStore
from memory.writing import Change, InCommit

_SENTENCE = re.compile(r"(?:[^.!?。！？\n]|\.(?=\S))+[.!?。！？]*")


class ToolStore(BaseStore):
    """One message's store: what was found, what is to be forgotten, and what was changed."""

    supports_ttl = False

    def __init__(
        self,
        pool: Pool,
        embedder: Embedder,
        view: View,
        words: Words,
        schemas: Sequence[type[BaseModel]],
        in_commit: InCommit | None = None,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._view = view
        self._words = words
        self._in_commit = in_commit
        self._kinds = [schema.__name__ for schema in schemas]
        self.found: list[Memory] = []
        self.shown: dict[str, Memory] = {}
        self.to_forget: dict[str, Memory] = {}
        self.changes: list[Change] = []
        self.questions: list[Question] = []
        self.outcome: Formed | None = None

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Raise: everything here is asynchronous."""
        raise NotImplementedError("A person's memories are read and written asynchronously only.")

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Answer LangMem's operations one after the other."""
        return [await self._answer(op) for op in ops]

    async def knows(self, key: str) -> bool:
        """Say whether the person may see a memory of that key here."""
        return await self._memory(key) is not None

    async def _memory(self, key: str) -> Memory | None:
        memories = await list_memories(self._pool, self._view.person)
        return next((m for m in memories if m.key == key and self._view.allows(m.namespace)), None)

    async def _answer(self, op: Op) -> Result:
        if isinstance(op, SearchOp):
            recalled = await recall_memories(
                self._pool, self._embedder, self._view, op.query or " ", always=False
            )
            self.found = list(recalled.memories)[: op.limit]
            self.shown |= {memory.reference: memory for memory in self.found}
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
        content = dict((op.value or {}).get("content") or {})
        kind = str(content.pop("kind", ""))
        said = Said(self._words)
        memory = await self._memory(op.key)
        store = await UserStore.load(
            self._pool,
            self._embedder,
            self._view,
            [said],
            kinds=self._kinds,
            also=[memory] if memory else [],
        )
        namespace = memory.namespace if memory else self._view.own
        value = {"kind": kind, "content": {**content, "evidence": _evidence(said, kind, content)}}
        await store.aput(namespace.parts, op.key, value)
        self.outcome = await store.commit(self._within, at=datetime.now(UTC))
        self.changes += self.outcome.changes
        self.questions += self.outcome.questions

    async def _within(self, connection: AsyncConnection[DictRow], _: Formed) -> None:
        if self._in_commit is not None:
            await self._in_commit(connection)


def _evidence(said: Said, kind: str, content: Mapping[str, Any]) -> str:
    """Return the sentence that says so; the whole message where none does by itself."""
    about = subject(kind, content)
    for sentence in map(str, _SENTENCE.findall(said.shown)):
        if shares(about, sentence) and isinstance(find_quote(sentence, [said]), Quote):
            return sentence.strip()
    return said.shown


def _item(memory: Memory) -> SearchItem:
    return SearchItem(
        memory.namespace.parts,
        memory.key,
        {"kind": memory.kind, "content": memory.content},
        memory.created_at,
        memory.updated_at,
    )
