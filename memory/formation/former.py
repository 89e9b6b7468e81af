"""Formation of memories from a person's messages, in one audience; start at `Former.form`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property, partial
from typing import TypeVar
from uuid import UUID, uuid4

# At each request OpenAI's client looks for httpx among the loaded modules, and fails if a thread is
# just loading it, as `Former.warm_up` would: it is loaded here.
import httpx  # noqa: F401
from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel

from memory.embeddings.embedder import Embedder
from memory.formation.commit import FormationResult, commit
from memory.formation.evidence import TypedMessage, whole_message
from memory.formation.extract import extract_writes
from memory.formation.formation_model import TEAM, FormationModel
from memory.formation.known import known_memories
from memory.formation.proposal import (
    Proposal,
    Proposed,
    Refusal,
    Write,
    instead_of,
    named_removals,
    read_writes,
)
from memory.formation.verdict import SensitivePolicy, judge
from memory.metrics import step
from memory.model.errors import (
    EmbeddingsUnavailable,
    FormationUnavailable,
    WordsUnreadable,
)
from memory.model.model_errors import ErrorCause
from memory.model.namespace import MemoryView, Person
from memory.model.person_message import PersonMessage
from memory.model.schemas import (
    SCHEMAS,
    by_kind,
    register_schemas,
)
from memory.model.text import Json
from memory.postgres.database import Pool, person_transaction
from memory.store.memories import Memory
from memory.store.statements import InCommit, do_nothing
from memory.store.subjects import read_known

_log = logging.getLogger(__name__)

_Part = TypeVar("_Part")
_Found = TypeVar("_Found")

_HARMLESS = "OK."
# How many memories are shown after a refusal that they may be the cause of.
_FEWER: Mapping[ErrorCause | None, int] = {
    "model_too_long": 8,
    "model_failed": 8,
    "model_policy": 0,
}


@dataclass(frozen=True, eq=False)
class Former:
    """Formation, and what it depends on.

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

    def __post_init__(self) -> None:
        register_schemas(self.schemas)

    @cached_property
    def kinds(self) -> Mapping[str, type[BaseModel]]:
        """The schemas by the names of their kinds."""
        return by_kind(self.schemas)

    @step("formation")
    async def form(
        self,
        view: MemoryView,
        messages: Sequence[PersonMessage],
        *,
        batch: UUID | None = None,
        epoch: int | None = None,
        in_commit: InCommit[FormationResult] = do_nothing,
        deadline: float | None = None,
        eager: bool = False,
        passes_over: bool = False,
    ) -> FormationResult:
        """Form memories from one person's messages, for `view.own`; sensitive ones for `dm` only.

        The first 8,000 characters of each message are read. The model proposes, the evidence rule
        and the verdicts decide, and one transaction writes. Messages that the model cannot read,
        although it answers others, are read alone. What it refuses then is refused as
        ``unreadable``; so is what it only fails with, if `passes_over` is set.

        `in_commit` is awaited with the result inside the writing transaction, even if nothing was
        formed; an exception from it rolls everything back. No connection is held during model and
        embedding calls. `deadline` limits the model's time in seconds. `batch` is the notice's.
        `epoch` is the person's, read before `messages`: raises `Overtaken` if there is another one.
        `eager`: details are recorded, too. `memory.metrics` counts the tokens that the models
        report. With nothing written, raises `WordsUnreadable` if the model fails with words that it
        may read another time, and `FormationUnavailable` if it, or the embedding model, does not
        answer in time.
        """
        typed = [TypedMessage(message) for message in messages]
        typed = [message for message in typed if message.says_something]
        declined: list[Memory] = []
        async with model_calls(view.person, deadline):
            read = partial(self._read, view, typed, declined, eager=eager)
            proposed = await read(passes_over=passes_over)
        formed = await self._commit(view, proposed, batch, epoch, in_commit)
        return replace(formed, declined=tuple(declined))

    async def form_proposed(
        self,
        view: MemoryView,
        message: PersonMessage,
        value: Json,
        *,
        target: Memory | None,
        batch: UUID | None,
        epoch: int | None,
        in_commit: InCommit[FormationResult],
        deadline: float,
    ) -> FormationResult:
        """Form a memory from the value in a tool call; the memory model proposes nothing.

        `value` has the kind and the content with its evidence, and `target` is the memory that it
        changes. The rest is as for `form`.
        """
        key = str(uuid4())
        known: dict[str, Memory] = {}
        if target is not None:
            key = target.key
            known[key] = target
        said = TypedMessage(message)
        async with model_calls(view.person, deadline):
            proposed = await self._judge(
                view, [said], [Write(key, value)], known, passes_over=False
            )
        return await self._commit(view, proposed, batch, epoch, in_commit)

    async def form_edit(
        self,
        view: MemoryView,
        message: PersonMessage,
        memory: Memory,
        *,
        epoch: int | None,
        deadline: float,
    ) -> FormationResult:
        """Form what a memory says anew, from the sentence that its person wrote in its place.

        It keeps its kind and key; what the sentence does not say is gone. Nothing is formed of
        another kind. The rest is as for `form`.
        """
        typed = [TypedMessage(message)]
        async with model_calls(view.person, deadline):
            found = await extract_writes(
                self.memory_model, self.schemas, [], typed, eager=True
            )
            writes = instead_of(memory, found)
            proposed = await self._judge(
                view, typed, writes, {memory.key: memory}, passes_over=False
            )
        return await self._commit(view, proposed, None, epoch, do_nothing)

    async def _commit(
        self,
        view: MemoryView,
        proposed: Proposed,
        batch: UUID | None,
        epoch: int | None,
        in_commit: InCommit[FormationResult],
    ) -> FormationResult:
        """Store what the models proposed and judged."""
        judged, refused = proposed
        return await commit(
            self.pool,
            self.embedder,
            view,
            judged,
            sensitive=self.sensitive,
            refused=refused,
            batch=batch,
            epoch=epoch,
            in_commit=in_commit,
        )

    async def _read(
        self,
        view: MemoryView,
        typed: Sequence[TypedMessage],
        declined: list[Memory],
        *,
        eager: bool,
        passes_over: bool,
    ) -> Proposed:
        """Return what the memory model proposes and judges, and what is refused.

        The memories with which its provider refuses the request are added to `declined`.
        """
        if not typed:
            return [], []
        known = await known_memories(
            self.pool, self.embedder, view, typed, self.kinds.keys()
        )
        extract = partial(self._extract, [*known.values()], declined, eager=eager)
        writes, unread = await read_alone(extract, typed, passes_over=passes_over)
        # Unread words are not shown as context of others, either.
        readable = [message for message in typed if message not in unread]
        judged, refused = await self._judge(
            view, readable, writes, known, passes_over=passes_over
        )
        for message in unread:
            refused.append(
                Refusal(reason="unreadable", evidence=whole_message(message))
            )
        return judged, refused

    async def _extract(
        self,
        rows: Sequence[Memory],
        declined: list[Memory],
        typed: Sequence[TypedMessage],
        *,
        eager: bool,
    ) -> list[Write]:
        """Return what the model writes, if need be with fewer memories in its view."""
        extract = partial(extract_writes, self.memory_model, self.schemas, eager=eager)
        try:
            return await extract(rows, typed)
        except WordsUnreadable as unreadable:
            few = _FEWER.get(unreadable.cause, len(rows))
            if len(rows) <= few:
                raise
            is_declined = unreadable.cause == "model_policy"
        writes = await extract(rows[len(rows) - few :], typed)
        if is_declined:
            declined[:] = rows
        return writes

    async def declines(self, person: Person, memories: Sequence[Memory]) -> bool:
        """Return whether the memory model's provider refuses a request with these memories.

        Nothing is stored, and tokens are counted as by `form`. Raises `FormationUnavailable`.
        """
        said = TypedMessage(PersonMessage(text=_HARMLESS))
        try:
            async with model_calls(person, None):
                await extract_writes(self.memory_model, self.schemas, memories, [said])
        except WordsUnreadable as unreadable:
            if unreadable.cause != "model_policy":
                raise
            return True
        return False

    async def _judge(
        self,
        view: MemoryView,
        typed: Sequence[TypedMessage],
        writes: Sequence[Write],
        known: Mapping[str, Memory],
        *,
        passes_over: bool,
    ) -> Proposed:
        """Return the proposals that quote the person, with verdicts, and what is refused."""
        shown = [write for write in writes if not write.about]
        named = [write for write in writes if write.about]
        proposals, refused = read_writes(shown, known, typed, self.kinds)
        removals = named_removals(named, typed, self.kinds)
        proposals = await match_stored(self.pool, view, proposals, removals)
        if not proposals:
            return [], refused
        judge_part = partial(judge, self.memory_model, messages=typed)
        judged, unread = await read_alone(
            judge_part, proposals, passes_over=passes_over
        )
        refused += [proposal.refused("unreadable") for proposal in unread]
        return judged, refused

    @cached_property
    def memory_model(self) -> FormationModel:
        """The model that extracts and judges, made when it is first used."""
        chat = self.model
        if not isinstance(chat, BaseChatModel):
            chat = chat()
        return FormationModel(chat)

    def warm_up(self) -> None:
        """Load what the first formation needs, which takes half a second; use a thread.

        OpenAI's client imports its Responses API, and Pydantic builds the type of its answers, when
        they are first used. The first formation would hold up every answer meanwhile.
        """
        from openai.resources.responses import AsyncResponses  # noqa: F401
        from openai.types.responses import Response

        import memory.formation.langmem_model  # noqa: F401

        Response.model_rebuild()
        _ = self.memory_model


