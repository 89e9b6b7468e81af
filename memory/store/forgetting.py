"""Forgetting of memories, with Undo for ten minutes.

A forgetting hides statements: row-level security then shows them only to the functions here, and
their memories go. After ten minutes the statements are deleted (`purge`), together with every text
that names what they said. `forgotten_sources` keeps the ids.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from psycopg.rows import DictRow, dict_row

from memory.embeddings.embedder import Embedder
from memory.model.dates import EARLIEST
from memory.model.errors import ChangeGone
from memory.model.namespace import Person
from memory.model.schemas import subject
from memory.model.statement import MessageKey, messages_of
from memory.postgres.database import (
    Connection,
    PersonTransaction,
    Pool,
    fetch_rows,
    person_transaction,
)
from memory.postgres.statements import column_parameters, load_statements
from memory.store.hidden import UNDO_MINUTES, seeing_forgotten, seeing_states
from memory.store.memories import Memory, read_memories
from memory.store.people import begin_epoch
from memory.store.statements import (
    InCommit,
    do_nothing,
    keys_of,
    message_parameters,
    refresh_keys,
    writing,
)

_SQL = load_statements("memory", "forgetting")

# What was forgotten has the time at which its transaction began.
_LONGEST_TRANSACTION = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to forget; the parts are joined by OR.

    `keys` are keys of memories, `statements` ids of what was said about them. `messages` (channel,
    ts) are forgotten with what they say; a memory with other source messages keeps what those say.
    With `until`, what was said before it is selected, from `since` on if that is given.
    """

    keys: Collection[str] = ()
    statements: Collection[UUID] = ()
    messages: Collection[MessageKey] = ()
    since: datetime | None = None
    until: datetime | None = None
    everything: bool = False

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the SQL statements that use this selection."""
        return {
            "keys": list(self.keys),
            "statements": list(self.statements),
            **message_parameters(self.messages),
            "since": self.since or EARLIEST,
            "until": self.until,
            "everything": self.everything,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """A forgetting: `id` for its Undo, None if there was nothing to forget.

    `can_undo` is False if nothing was remembered: texts do not come back. `memories` are those that
    are gone, newest first. `batches` are the batches of notices that mentioned any of it.
    """

    id: UUID | None = None
    can_undo: bool = False
    memories: tuple[Memory, ...] = ()
    batches: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What is forgotten or, at a purge, deleted for good, so that the application finds its texts.

    `messages` are the source messages. A text that contains one of `needles` (see the SQL function
    ``says``) names what is gone.
    """

    messages: Collection[MessageKey]
    needles: Sequence[str]


# Keeps the application's messages about what is forgotten from being formed, in the same
# transaction; returns them.
StopForming: TypeAlias = Callable[
    [PersonTransaction, Selection, Gone],
    Awaitable[Collection[MessageKey]],
]
# Deletes the application's texts about what is gone, in the same transaction.
DeleteTexts: TypeAlias = Callable[[PersonTransaction, Gone], Awaitable[None]]


async def _no_messages(*_: object) -> Collection[MessageKey]:
    """The default of `StopForming`."""
    return ()


async def forget(
    pool: Pool,
    person: Person,
    selection: Selection,
    *,
    stop_forming: StopForming = _no_messages,
    delete_texts: DeleteTexts = do_nothing,
    in_commit: InCommit[Forgotten] = do_nothing,
) -> Forgotten:
    """Forget what a selection is about, in one transaction; keys of other people match nothing.

    Memories and their vectors go at once; `undo_forgetting` brings them back within `UNDO_MINUTES`.
    Questions about them are deleted. Nothing is formed again from their messages or from those that
    `stop_forming` returns. `delete_texts` is called by `purge`, or at once if nothing was
    remembered, because there is nothing to undo then.
    """
    async with person_transaction(pool, person, locked=True) as transaction:
        forgotten = await forget_within(
            transaction,
            selection,
            stop_forming=stop_forming,
            delete_texts=delete_texts,
        )
        await in_commit(transaction, forgotten)
    return forgotten


