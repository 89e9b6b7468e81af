"""Forgetting, by time, with Undo for ten minutes.

A forgetting hides statements: row-level security then shows them only to the functions here, their
memories go, and what else rests on the same messages loses its quotes. Ten minutes later the
statements are deleted (`purge`), and every earlier text of the person: no text is searched for what
it says. The table `forgotten` keeps the ids for thirty days.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from psycopg.rows import DictRow, dict_row

from memory.embeddings.embedder import Embedder
from memory.model.dates import EARLIEST
from memory.model.errors import ChangeGone
from memory.model.namespace import Person
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

    `memories` are those that are gone, newest first. `batches` are the batches of notices that
    mentioned any of it.
    """

    id: UUID | None = None
    memories: tuple[Memory, ...] = ()
    batches: frozenset[UUID] = frozenset()


EndTexts: TypeAlias = Callable[[PersonTransaction, datetime], Awaitable[bool]]
"""Deletes the application's texts of the person from before a time, in the same transaction.

Returns whether none is left: words that wait to be formed, and messages that wait for an answer,
may stay. It is called again a minute later until none is left.
"""


async def no_texts(*_: object) -> bool:
    """The `EndTexts` of an application that stores no texts."""
    return True


async def forget(
    pool: Pool,
    person: Person,
    selection: Selection,
    *,
    in_commit: InCommit[Forgotten] = do_nothing,
) -> Forgotten:
    """Forget what a selection is about, in one transaction; keys of other people match nothing.

    Memories and their vectors go at once; `undo_forgetting` brings them back within `UNDO_MINUTES`.
    Questions about them are deleted. Nothing is formed again from their messages.
    """
    async with person_transaction(pool, person, locked=True) as transaction:
        forgotten = await forget_within(transaction, selection)
        await in_commit(transaction, forgotten)
    return forgotten


async def forget_within(
    transaction: PersonTransaction,
    selection: Selection,
    *,
    messages: Collection[MessageKey] = (),
) -> Forgotten:
    """Forget as `forget` does, within a transaction that holds the person's lock.

    `messages` are further ones that are not formed again; what they said stays.
    """
    identity = uuid4()
    values = {**selection.parameters(), "id": identity}
    await begin_epoch(transaction)
    async with seeing_forgotten(transaction):
        hidden = await transaction.fetch(_SQL["hide"], values)
    keys = keys_of(hidden) | set(selection.keys)
    before = await read_memories(transaction, keys)
    if not selection.everything:
        await refresh_keys(transaction, keys)
        rest = {
            **values,
            "concerned": list(keys),
        }
        async with seeing_forgotten(transaction):
            hidden += await transaction.fetch(_SQL["hide_rest"], rest)
        keys |= keys_of(hidden)
    said = {*messages_of(hidden), *selection.messages, *messages}
    concerned = {**values, **message_parameters(said), "keys": list(keys)}
    async with seeing_states(transaction):
        asked = await transaction.fetch(_SQL["delete_open"], concerned)
    new = said - await forgotten_among(transaction, said)
    if not (hidden or asked or new or before):
        return Forgotten()
    statements = [(row["id"], row["key"]) for row in hidden]
    record = {
        **message_parameters(said),
        **column_parameters(("hidden_ids", "hidden_keys"), statements),
        "id": identity,
        "keys": sorted(keys),
    }
    await transaction.execute(_SQL["record"], record)
    quoting = await transaction.fetch(_SQL["keys_of_messages"], concerned)
    await refresh_keys(transaction, keys | keys_of(quoting))

    after = await read_memories(transaction, keys)
    lost = [memory for key, memory in before.items() if key not in after]
    return Forgotten(
        id=identity,
        memories=tuple(lost),
        batches=frozenset(row["batch"] for row in [*hidden, *asked]),
    )


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
    in_commit: InCommit[None] = do_nothing,
) -> list[Memory]:
    """Undo a forgetting: its statements count again, with their quotes; return its memories.

    What was said about the same thing in the meantime is about the same memory: what was said last
    counts. Raises `ChangeGone` after `UNDO_MINUTES`, or if it was undone before.
    """
    values = {"id": identity, "minutes": UNDO_MINUTES}
    async with writing(pool, embedder, person) as transaction:
        records = await transaction.fetch(_SQL["delete_record"], values)
        if not records:
            raise ChangeGone("The Undo has expired or was used already.")
        await begin_epoch(transaction)
        async with seeing_forgotten(transaction):
            restored = await transaction.fetch(_SQL["show_again"], values)
        quoting = await transaction.fetch(_SQL["keys_of_messages"], records[0])
        keys = keys_of(restored)
        await refresh_keys(transaction, keys | keys_of(quoting))
        back = await read_memories(transaction, keys)
        await in_commit(transaction, None)
    return list(back.values())


async def undoable_forgetting(pool: Pool, person: Person) -> DictRow | None:
    """Return the newest forgetting that can still be undone.

    The row has its `id`, the `count` of its memories, when it was done (`at`), and `until` when it
    can be undone.
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
    end_texts: EndTexts,
    *,
    minutes: int = UNDO_MINUTES,
) -> None:
    """Delete for good what was forgotten at least `minutes` ago, and every text from before it.

    Runs in a transaction that holds the person's lock. Other memories from the same messages lose
    their quotes. It is done again until `end_texts` leaves nothing.
    """
    due = await transaction.fetch(_SQL["due"], {"minutes": minutes})
    if not due:
        return
    messages: set[MessageKey] = set()
    for row in due:
        messages.update(zip(row["channels"], row["times"], strict=True))
    values = {**message_parameters(messages), "ids": [row["id"] for row in due]}
    async with seeing_forgotten(transaction):
        await transaction.execute(_SQL["delete_due"], values)
        await transaction.execute(_SQL["blank_quotes"], values)
    newest = max(row["at"] for row in due)
    if await end_texts(transaction, newest):
        await transaction.execute(_SQL["note_purged"], values)


async def forgotten_among(
    transaction: PersonTransaction,
    messages: Collection[MessageKey],
) -> set[MessageKey]:
    """Return those of `messages` from which this person has forgotten something."""
    values = message_parameters(messages)
    rows = await transaction.fetch(_SQL["are_forgotten"], values)
    return set(messages_of(rows))


# --- after a backup was restored ---------------------------------------------------------------


async def forgotten_since(conninfo: str, since: datetime) -> list[DictRow]:
    """Return what was forgotten from a time on: rows of `forgotten`, which are ids only.

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
    end_texts: EndTexts,
) -> None:
    """Delete what a restored database still has of these ids, as `forget` does but without Undo.

    Uses the keys, statements and messages of `selection`. No memory is formed from its messages
    again; other memories from them stay, without quotes. Idempotent.
    """
    said = Selection(keys=selection.keys, statements=selection.statements)
    async with person_transaction(pool, person, locked=True) as transaction:
        await forget_within(transaction, said, messages=selection.messages)
        await purge(transaction, end_texts, minutes=0)