@asynccontextmanager
async def model_calls(person: Person, deadline: float | None) -> AsyncIterator[None]:
    """Limit the models to `deadline` seconds, if given, and count their tokens for the team.

    Raises `FormationUnavailable` in place of their errors.
    """
    TEAM.set(person.team_id)
    try:
        async with asyncio.timeout(deadline):
            yield
    except TimeoutError:
        raise FormationUnavailable("The memory model took too long.") from None
    except EmbeddingsUnavailable as fault:
        raise FormationUnavailable(
            "The embedding model did not answer; the messages remain queued."
        ) from fault


async def read_alone(
    read: Callable[[Sequence[_Part]], Awaitable[list[_Found]]],
    parts: Sequence[_Part],
    *,
    passes_over: bool,
) -> tuple[list[_Found], list[_Part]]:
    """Return what `read` finds in `parts`, and the parts that cannot be read.

    If it raises `WordsUnreadable` for all of them together, each is read once more, alone; that it
    raises for one that may be read another time is raised, unless `passes_over` is set.
    """
    try:
        return await read(parts), []
    except WordsUnreadable as unreadable:
        _log.warning("%s", unreadable)
        if len(parts) == 1:
            if unreadable.may_pass and not passes_over:
                raise
            return [], list(parts)
    found: list[_Found] = []
    unread: list[_Part] = []
    for part in parts:
        found_in_part, unread_part = await read_alone(
            read, [part], passes_over=passes_over
        )
        found += found_in_part
        unread += unread_part
    return found, unread


async def match_stored(
    pool: Pool,
    view: MemoryView,
    proposals: Sequence[Proposal],
    named: Sequence[Proposal] = (),
) -> list[Proposal]:
    """Give each new proposal the stored memory about the same thing, as its conversation knows it.

    The model was perhaps not shown that memory, or has not recognised it. The removals `named` are
    added, but for those that are about no memory of the person, whatever this conversation knows.
    """
    subjects = {one.about for one in (*proposals, *named) if one.target is None}
    if not subjects:
        return list(proposals)
    async with person_transaction(pool, view.person) as transaction:
        known = await read_known(transaction, subjects)
    memories = known.in_view(view)
    keys = known.first_keys
    removals = [one for one in named if keys.get(one.about) in known.memories]
    paired = []
    for proposal in (*proposals, *removals):
        if proposal.target is None:
            key = keys.get(proposal.about, "")
            proposal = replace(proposal, target=memories.get(key))
        paired.append(proposal)
    return paired