async def forget_within(
    transaction: PersonTransaction,
    selection: Selection,
    *,
    stop_forming: StopForming = _no_messages,
    delete_texts: DeleteTexts = do_nothing,
) -> Forgotten:
    """Forget as `forget` does, within a transaction that holds the person's lock."""
    identity = uuid4()
    values = {**selection.parameters(), "id": identity}
    await begin_epoch(transaction)
    async with seeing_forgotten(transaction):
        hidden = await transaction.fetch(_SQL["hide"], values)
    keys = keys_of(hidden) | set(selection.keys)
    before = await read_memories(transaction, keys)
    await refresh_keys(transaction, keys)
    if not selection.everything:
        rest = {
            **values,
            "concerned": list(keys),
        }
        async with seeing_forgotten(transaction):
            hidden += await transaction.fetch(_SQL["hide_rest"], rest)
        keys |= keys_of(hidden)
    async with seeing_states(transaction):
        asked = await transaction.fetch(
            _SQL["delete_open"], {**values, "keys": list(keys)}
        )

    messages = {*messages_of(hidden), *selection.messages}
    needles = await _needles(transaction, _subjects(hidden))
    gone = Gone(messages=messages, needles=needles)
    others = await stop_forming(transaction, selection, gone)
    messages = messages.union(others)
    new_messages = messages - await forgotten_among(transaction, messages)
    if not (hidden or asked or new_messages or before):
        return Forgotten()
    await _record(transaction, identity, keys, hidden, messages)
    if not hidden:
        await delete_texts(transaction, Gone(messages=new_messages, needles=()))

    after = await read_memories(transaction, keys)
    lost = [memory for key, memory in before.items() if key not in after]
    return Forgotten(
        id=identity,
        can_undo=bool(hidden),
        memories=tuple(lost),
        batches=frozenset(row["batch"] for row in [*hidden, *asked]),
    )


async def _record(
    transaction: PersonTransaction,
    identity: UUID,
    keys: Collection[str],
    hidden: Iterable[DictRow],
    messages: Collection[MessageKey],
) -> None:
    """Keep the ids of what is forgotten: its memories, hidden statements and messages."""
    statements = [(row["id"], row["key"]) for row in hidden]
    values = {
        **message_parameters(messages),
        **column_parameters(("hidden_ids", "hidden_keys"), statements),
        "id": identity,
        "keys": sorted(keys),
    }
    await transaction.execute(_SQL["record"], values)


async def selected(pool: Pool, person: Person, selection: Selection) -> list[Memory]:
    """Return the memories that a selection is about, newest first; nothing is changed."""
    values = selection.parameters()
    async with person_transaction(pool, person) as transaction:
        rows = await transaction.fetch(_SQL["choose"], values)
        keys = keys_of(rows) | set(selection.keys)
        memories = await read_memories(transaction, keys)
    return list(memories.values())


async def undo_forgetting(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    identity: UUID,
    *,
    in_commit: InCommit[datetime] = do_nothing,
) -> list[Memory]:
    """Undo a forgetting: its statements count again, with their quotes; return its memories.

    What was said about the same thing in the meantime is about the same memory: what was said last
    counts. `in_commit` is awaited with the time of the forgetting. Raises `ChangeGone` after
    `UNDO_MINUTES`, or if it was undone before.
    """
    values = {"id": identity, "minutes": UNDO_MINUTES}
    async with writing(pool, embedder, person) as transaction:
        async with seeing_forgotten(transaction):
            restored = await transaction.fetch(_SQL["show_again"], values)
        if not restored:
            raise ChangeGone("The Undo has expired or was used already.")
        await begin_epoch(transaction)
        records = await transaction.fetch(_SQL["delete_record"], values)
        keys = keys_of(restored)
        await refresh_keys(transaction, keys)
        back = await read_memories(transaction, keys)
        await in_commit(transaction, records[0]["forgotten_at"])
    return list(back.values())


async def undoable_forgetting(pool: Pool, person: Person) -> DictRow | None:
    """Return the newest forgetting of memories that can still be undone.

    The row has its `forgotten_id`, the `count` of its memories, and `until` when it can be undone.
    """
    values = {"minutes": UNDO_MINUTES}
    async with (
        person_transaction(pool, person) as transaction,
        seeing_forgotten(transaction),
    ):
        found = await transaction.fetch(_SQL["undoable"], values)
    return found[0] if found else None


