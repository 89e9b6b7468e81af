"""The store LangMem sees: one person's memories, read once, written in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from langgraph.store.base import BaseStore, GetOp, Op, PutOp, Result, SearchItem, SearchOp
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import rows
from memory.clauses import Said
from memory.database import Pool
from memory.embeddings import Embedder
from memory.errors import ChangedSince, FormationUnavailable
from memory.memories import Memory
from memory.namespace import View
from memory.questions import Question, ask
from memory.rows import Row
from memory.settlement import Settlement, settle
from memory.wishes import to_wishes
from memory.writing import Actor, Change, Step, carry_out

WHOLE = 50  # so many memories are shown whole,
NEIGHBOURS = 60  # of more so many: the nearest to each clause in turn
_CLAUSES = 24
_ACTORS: dict[str, Actor] = {
    "tool": "tool",
    "command": "command",
    "modal": "modal",
    "import": "import",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Formed:
    """What came of a run; `refused` holds the guard's codes, never a text of the person.

    `tokens` is what the model says it used, where it says so.
    """

    changes: tuple[Change, ...]
    refused: tuple[str, ...]
    questions: tuple[Question, ...] = ()
    tokens: int = 0


InCommit: TypeAlias = Callable[[AsyncConnection[DictRow], Formed], Awaitable[None]]


class UserStore(BaseStore):
    """LangGraph's store interface over what one person may be shown in one place.

    Reads are answered from what `load` read; writes wait for `commit`.
    """

    supports_ttl = False

    def __init__(
        self,
        pool: Pool,
        embedder: Embedder,
        view: View,
        said: Sequence[Said],
        shown: Sequence[Row],
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._view = view
        self._said = said
        self._rows = {row.place: row for row in shown}
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
        shown = await rows.newest(pool, view, known, WHOLE + 1)
        if len(shown) > WHOLE:
            clauses = list(dict.fromkeys(c.text for s in said for c in s.clauses))[:_CLAUSES]
            vectors = await embedder.embed(clauses)
            shown = await rows.nearest(pool, view, known, vectors, NEIGHBOURS)
        wanted = {(memory.namespace.prefix, memory.key) for memory in also}
        if missing := wanted - {row.place for row in shown}:
            shown += await rows.named(pool, view, missing)
        return cls(pool, embedder, view, said, _without_superseded(shown))

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
        """Write what the guard agrees to, and run `in_commit` with it, in one transaction.

        `at` is when the memories are confirmed. The rows are read again under a lock of this
        namespace; no connection is held while texts are embedded. Raises `EmbeddingsUnavailable`.
        """
        own = self._view.own
        wishes, refused = to_wishes(self._writes, self._rows, self._said, own=own)
        settlement, formed = Settlement(), Formed(changes=(), refused=())
        wanted = {wish.target.place for wish in wishes if wish.target}
        wanted |= {place for place, row in self._rows.items() if row.namespace != own}
        wanted |= {place for row in self._rows.values() for place in row.supersedes}

        async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
            nonlocal settlement
            if not wishes:
                return []
            kinds = [wish.kind for wish in wishes]
            current = await rows.reread(connection, own, kinds, wanted)
            settlement = settle(wishes, current, own=own, confirmed_at=at.isoformat())
            return self._steps(settlement)

        async def ask_and_commit(
            connection: AsyncConnection[DictRow], changes: Sequence[Change]
        ) -> None:
            nonlocal formed
            gone = len(settlement.changes) - len(changes)
            formed = Formed(
                changes=tuple(_as_known(change, settlement) for change in changes),
                refused=(*refused, *settlement.refused, *["deleted_meanwhile"] * gone),
                questions=tuple(await ask(connection, own, settlement.questions)),
            )
            if in_commit is not None:
                await in_commit(connection, formed)

        try:
            await carry_out(
                self._pool,
                self._embedder,
                own.person,
                [own] if wishes else [],
                decide,
                in_commit=ask_and_commit,
            )
        except ChangedSince:
            raise FormationUnavailable(
                "These memories keep changing; the words stay waiting."
            ) from None
        return formed

    def _steps(self, settlement: Settlement) -> list[Step]:
        kind = self._said[0].words.kind if self._said else "message"
        return [
            Step(
                action=done.action,
                actor=_ACTORS.get(kind, "formation"),
                namespace=self._view.own,
                key=done.key,
                before=done.row,
                after=done.value,
            )
            for done in settlement.changes
        ]


def _as_known(change: Change, settlement: Settlement) -> Change:
    """Tell a change as the person knows it: what stands before a wider memory changes that."""
    [done] = [one for one in settlement.changes if one.key == change.key]
    return replace(change, before=done.before, after=done.after)


def _item(row: Row) -> SearchItem:
    return SearchItem(row.namespace.parts, row.key, row.shown(), row.created_at, row.updated_at)


def _without_superseded(shown: Sequence[Row]) -> list[Row]:
    hidden = {place for row in shown for place in row.supersedes if row.place != place}
    return [row for row in shown if row.place not in hidden]
