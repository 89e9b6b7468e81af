"""Formation of memories from a person's messages, in one audience; read it from `Former.form`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from langgraph.store.base import PutOp
from pydantic import BaseModel

from memory.embeddings.embedder import Embedder
from memory.formation.chat_model import TokenUse
from memory.formation.commit import FormationResult, InCommit, commit
from memory.formation.evidence import PersonMessage, TypedMessage, whole_message
from memory.formation.extract import (
    NEIGHBOURS,
    CollectingStore,
    Known,
    StoreManager,
    extract,
    load,
)
from memory.formation.pair import cap, pair
from memory.formation.proposal import Proposal, Refusal, read_writes
from memory.formation.verdict import SensitivePolicy, judge, verdict_model
from memory.model.errors import EmbeddingsUnavailable, FormationUnavailable
from memory.model.namespace import MemoryView
from memory.model.schemas import SCHEMAS, register_schemas
from memory.postgres.database import Pool, person_transaction
from memory.recall.search import SMALL_SET, nearest_memories
from memory.store.memories import current, newest, reread

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_SENTENCES = 24  # typed sentences that are looked up individually


@dataclass(frozen=True, eq=False)
class Former:
    """Forms memories from a person's messages.

    `model` is a LangChain chat model, or a function that creates one; it extracts, and gives the
    verdicts. `schemas` are Pydantic models; see `memory.model.schemas`. `sensitive` is the policy
    of `memory.formation.verdict.asks_first`.
    """

    pool: Pool
    embedder: Embedder
    model: BaseChatModel | Callable[[], BaseChatModel]
    _: KW_ONLY
    schemas: Sequence[type[BaseModel]] = SCHEMAS
    sensitive: SensitivePolicy | None = None
    _making: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _made: dict[bool, tuple[StoreManager, Any]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        register_schemas(self.schemas)

    async def form(
        self,
        view: MemoryView,
        messages: Sequence[PersonMessage],
        *,
        batch: UUID | None = None,
        in_commit: InCommit | None = None,
        deadline: float | None = None,
        spend: Callable[[TokenUse], None] | None = None,
        eager: bool = False,
    ) -> FormationResult:
        """Form memories from one person's messages; writes to `view.own` only.

        The first 8,000 characters of each message are read. The model proposes, the evidence rule
        and the verdicts decide, and one transaction writes.

        `in_commit` is awaited with the result inside the writing transaction, also if nothing was
        formed; an exception from it rolls everything back. No connection is held during model and
        embedding calls. `deadline` limits the model's time in seconds: after it nothing is written
        and `FormationResult.late` is true. `spend` is called with the tokens that the models
        report, also if the run fails. `batch` is the notice's. `eager`: details are
        recorded, too. Raises `FormationUnavailable`, with nothing written, if the memory model or
        the embedding model does not answer.
        """
        typed = [one for one in map(TypedMessage, messages) if one.says_something]
        refused: list[Refusal] = []
        spent: TokenUse = Counter()
        try:
            try:
                async with asyncio.timeout(deadline):
                    known = await self.known(view, typed)
                    store = CollectingStore(known.rows.values())
                    manager, _ = await self._models(eager=eager)
                    if typed and not await extract(manager, store, view.own, typed, spent):
                        refused.append(Refusal(reason="unusable"))
                    judged = await self.judged(view, store.writes, typed, known, refused, spent)
            except TimeoutError:
                if deadline is None:
                    raise
                return FormationResult(late=True)
            return await self.commit(view, typed, judged, known, refused, batch, in_commit)
        except EmbeddingsUnavailable as fault:
            raise FormationUnavailable(
                "The embedding model did not answer; the messages remain queued."
            ) from fault
        finally:
            if spend is not None and spent:
                spend(spent)

    async def known(self, view: MemoryView, messages: Sequence[TypedMessage]) -> Known:
        """Read the memories to show to the model: all, or those nearest to the typed sentences.

        Makes at most one embedding call, with no connection held. Raises `EmbeddingsUnavailable`,
        also if the stored vectors are of another model by now.
        """
        kinds = sorted(schema.__name__ for schema in self.schemas)
        shown = await newest(self.pool, view, kinds, SMALL_SET + 1)
        whole = len(shown) <= SMALL_SET
        if not whole:
            said = [one.between(n, n) for one in messages for n in range(len(one.sentences))]
            texts = list(dict.fromkeys(said))[:_SENTENCES]
            shown = await nearest_memories(
                self.pool, self.embedder, view, texts, NEIGHBOURS, kinds=kinds
            )
        return Known(rows={row.key: row for row in current(shown)}, whole=whole)

    async def proposed(
        self,
        view: MemoryView,
        writes: Sequence[PutOp],
        messages: Sequence[TypedMessage],
        known: Known,
        refused: list[Refusal],
    ) -> list[Proposal]:
        """Return the writes that pass the evidence rule; `refused` gets the others."""
        own = view.own
        schemas = {schema.__name__: schema for schema in self.schemas}
        proposals, bad = read_writes(writes, known.rows, messages, own=own, schemas=schemas)
        rows = sorted(known.rows.values(), key=lambda row: row.namespace != own)
        if not known.whole and (kinds := [one.kind for one in proposals if one.target is None]):
            async with person_transaction(self.pool, own.person) as connection:
                rows[:0] = (await reread(connection, own.person, of=own, kinds=kinds)).values()
        proposals, more = cap(pair(proposals, rows))
        refused += [*bad, *more]
        return proposals

    async def judged(
        self,
        view: MemoryView,
        writes: Sequence[PutOp],
        messages: Sequence[TypedMessage],
        known: Known,
        refused: list[Refusal],
        spent: TokenUse,
    ) -> list[Proposal]:
        """Return what `proposed` does, with verdicts; `refused` gets all if a verdict is missing.

        No connection is held during the model call. Raises `FormationUnavailable`.
        """
        proposals = await self.proposed(view, writes, messages, known, refused)
        if not proposals:
            return []
        _, verdicts = await self._models()
        judged = await judge(verdicts, proposals, messages, spent)
        if judged is None:
            refused += [one.refused("unusable") for one in proposals]
        return judged or []

    async def are_sensitive(
        self, given: Sequence[tuple[str, Mapping[str, Any], str]]
    ) -> list[bool]:
        """Return of each kind, content and sentence whether others should not see it.

        True where one verdict on all finds it sensitive or about somebody else, or says nothing of
        it. No row is read. Raises `FormationUnavailable`.
        """
        messages = [TypedMessage(PersonMessage(text=one, channel="", ts="")) for _, _, one in given]
        asked = [
            Proposal(
                kind=kind,
                content=dict(content),
                evidence=whole_message(message),
                target=None,
                removes=False,
            )
            for (kind, content, _), message in zip(given, messages, strict=True)
        ]
        _, verdicts = await self._models()
        judged = await judge(verdicts, asked, messages, Counter())
        found = [one.verdict for one in judged or asked]
        return [v is None or v.sensitive != "none" or v.about != "speaker" for v in found]

    async def commit(
        self,
        view: MemoryView,
        messages: Sequence[TypedMessage],
        proposals: Sequence[Proposal],
        known: Known,
        refused: Sequence[Refusal],
        batch: UUID | None = None,
        in_commit: InCommit | None = None,
    ) -> FormationResult:
        """Write what is accepted of judged proposals; see `memory.formation.commit.commit`."""
        return await commit(
            self.pool,
            self.embedder,
            view.own,
            proposals,
            [*known.rows.values()],
            origin=messages[0].original.origin if messages else "message",
            sensitive=self.sensitive,
            refused=refused,
            batch=batch,
            in_commit=in_commit,
        )

    async def _models(self, *, eager: bool = False) -> tuple[StoreManager, Any]:
        # Takes 0.1 s once; in a thread, so that the event loop is not blocked. In one at a time:
        # LangChain changes the filters of warnings meanwhile, which threads share.
        async with self._making:
            if eager not in self._made:
                self._made[eager] = await asyncio.to_thread(self._make, eager)
            return self._made[eager]

    def _make(self, eager: bool) -> tuple[StoreManager, Any]:
        from langchain_core.language_models import BaseChatModel

        chat = self.model if isinstance(self.model, BaseChatModel) else self.model()
        return StoreManager(chat, self.schemas, eager=eager), verdict_model(chat)

    @staticmethod
    def warm_up() -> None:
        """Import what the first formation needs, about a second; call it in a thread."""
        import langchain_openai  # noqa: F401

        load()
