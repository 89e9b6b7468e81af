"""Formation of memories from a person's messages, in one audience; read it from `Former.form`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from langgraph.store.base import PutOp
from pydantic import BaseModel

from memory.embeddings.embedder import Embedder
from memory.formation.chat_model import TEAM, FormationModel
from memory.formation.commit import FormationResult, InCommit, commit
from memory.formation.evidence import PersonMessage, TypedMessage, whole_message
from memory.formation.extract import Extractor, known_memories, load
from memory.formation.proposal import Proposal, read_writes
from memory.formation.verdict import MemoryVerdicts, SensitivePolicy, judge
from memory.model.errors import EmbeddingsUnavailable, FormationUnavailable
from memory.model.namespace import MemoryView, Person
from memory.model.references import References
from memory.model.schemas import SCHEMAS, register_schemas, thing
from memory.model.text import texts
from memory.postgres.database import Pool, person_transaction
from memory.recall.search import SMALL_SET
from memory.store.memories import Memory, reread_in_view
from memory.store.statements import keys_of_subjects

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


FindReferences: TypeAlias = Callable[[Person, Iterable[str]], Awaitable[References]]
"""Returns the names of the references in texts of a person."""


async def no_references(_: Person, __: Iterable[str]) -> References:
    """Return no names: every text is shown as it is stored."""
    return References()


@dataclass(frozen=True, eq=False)
class Former:
    """Formation, and what it depends on.

    `model` is a LangChain chat model, or a function that creates one; it extracts, and gives the
    verdicts. `schemas` are Pydantic models; see `memory.model.schemas`. `sensitive` is the policy
    of `memory.formation.verdict.asks_first`. `find_references` gives the models names for the
    references in stored texts.
    """

    pool: Pool
    embedder: Embedder
    model: BaseChatModel | Callable[[], BaseChatModel]
    _: KW_ONLY
    schemas: Sequence[type[BaseModel]] = SCHEMAS
    sensitive: SensitivePolicy | None = None
    find_references: FindReferences = no_references

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
        eager: bool = False,
        proposed: tuple[PutOp, Memory | None] | None = None,
        references: References | None = None,
    ) -> FormationResult:
        """Form memories from one person's messages; writes to `view.own` only.

        The first 8,000 characters of each message are read. The model proposes, the evidence rule
        and the verdicts decide, and one transaction writes.

        `in_commit` is awaited with the result inside the writing transaction, also if nothing was
        formed; an exception from it rolls everything back. No connection is held during model and
        embedding calls. `deadline` limits the model's time in seconds. `batch` is the notice's.
        `eager`: details are recorded, too. `proposed` is a write of a tool call, with the memory
        that it changes: the memory model proposes nothing then. `references` are the names with
        which it was written; without them `find_references` is asked. `memory.metrics` counts the
        tokens that the models report. Raises `FormationUnavailable`, with nothing written, if the
        memory model or the embedding model does not answer in time.
        """
        TEAM.set(view.person.team_id)
        typed = [one for one in map(TypedMessage, messages) if one.says_something]
        own, schemas = view.own, {schema.__name__: schema for schema in self.schemas}
        writes, known, kinds = list[PutOp](), dict[str, Memory](), [*schemas]
        try:
            async with asyncio.timeout(deadline):
                if proposed is not None:
                    write, target = proposed
                    writes, kinds = [write], [str((write.value or {}).get("kind"))]
                    known = {target.key: target} if target else {}
                if typed and not known:
                    known = await known_memories(self.pool, self.embedder, view, typed, kinds)
                if references is None:
                    stored = [text for one in typed for text in _stored_texts(one.original)]
                    stored += [text for row in known.values() for text in texts(row.value)]
                    references = await self.find_references(view.person, stored)
                typed = [TypedMessage(one.original, references) for one in typed]
                if typed and proposed is None:
                    rows = [_as_shown(row, references) for row in known.values()]
                    writes = await self._extractor.extract(rows, own, typed, eager=eager)
                proposals, refused = read_writes(writes, known, typed, own=own, schemas=schemas)
                proposals = await pair(self.pool, view, proposals, known)
                if proposals:
                    proposals = await judge(self._verdicts, proposals, typed)
            return await commit(
                self.pool,
                self.embedder,
                view,
                proposals,
                sensitive=self.sensitive,
                refused=refused,
                batch=batch,
                in_commit=in_commit,
            )
        except TimeoutError:
            raise FormationUnavailable("The memory model took too long.") from None
        except EmbeddingsUnavailable as fault:
            raise FormationUnavailable(
                "The embedding model did not answer; the messages remain queued."
            ) from fault

    async def is_sensitive(self, memory: Memory, sentence: str) -> bool:
        """Return whether others should not see a memory and the sentence that it comes from.

        True where a verdict finds it sensitive or about somebody else, or there is no verdict. No
        row is read, and tokens are counted as by `form`. Raises `FormationUnavailable`.
        """
        TEAM.set(memory.namespace.person.team_id)
        stored = [sentence, *texts(memory.content)]
        references = await self.find_references(memory.namespace.person, stored)
        said = TypedMessage(PersonMessage(text=sentence, channel="", ts=""), references)
        # They are shown the sentence, so it is among what is judged.
        shown = {**memory.content, "sentence": sentence}
        evidence = whole_message(said)
        asked = Proposal(kind=memory.kind, content=shown, said=shown, evidence=evidence)
        [judged] = await judge(self._verdicts, [asked], [said])
        verdict = judged.verdict
        return verdict is None or verdict.sensitive != "none" or verdict.about != "speaker"

    # Each is created at its first use, which takes 0.1 s in all.

    @cached_property
    def _chat(self) -> BaseChatModel:
        from langchain_core.language_models import BaseChatModel

        return self.model if isinstance(self.model, BaseChatModel) else self.model()

    @cached_property
    def _extractor(self) -> Extractor:
        return Extractor(self._chat, self.schemas)

    @cached_property
    def _verdicts(self) -> FormationModel:
        return FormationModel(self._chat).bind_tools([MemoryVerdicts])

    @staticmethod
    def warm_up() -> None:
        """Import what the first formation needs, about a second; call it in a thread."""
        import langchain_openai  # noqa: F401

        load()


def _stored_texts(message: PersonMessage) -> list[str]:
    """Return the texts of a message that a model is shown."""
    return [message.text, message.reply_to or ""]


def _as_shown(row: Memory, references: References) -> Memory:
    """Return a memory as the memory model reads it."""
    return replace(row, value=references.shown_in(row.value))


async def pair(
    pool: Pool, view: MemoryView, proposals: Sequence[Proposal], known: Mapping[str, Memory]
) -> list[Proposal]:
    """Give each new proposal the memory about the same thing, as its conversation knows it, if any.

    `known` are the memories that the model was shown; of a large set others may be about it, too.
    """
    new = [one for one in proposals if one.target is None]
    rows = dict(known)
    if new and len(rows) >= SMALL_SET:
        async with person_transaction(pool, view.person) as connection:
            contents = [(one.kind, one.content) for one in new]
            keys = await keys_of_subjects(connection, view.person, contents)
            rows |= await reread_in_view(connection, view, keys.values())
    by_thing: dict[tuple[str, str], Memory] = {}
    for row in rows.values():
        by_thing.setdefault((row.kind, thing(row.kind, row.content)), row)
    paired = []
    for one in proposals:
        if one.target is None:
            one = replace(one, target=by_thing.get((one.kind, thing(one.kind, one.content))))
        paired.append(one)
    return paired
