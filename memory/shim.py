# TEMPORARY: the new API of issue 40 over the present store, until that branch is merged.
from __future__ import annotations
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4
from memory.formation import former as _former
from memory.formation import questions as _questions
from memory.formation import source_changes as _sources
from memory.formation.proposals import RefusedProposal
from memory.formation.user_store import FormationResult
from memory.formation.verdicts import Verifier
from memory.model.errors import ChangeGone, UndoExpired
from memory.postgres.database import person_statement
from memory.store import edits as _edits
from memory.store import forgetting as _forgetting
from memory.store import ledger as _ledger
from memory.store import memories as _memories
from memory.store import origins as _origins
from memory.store import pages as _pages
from memory.store import undo as _undo
from memory.store import words as _words
from memory.store.batch import BATCH
from memory.tools import memory_tools as _tools

Change = _ledger.Entry
Refusal = RefusedProposal
_MAP = {"past": "not_asserted", "hypothetical": "not_asserted", "question": "not_asserted", "joke": "not_asserted", "request": "not_asserted", "ended": "not_asserted",
        "link": "unusable", "invalid": "unusable", "unknown_kind": "unusable", "too_many": "unusable", "wider_audience": "unusable", "nothing_to_remove": "unusable", "asked_already": "unusable",
        "deleted_meanwhile": "unusable", "unusable_answer": "unusable", "unusable_verdict": "unsupported", "refused_verdict": "unsupported"}


@contextmanager
def batched(batch):
    token = BATCH.set(batch or uuid4())
    try:
        yield
    finally:
        BATCH.reset(token)


def _refusals(refused):
    return tuple(replace(one, reason=_MAP.get(one.reason, one.reason)) for one in refused)


class Former(_former.Former):
    async def form(self, view, messages, *, batch=None, eager=False, **more):
        with batched(batch):
            formed = await super().form(view, messages, **more)
        return replace(formed, refused=_refusals(formed.refused))


class MemoryTools(_tools.MemoryTools):
    def __init__(self, former, view, message, *, batch=None, in_commit=None, off=False):
        self._batch = batch
        super().__init__(former._pool, former._embedder, view, message, schemas=former._schemas, in_commit=in_commit, verifier=former._verifier, off=off)

    async def call(self, name, arguments):
        with batched(self._batch):
            output = await super().call(name, arguments)
        self.refused = _refusals(self.refused)
        return output


@dataclass(frozen=True, kw_only=True)
class Selection:
    keys: Any = ()
    messages: Any = ()
    channel: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    everything: bool = False
    questions: Any = ()


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    id: UUID | None
    count: int
    memories: tuple
    just_now: bool = False


_TOKENS: dict[UUID, Any] = {}


async def _references(pool, person, keys):
    return [m.reference for m in await _memories.list_memories(pool, person) if m.key in set(keys)] + [f"dm/{k}" for k in keys]


def _origin(selection):
    if not (selection.messages or selection.since or selection.until or selection.channel):
        return None
    messages = {tuple(m) for m in selection.messages}

    def holds(said, at):
        def inside(moment):
            return (selection.since is None or moment >= selection.since.timestamp()) and (selection.until is None or moment < selection.until.timestamp())
        timed = bool(selection.since or selection.until or selection.channel)
        if said:
            return any(tuple(k) in messages or (timed and (not selection.channel or k[0] == selection.channel) and inside(float(k[1]))) for k in said)
        return timed and not selection.channel and inside(at.timestamp())

    async def origin(connection):
        return holds
    return origin


async def selected(pool, person, selection):
    every = await _memories.list_memories(pool, person)
    if selection.everything:
        return Forgotten(id=None, count=len(every), memories=tuple(every[:20]))
    keys = set(selection.keys)
    origin = _origin(selection)
    if origin:
        holds = await origin(None)
        keys |= {m.key for m in every if holds(m.source_messages, m.created_at)}
    found = [m for m in every if m.key in keys]
    count = len(found)
    if origin and not count:
        rows = await person_statement(pool, person, "SELECT channel_id, question_ts FROM turns WHERE team_id=%(team)s AND user_id=%(user)s AND words <> ''", person.ids)
        count = sum(holds([(r["channel_id"], r["question_ts"])], datetime.now(UTC)) for r in rows) and 1
    return Forgotten(id=None, count=count, memories=tuple(found[:20]))


