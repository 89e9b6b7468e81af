"""The log of statements: what was said about a person's memories. Nothing else writes it.

The functions here that change the log also update the rows of `store`, with
`memory.store.projection.write_rows`. All of it happens under the person's lock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, LiteralString, TypeAlias, TypeVar
from uuid import UUID, uuid4

from psycopg import OperationalError
from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.model.errors import EmbeddingsUnavailable, logged
from memory.model.merging import superfluous
from memory.model.namespace import Person, may_read
from memory.model.schemas import fields_with_value
from memory.model.statement import MessageKey, Statement, messages_of
from memory.postgres.database import (
    ROWS_AT_ONCE,
    PersonTransaction,
    Pool,
    person_transaction,
    with_pauses,
)
from memory.postgres.statements import (
    column_parameters,
    load_statements,
    rows_parameter,
)
from memory.store.hidden import seeing_forgotten, seeing_states
from memory.store.projection import write_rows
from memory.store.reembedding import embed_missing
from memory.store.subjects import Known, read_known

_log = logging.getLogger(__name__)

_SQL = load_statements("memory", "statements")
_EMBED_SECONDS = 10.0  # somebody may wait

_Done = TypeVar("_Done")
InCommit: TypeAlias = Callable[[PersonTransaction, _Done], Awaitable[object]]
"""Awaited last in a writing transaction, with what was done; an exception rolls all of it back."""


async def do_nothing(*_: object) -> None:
    """The default of what a caller lets happen in a writing transaction, besides the writing."""


@asynccontextmanager
async def writing(
    pool: Pool, embedder: Embedder, person: Person, epoch: int | None = None
) -> AsyncIterator[PersonTransaction]:
    """Open a transaction of the person, under their lock, in which statements are written.

    `epoch` is that of the person before a model was asked; raises `Overtaken` if there is another.

    After it, one batch of memories without a vector is embedded, without holding a connection. The
    rest, or all if the embedding model does not answer soon, are embedded after the next write. A
    set that recall returns whole needs no vectors.
    """
    async with person_transaction(
        pool, person, locked=True, epoch=epoch
    ) as transaction:
        yield transaction
    try:
        async with asyncio.timeout(_EMBED_SECONDS):
            await embed_missing(pool, embedder, person, while_somebody_waits=True)
    except (EmbeddingsUnavailable, OperationalError, TimeoutError) as error:
        _log.warning("memories were not embedded: %s", logged(error))


async def read_statements(
    transaction: PersonTransaction, keys: Iterable[str]
) -> dict[str, list[Statement]]:
    """Return all statements about these memories, by key, in the order they were stored."""
    by_key: dict[str, list[Statement]] = {key: [] for key in keys}
    values = {"keys": list(by_key)}
    rows = await transaction.fetch(_SQL["read_by_keys"], values)
    async for row in with_pauses(rows, every=ROWS_AT_ONCE):
        by_key[row["key"]].append(Statement(**row))
    return by_key


async def add_statements(
    transaction: PersonTransaction,
    statements: Sequence[Statement],
    known: Known | None,
) -> dict[str, list[Statement]]:
    """Store statements and refresh their memories; return all statements of these, by key.

    The keys are in the order of the statements.

    There is one memory per subject: a statement that gives a memory the subject of another one
    takes the first back and is added to the other. The same words of the same message count once.
    Of more than `MAX_STATEMENTS` about one memory the oldest go that make no difference.
    `known` is what this transaction has read about the statements' memories and subjects.
    """
    if known is None:
        subjects = {one.about for one in statements if one.act == "say"}
        known = await read_known(transaction, subjects, [one.key for one in statements])
    stored = _about_their_things(statements, known)
    values = {
        "statements": rows_parameter(
            [{**one.columns, "state": "counts"} for one in stored]
        ),
    }
    await transaction.execute(_SQL["insert"], values)
    keys_stored = dict.fromkeys(one.key for one in stored)
    by_key = await read_statements(transaction, keys_stored)
    for key, said in by_key.items():
        gone = superfluous(said)
        if gone:
            await delete_statements(transaction, gone)
            by_key[key] = [one for one in said if one.id not in gone]
    await write_rows(transaction, by_key, added={one.id for one in stored})
    return by_key


def _about_their_things(
    statements: Sequence[Statement], known: Known
) -> list[Statement]:
    """Return the statements, each with the key of the memory about its subject.

    A statement that gives a memory the subject of another one becomes two: one takes the first
    memory back, and one adds to the other what the audience knew of the first.
    """
    keys = dict(known.keys)
    stored: list[Statement] = []
    taken_back: set[str] = set()
    for one in statements:
        about_it: Sequence[str] = [one.key]
        if one.act == "say":
            about_it = keys.setdefault(one.about, about_it)
        if one.key in about_it:
            stored.append(one)
            continue
        if one.key not in taken_back:
            taken_back.add(one.key)
            stored.append(replace(one, id=uuid4(), act="remove", content=None))
        content = dict(one.fields)
        first = known.memories.get(one.key)
        # Of what that audience may not read, it hears only what is said now.
        if first is not None and may_read(one.audience, first.audience):
            content = {**first.content, **content}
        said = fields_with_value(content)
        stored.append(replace(one, key=about_it[0], content=said))
    return stored


async def withdraw(transaction: PersonTransaction, ids: Collection[UUID]) -> None:
    """Withdraw statements, so that they no longer count."""
    await _change(transaction, _SQL["withdraw"], {"ids": list(ids)})


async def leave_out(transaction: PersonTransaction, keys: Collection[str]) -> None:
    """Show these memories to no model, until something else is said about them."""
    await _change(transaction, _SQL["leave_out"], {"keys": list(keys)})


async def _change(
    transaction: PersonTransaction,
    statement: LiteralString,
    values: Mapping[str, Any],
) -> set[str]:
    """Execute an SQL statement, and refresh the memories whose keys it returns; return the keys."""
    changed = await transaction.fetch(statement, values)
    keys = keys_of(changed)
    await refresh_keys(transaction, keys)
    return keys


async def delete_statements(
    transaction: PersonTransaction, ids: Collection[UUID]
) -> None:
    """Delete statements for good; the caller refreshes their memories."""
    await transaction.execute(_SQL["delete"], {"ids": list(ids)})


async def statements_of_message(
    transaction: PersonTransaction, message: MessageKey
) -> list[Statement]:
    """Return what a message says."""
    channel, ts = message
    values = {"channel": channel, "ts": ts}
    rows = await transaction.fetch(_SQL["read_of_message"], values)
    return [Statement(**row) for row in rows]


async def messages_among(
    transaction: PersonTransaction,
    messages: Collection[MessageKey],
) -> set[MessageKey]:
    """Return those of `messages` that led to a memory or question, even a forgotten one."""
    values = message_parameters(messages)
    async with seeing_forgotten(transaction), seeing_states(transaction):
        rows = await transaction.fetch(_SQL["messages_among"], values)
    return set(messages_of(rows))


async def change_channel(transaction: PersonTransaction, old: str, new: str) -> None:
    """Replace a conversation's id, `old`, by the one that Slack has given it since.

    This includes what is forgotten, what is asked, and messages that are not to be formed again.
    """
    values = {"old": old, "new": new}
    async with seeing_forgotten(transaction), seeing_states(transaction):
        changed = await transaction.fetch(_SQL["change_channel"], values)
    await transaction.execute(_SQL["change_channel_of_forgotten"], values)
    await refresh_keys(transaction, keys_of(changed))


async def delete_ended(transaction: PersonTransaction) -> None:
    """Delete the statements that have ended."""
    await _change(transaction, _SQL["delete_ended"], {})


async def delete_old(transaction: PersonTransaction, days: int) -> set[str]:
    """Delete memories about which nothing was said for `days`; return the keys of those changed.

    Statements that were withdrawn longer ago go, too. Runs in the caller's `person_transaction`,
    with its lock.
    """
    return await _change(transaction, _SQL["delete_old"], {"days": days})


async def refresh_keys(transaction: PersonTransaction, keys: Collection[str]) -> None:
    """Update the rows of these memories to what their statements add up to now."""
    if keys:
        await write_rows(transaction, await read_statements(transaction, keys))


def keys_of(rows: Iterable[DictRow]) -> set[str]:
    """Return the keys of the memories that rows name by ``key``."""
    return {row["key"] for row in rows}


def message_parameters(messages: Collection[MessageKey]) -> dict[str, list[Any]]:
    """Return the parameters `channels` and `times` of these messages."""
    return column_parameters(("channels", "times"), messages)