async def purge(
    transaction: PersonTransaction,
    delete_texts: DeleteTexts,
    *,
    minutes: int = UNDO_MINUTES,
) -> None:
    """Delete for good what was forgotten at least `minutes` ago, and everything that names it.

    Runs in a transaction that holds the person's lock. Other memories from the same messages lose
    the quotes that say or name it; such questions and refusals are deleted.
    """
    values: dict[str, Any] = {"minutes": minutes}
    async with seeing_forgotten(transaction):
        due = await transaction.fetch(_SQL["due"], values)
        deleted = await transaction.fetch(_SQL["delete_due"], values)
        if not deleted:
            return
        messages = set(messages_of(due))
        needles = await _needles(transaction, _subjects(due))
        sentences = await _needles(transaction, _sentences(due))
        values |= {
            **message_parameters(messages),
            "needles": needles,
            "quotes": [*needles, *sentences],
            "ids": list({row["forgotten_id"] for row in deleted}),
        }
        blanked = await transaction.fetch(_SQL["blank_quotes"], values)
        recorded = await transaction.fetch(_SQL["recorded_messages"], values)
    await refresh_keys(transaction, keys_of(blanked))
    async with seeing_states(transaction):
        await transaction.execute(_SQL["delete_open_naming"], values)
    gone = Gone(messages={*messages, *messages_of(recorded)}, needles=needles)
    await delete_texts(transaction, gone)


def _subjects(forgotten: Iterable[DictRow]) -> set[str]:
    """Return what was forgotten is about."""
    return {subject(row["kind"], row["content"]) for row in forgotten if row["content"]}


def _sentences(forgotten: Iterable[DictRow]) -> set[str]:
    """Return the sentences that said what was forgotten, in whatever words.

    One may be as short as a yes: it is looked for in quotes of the same messages only.
    """
    return {row["evidence"] for row in forgotten}


async def _needles(transaction: PersonTransaction, texts: Iterable[str]) -> list[str]:
    """Return the strings whose presence in another text shows that it has one of these."""
    values = {"texts": list(texts)}
    [row] = await transaction.fetch(_SQL["needles"], values)
    needles: list[str] = row["needles"]
    return needles


async def needles_of_forgotten(transaction: PersonTransaction) -> list[str]:
    """Return the strings that name, in a text, what the person has forgotten and can still undo."""
    async with seeing_forgotten(transaction):
        hidden = await transaction.fetch(_SQL["due"], {"minutes": 0})
        return await _needles(transaction, _subjects(hidden))


async def forgotten_among(
    transaction: PersonTransaction,
    messages: Collection[MessageKey],
) -> set[MessageKey]:
    """Return those of `messages` whose memories this person has forgotten."""
    values = message_parameters(messages)
    rows = await transaction.fetch(_SQL["are_forgotten"], values)
    return set(messages_of(rows))


# --- after a backup was restored ---------------------------------------------------------------


async def forgotten_since(conninfo: str, since: datetime) -> list[DictRow]:
    """Return what was forgotten from a time on: rows of `forgotten_sources`, which are ids only.

    Needs the database's owner. Raises `psycopg.errors.InsufficientPrivilege` if row-level security
    hides rows from the user.
    """
    async with await Connection.connect(conninfo, row_factory=dict_row) as owner:
        await owner.execute(_SQL["refuse_hidden_rows"])
        values = {"since": max(since, EARLIEST) - _LONGEST_TRANSACTION}
        return await fetch_rows(owner, _SQL["since"], values)


async def forget_again(
    pool: Pool,
    person: Person,
    selection: Selection,
    delete_texts: DeleteTexts,
) -> None:
    """Delete what a restored database still has of these ids, as `forget` does but without Undo.

    Uses the keys, statements and messages of `selection`. The texts of its messages go, and no
    memory is formed from them again; other memories from them stay. Idempotent.
    """

    async def stop_forming(*_: object) -> Collection[MessageKey]:
        return selection.messages

    async with person_transaction(pool, person, locked=True) as transaction:
        others = replace(selection, messages=())
        await forget_within(transaction, others, stop_forming=stop_forming)
        await purge(transaction, delete_texts, minutes=0)
        await delete_texts(transaction, Gone(messages=selection.messages, needles=()))