async def forget(pool, person, selection, *, delete_texts=None):
    references = None if selection.everything else await _references(pool, person, selection.keys)

    async def blank(connection, memories, besides):
        if delete_texts is None:
            return []
        keys = None if memories is None else {m.key for m in memories}
        rows = await connection.execute("SELECT DISTINCT batch FROM memory_changes WHERE team_id=%(team)s AND user_id=%(user)s AND batch IS NOT NULL AND (%(keys)s::text[] IS NULL OR key = ANY(%(keys)s))", {**person.ids, "keys": None if keys is None else list(keys)})
        batches = {r["batch"] for r in await rows.fetchall()}
        gone = SimpleNamespace(selection=selection, memories=memories, besides=besides, keys=keys, batches=batches)
        return await delete_texts(connection, gone)
    done = await _forgetting.forget(pool, person, references, questions=list(selection.questions), origin=_origin(selection), blank_texts=blank)
    if done.undo is None:
        return Forgotten(id=None, count=0, memories=(), just_now=done.just_now)
    _TOKENS[done.undo.id] = done.undo
    return Forgotten(id=done.undo.id, count=len(done.memories), memories=done.memories[:20])


async def undo_forgetting(pool, person, identity):
    try:
        return len(await _forgetting.undo_forget(pool, person, _TOKENS[identity]))
    except (UndoExpired, KeyError):
        raise ChangeGone("gone") from None


async def changes(pool, person, *, key=None, batch=None, ids=None, before=None, limit=20):
    if batch is not None:
        rows = await person_statement(pool, person, "SELECT id FROM memory_changes WHERE team_id=%(team)s AND user_id=%(user)s AND batch=%(batch)s", {**person.ids, "batch": batch})
        ids = [r["id"] for r in rows]
    if ids is not None:
        found = await _ledger.changes_named(pool, person, list(ids))
        return sorted(found, key=lambda e: e.at, reverse=True)
    if key is not None:
        return [e for e in await _ledger.history(pool, person, limit=1000) if e.key == key][:limit]
    return await _ledger.history(pool, person, limit=limit, before=before)


async def open_questions(pool, person, *, batch=None):
    found = await _questions.open_questions(pool, person)
    return [q for q in found if batch is None or q.batch == batch]


async def answer_question(pool, embedder, person, question, answer):
    batch = next((q.batch for q in await _questions.open_questions(pool, person) if q.id == question), None)
    with batched(batch):
        return await _questions.answer_question(pool, embedder, person, question, answer)


async def source_changed(pool, embedder, person, channel, ts, words, *, batch=None, in_commit=None):
    more = {"in_commit": in_commit} if in_commit else {}
    with batched(batch):
        if words is None:
            return await _sources.source_deleted(pool, embedder, person, channel, ts, **more)
        return await _sources.source_edited(pool, embedder, person, words, **more)


async def find_memory(pool, person, key):
    return next((m for m in await _memories.list_memories(pool, person) if m.key == key), None)


async def _reference(pool, person, key):
    memory = await find_memory(pool, person, key)
    if memory is None:
        raise ChangeGone("gone")
    return memory.reference


async def edit_memory(pool, embedder, person, key, content, source, *, batch=None, **more):
    with batched(batch):
        return await _edits.edit_memory(pool, embedder, person, await _reference(pool, person, key), content, source, **more)


async def move_memory(pool, embedder, person, key, audience, *, batch=None, **more):
    with batched(batch):
        return await _edits.move_memory(pool, embedder, person, await _reference(pool, person, key), audience, **more)


async def add_memories(pool, embedder, namespace, kind, given, *, batch=None, **more):
    with batched(batch):
        return await _edits.add_memories(pool, embedder, namespace, kind, given, **more)


async def undo_change(pool, embedder, person, change):
    with batched(None):
        return await _undo.undo_change(pool, embedder, person, change)


async def undo_changes(pool, embedder, person, *, ids=(), batch=None):
    ids = [*ids, *([c.id for c in await changes(pool, person, batch=batch)] if batch else [])]
    with batched(None):
        return await _undo.undo_changes(pool, embedder, person, ids)


async def search_memories(pool, person, words, *, whole_words=False):
    return _words.matching(await _memories.list_memories(pool, person), words, whole_words=whole_words)


@dataclass(frozen=True, kw_only=True)
class MemoryPage:
    memories: tuple
    kinds: dict
    page: int
    total: int


async def memory_page(pool, person, *, size, page=1, kind=None, words=""):
    if not words:
        found = await _pages.memory_page(pool, person, size=size, page=page, kind=kind)
        return MemoryPage(memories=found.memories, kinds=found.kinds, page=found.page, total=found.total)
    hits = await search_memories(pool, person, words)
    pages = max(1, -(-len(hits) // size))
    page = min(page, pages)
    return MemoryPage(memories=tuple(hits[(page - 1) * size: page * size]), kinds={}, page=page, total=len(hits))
