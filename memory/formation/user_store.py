"""LangGraph store for one formation run: rows are read once and written in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from langgraph.store.base import BaseStore, GetOp, Op, PutOp, Result, SearchItem, SearchOp
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from memory.embeddings.embedder import Embedder
from memory.formation.chat_model import TokenUse
from memory.formation.decisions import Decisions, decide
from memory.formation.evidence import PersonMessage, TypedMessage
from memory.formation.proposals import ProposedWrite, RefusedProposal, cap, pair, read_writes
from memory.formation.questions import Question, ask
from memory.formation.store_manager import NEIGHBOURS
from memory.formation.verdicts import Verdict, Verifier
from memory.metrics import step
from memory.model.errors import ChangedSince, FormationUnavailable
from memory.model.namespace import MemoryView
from memory.postgres.database import Pool, person_transaction
from memory.recall.search import SMALL_SET
from memory.store import rows
from memory.store.memories import Memory, MessageKey
from memory.store.unit_of_work import Change, Step, actor_of, commit_steps

_SENTENCES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class FormationResult:
    """The result of a run.

    `accepted` are the messages from which a change or a question came, or that say again what is
    stored. `late`: the model took longer than the deadline; nothing was written, and `in_commit`
    was not called.
    """

    changes: tuple[Change, ...]
    refused: tuple[RefusedProposal, ...]
    questions: tuple[Question, ...] = ()
    accepted: tuple[PersonMessage, ...] = ()
    late: bool = False


InCommit: TypeAlias = Callable[[AsyncConnection[DictRow], FormationResult], Awaitable[None]]


class UserStore(BaseStore):
    """LangGraph's store interface over the memories visible in one conversation of a person.

    Reads return rows that `load` has read; writes are buffered until `judge` and `commit`.
    """

    def __init__(
        self,
        pool: Pool,
        embedder: Embedder,
        view: MemoryView,
        messages: Sequence[TypedMessage],
        shown: Sequence[Memory],
        *,
        schemas: Sequence[type[BaseModel]],
        whole: bool,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._view = view
        self._messages = messages
        self._rows = {row.row_key: row for row in shown}
        self._schemas = {schema.__name__: schema for schema in schemas}
        self._whole = whole
        self._writes: list[PutOp] = []
        self._verifier: Verifier | None = None
        self._judged: list[tuple[ProposedWrite, Verdict | None]] = []
        self._refused: list[RefusedProposal] = []

    @classmethod
    async def load(
        cls,
        pool: Pool,
        embedder: Embedder,
        view: MemoryView,
        messages: Sequence[TypedMessage],
        *,
        schemas: Sequence[type[BaseModel]],
        also: Iterable[Memory] = (),
    ) -> UserStore:
        """Read the memories of `schemas` to show: all, or those nearest to the typed sentences.

        `also` are memories that are always included.

        Makes at most one embedding call, with no connection held. Raises `EmbeddingsUnavailable`,
        also if the stored vectors are of another model by now, and `InvalidNamespace` should the
        database ever return a row outside `view`.
        """
        known = sorted(schema.__name__ for schema in schemas)
        shown = await rows.newest(pool, view, known, SMALL_SET + 1)
        whole = len(shown) <= SMALL_SET
        if not whole:
            vectors = await embedder.embed(_sentences(messages))
            shown = await rows.nearest(pool, view, known, vectors, NEIGHBOURS, space=embedder.space)
        wanted = {memory.row_key for memory in also}
        if missing := wanted - {row.row_key for row in shown}:
            shown += await rows.named(pool, view, missing)
        return cls(
            pool,
            embedder,
            view,
            messages,
            _without_superseded(shown),
            schemas=schemas,
            whole=whole,
        )

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Not supported: use `abatch`."""
        raise NotImplementedError("A person's memories are read and written asynchronously only.")

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Answer reads from the loaded rows and buffer writes; other operations raise."""
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

    @property
    def written(self) -> int:
        """The number of buffered writes."""
        return len(self._writes)

    def discard(self, kept: int) -> None:
        """Drop the buffered writes after the first `kept`."""
        del self._writes[kept:]

    async def judge(self, verifier: Verifier | None) -> TokenUse:
        """Check the proposals by the evidence rule, then by `verifier`; return its tokens.

        Without `verifier` only the evidence rule decides. No connection is held during the model
        call. Raises `FormationUnavailable`.
        """
        proposals, self._refused = read_writes(
            self._writes, self._rows, self._messages, own=self._view.own, schemas=self._schemas
        )
        proposals, too_many = cap(await self._paired(proposals))
        self._refused += too_many
        self._verifier = verifier
        if not proposals or verifier is None:
            self._judged = [(one, None) for one in proposals]
            return Counter()
        judged = await verifier.judge(proposals, self._messages)
        if judged.problem is not None:
            self._refused += [one.refused(judged.problem) for one in proposals]
        else:
            self._judged = [(one, judged.verdicts.get(i)) for i, one in enumerate(proposals)]
        return judged.tokens

    @step("commit")
    async def commit(self, in_commit: InCommit | None = None, *, at: datetime) -> FormationResult:
        """Write the accepted proposals and await `in_commit` with the result, in one transaction.

        `at` becomes `confirmed_at`. The rows are read again under a lock on this namespace.
        Proposals from messages that the person has forgotten are refused. No connection is held
        while texts are embedded. Raises `EmbeddingsUnavailable`.
        """
        own, verifier = self._view.own, self._verifier
        origin = self._messages[0].original.origin if self._messages else "message"
        proposals = [proposal for proposal, _ in self._judged]
        decisions, formed = Decisions(), FormationResult(changes=(), refused=())
        wanted = {one.target.row_key for one in proposals if one.target}
        wanted |= {key for key, row in self._rows.items() if row.namespace != own}
        wanted |= {key for row in self._rows.values() for key in row.superseded_rows}

        def decided(
            current: Sequence[Memory],
            judged: Sequence[tuple[ProposedWrite, Verdict | None]],
            room: int = rows.MAX_MEMORIES,
        ) -> Decisions:
            return decide(
                judged,
                current,
                own=own,
                at=at,
                actor=actor_of(origin, "formation"),
                sensitive=verifier.sensitive if verifier else None,
                verified=verifier is not None,
                room=room,
            )

        async def steps(connection: AsyncConnection[DictRow]) -> list[Step]:
            nonlocal decisions
            if not proposals:
                return []
            said = [_message(one) for one in proposals]
            kinds = [one.kind for one in proposals]
            current, forgotten, room = await rows.reread_for(connection, own, kinds, wanted, said)
            left = [one for one in self._judged if _message(one[0]) not in forgotten]
            decisions = decided(current, left, room)
            decisions.refused += [
                one.refused("deleted_meanwhile") for one in proposals if _message(one) in forgotten
            ]
            return decisions.changes

        async def store_questions(
            connection: AsyncConnection[DictRow], changes: Sequence[Change]
        ) -> None:
            nonlocal formed
            gone = [RefusedProposal(reason="deleted_meanwhile")] * (
                len(decisions.changes) - len(changes)
            )
            formed = FormationResult(
                changes=tuple(_as_known(change, decisions) for change in changes),
                refused=(*self._refused, *decisions.refused, *gone),
                questions=tuple(await ask(connection, own, decisions.questions)),
                accepted=_accepted(proposals, decisions.refused),
            )
            if in_commit is not None:
                await in_commit(connection, formed)

        # If no row has changed since it was read, these are the texts that the transaction writes.
        likely = decided(list(self._rows.values()), self._judged).changes
        texts = list(dict.fromkeys(one.text for one in likely if one.text is not None))
        try:
            await commit_steps(
                self._pool,
                self._embedder,
                own.person,
                [own] if proposals else [],
                steps,
                in_commit=store_questions,
                vectors=await self._embedder.packed(texts) if texts else None,
            )
        except ChangedSince:
            raise FormationUnavailable(
                "These memories keep changing; the messages remain queued."
            ) from None
        return formed

    async def _paired(self, proposals: Sequence[ProposedWrite]) -> list[ProposedWrite]:
        """Pair new proposals with rows; for a large set, read the rows of the own namespace."""
        known = sorted(self._rows.values(), key=lambda row: row.namespace != self._view.own)
        if not self._whole and (kinds := [one.kind for one in proposals if one.target is None]):
            async with person_transaction(self._pool, self._view.person) as connection:
                stored = await rows.reread(connection, self._view.own, kinds)
            known = [*stored, *known]
        return pair(proposals, known)


def _message(proposal: ProposedWrite) -> MessageKey:
    return (proposal.evidence.original.channel, proposal.evidence.original.ts)


def _accepted(
    proposals: Sequence[ProposedWrite], refused: Sequence[RefusedProposal]
) -> tuple[PersonMessage, ...]:
    """Return the messages of the proposals that were not refused."""
    others = {id(one.evidence) for one in refused}
    said = [one.evidence.original for one in proposals if id(one.evidence) not in others]
    return tuple(dict.fromkeys(said))


def _as_known(change: Change, decisions: Decisions) -> Change:
    """Return a change for display: superseding a wider memory is shown as an update of it."""
    before, after = decisions.shown[change.key]
    return replace(change, before=before, after=after)


def _sentences(messages: Sequence[TypedMessage]) -> list[str]:
    """Return the typed sentences that are looked up individually."""
    found = [
        one.between(number, number) for one in messages for number in range(len(one.sentences))
    ]
    return list(dict.fromkeys(found))[:_SENTENCES]


def _item(row: Memory) -> SearchItem:
    """Return a memory as the memory model sees it: with its newest evidence only."""
    evidence = str(row.sources[-1].get("evidence") or "") if row.sources else ""
    value = {"kind": row.kind, "content": {**row.content, "evidence": evidence}}
    return SearchItem(row.namespace.parts, row.key, value, row.created_at, row.updated_at)


def _without_superseded(shown: Sequence[Memory]) -> list[Memory]:
    hidden = {key for row in shown for key in row.superseded_rows if row.row_key != key}
    return [row for row in shown if row.row_key not in hidden]
