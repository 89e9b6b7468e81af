"""The log of statements: what was said about a person's memories. Nothing else writes it.

Each function here changes the log and then lets `memory.store.projection.refresh` make the rows of
`store` what the log amounts to. All of it happens under the person's lock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.model.errors import EmbeddingsUnavailable
from memory.model.namespace import COLLEAGUES, DM, Person
from memory.model.schemas import thing
from memory.model.statement import MessageKey, Statement, current, since_removal
from memory.postgres.database import Pool, person_transaction
from memory.postgres.statements import load_statements, rows_parameter
from memory.store.projection import read_rows, refresh
from memory.store.reembedding import embed_missing

_log = logging.getLogger(__name__)

_SQL = load_statements("memory", "statements")
_EMBED_SECONDS = 10.0  # somebody may wait


@asynccontextmanager
async def writing(
    pool: Pool, embedder: Embedder, person: Person
) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Open a transaction of the person, under their lock, in which statements are written.

    After it memories that have no vector are embedded, one batch of them, without a connection; the
    rest, and all where the embedding model does not answer soon, after the next one. A set that
    recall returns whole needs no vectors.
    """
    async with person_transaction(pool, person, locked=True) as connection:
        yield connection
    try:
        async with asyncio.timeout(_EMBED_SECONDS):
            await embed_missing(pool, embedder, person, while_somebody_waits=True)
    except (EmbeddingsUnavailable, OperationalError, TimeoutError) as error:
        _log.warning("memories were not embedded: %s", type(error).__name__)


async def see_forgotten(connection: AsyncConnection[DictRow], *, shown: bool) -> None:
    """Let the transaction see forgotten statements, or not."""
    await connection.execute(_SQL["see_forgotten"], {"shown": "shown" if shown else ""})


@asynccontextmanager
async def seeing_forgotten(connection: AsyncConnection[DictRow]) -> AsyncIterator[None]:
    """Let the statements in this block see what is forgotten."""
    await see_forgotten(connection, shown=True)
    yield
    await see_forgotten(connection, shown=False)


async def read_statements(
    connection: AsyncConnection[DictRow], person: Person, keys: Iterable[str]
) -> dict[str, list[Statement]]:
    """Return all statements about these memories, by key, in the order they were stored."""
    by_key: dict[str, list[Statement]] = {key: [] for key in keys}
    found = await connection.execute(_SQL["read_by_keys"], {**person.ids, "keys": list(by_key)})
    for row in await found.fetchall():
        by_key[row["key"]].append(Statement(**row))
    return by_key


async def keys_of_subjects(
    connection: AsyncConnection[DictRow],
    person: Person,
    contents: Iterable[tuple[str, Mapping[str, Any]]],
) -> dict[tuple[str, str], str]:
    """Return the key of the memory about each thing that was ever spoken of, whoever heard it.

    `contents` are kinds with contents; the result is by kind and `memory.model.schemas.thing`. What
    is said about a thing again, also after it was taken back, is said about the same memory; not
    where that memory is about something else by now.
    """
    found = await _keys_by_subject(connection, person, contents)
    return {name: keys[0] for name, keys in found.items()}


async def _keys_by_subject(
    connection: AsyncConnection[DictRow],
    person: Person,
    contents: Iterable[tuple[str, Mapping[str, Any]]],
    *,
    remembered: bool = False,
) -> dict[tuple[str, str], list[str]]:
    """Return the keys of all memories about each thing, or of those that are `remembered`."""
    keys: dict[tuple[str, str], list[str]] = {}
    for row in await memories_of_subjects(connection, person, contents):
        kind, subject, content = row["kind"], row["subject"], row["content"]
        counts = not remembered if content is None else thing(kind, content) == subject
        if counts:
            keys.setdefault((kind, subject), []).append(row["key"])
    return keys


async def memories_of_subjects(
    connection: AsyncConnection[DictRow],
    person: Person,
    contents: Iterable[tuple[str, Mapping[str, Any]]],
) -> list[DictRow]:
    """Return kind, subject, key and present content of memories about these things, newest first.

    A content is None where the memory was taken back.
    """
    wanted = {(kind, thing(kind, content)) for kind, content in contents}
    values = {
        **person.ids,
        "prefix": person.namespace(DM).prefix,
        "kinds": [kind for kind, _ in wanted],
        "subjects": [subject for _, subject in wanted],
    }
    found = await connection.execute(_SQL["memories_of_subjects"], values)
    return await found.fetchall()


async def add_statements(
    connection: AsyncConnection[DictRow], person: Person, statements: Sequence[Statement]
) -> set[str]:
    """Store statements and refresh their memories; return the keys of these.

    There is one memory for one thing: what would make a memory be about the thing of another one
    takes it back, and is said about the other one. The same words of the same message count once.
    """
    if not statements:
        return set()
    stored = await _about_their_things(connection, person, statements)
    rows = [one.columns for one in stored]
    values = {**person.ids, "statements": rows_parameter(rows)}
    await connection.execute(_SQL["insert"], values)
    keys = {one.key for one in stored}
    await refresh_keys(connection, person, keys)
    return keys


async def _about_their_things(
    connection: AsyncConnection[DictRow], person: Person, statements: Sequence[Statement]
) -> list[Statement]:
    """Return statements of which each is about the memory of its thing.

    A statement that names a memory after the thing of another one becomes two: one that takes the
    first memory back, and one that says about the other what the first one said to its audience.
    """
    other_keys = await _keys_of_others(connection, person, statements)
    if not other_keys:
        return list(statements)
    renamed = {one.key for one in statements if one.id in other_keys}
    known = {
        (row.namespace.audience, row.key): row.content
        for row in await read_rows(connection, person, renamed)
    }
    stored: list[Statement] = []
    taken_back: set[str] = set()
    for one in statements:
        if one.id not in other_keys:
            stored.append(one)
            continue
        if one.key not in taken_back:
            taken_back.add(one.key)
            stored.append(replace(one, id=uuid4(), act="remove", content=None))
        said = {**known.get((one.audience, one.key), {}), **(one.content or {})}
        content = {name: value for name, value in said.items() if value is not None}
        stored.append(replace(one, key=other_keys[one.id], content=content))
    return stored


async def _keys_of_others(
    connection: AsyncConnection[DictRow], person: Person, statements: Sequence[Statement]
) -> dict[UUID, str]:
    """Return, by id of a statement, the key of the other memory whose thing it names."""
    naming = [one for one in statements if one.act == "say" and one.audience != COLLEAGUES]
    contents = [(one.kind, one.content or {}) for one in naming]
    keys = await _keys_by_subject(connection, person, contents)
    other_keys: dict[UUID, str] = {}
    for one in naming:
        named = keys.setdefault((one.kind, thing(one.kind, one.content or {})), [one.key])
        if one.key not in named:
            other_keys[one.id] = named[0]
    return other_keys


async def withdraw(
    connection: AsyncConnection[DictRow], person: Person, ids: Collection[UUID]
) -> list[str]:
    """Let statements count no more; return the keys of their memories."""
    found = await connection.execute(_SQL["withdraw"], {**person.ids, "ids": list(ids)})
    return await _refreshed(connection, person, await found.fetchall())


async def reinstate(
    connection: AsyncConnection[DictRow], person: Person, ids: Collection[UUID]
) -> list[str]:
    """Let withdrawn statements count again; return the keys of their memories."""
    found = await connection.execute(_SQL["reinstate"], {**person.ids, "ids": list(ids)})
    return await _refreshed(connection, person, await found.fetchall())


async def delete_statements(
    connection: AsyncConnection[DictRow], person: Person, ids: Collection[UUID]
) -> None:
    """Delete statements for good; the caller refreshes their memories."""
    await connection.execute(_SQL["delete"], {**person.ids, "ids": list(ids)})


async def statements_of_message(
    connection: AsyncConnection[DictRow], person: Person, message: MessageKey
) -> list[Statement]:
    """Return what a message says."""
    channel, ts = message
    values = {**person.ids, "channel": channel, "ts": ts}
    found = await connection.execute(_SQL["read_of_message"], values)
    return [Statement(**row) for row in await found.fetchall()]


async def messages_among(
    connection: AsyncConnection[DictRow], person: Person, messages: Collection[MessageKey]
) -> list[MessageKey]:
    """Return those of `messages` that something was remembered or asked from, forgotten or not."""
    values = {**person.ids, **message_columns(messages)}
    async with seeing_forgotten(connection):
        found = await connection.execute(_SQL["messages_among"], values)
        return [(row["channel"], row["ts"]) for row in await found.fetchall()]


async def change_channel(
    connection: AsyncConnection[DictRow], person: Person, old: str, new: str
) -> None:
    """Give what was said in a conversation the id that Slack has given it since.

    Also of what is forgotten, asked and not to be formed again.
    """
    values = {**person.ids, "old": old, "new": new}
    async with seeing_forgotten(connection):
        found = await connection.execute(_SQL["change_channel"], values)
        rows = await found.fetchall()
    await connection.execute(_SQL["change_channel_of_proposals"], values)
    await connection.execute(_SQL["change_channel_of_forgotten"], values)
    await _refreshed(connection, person, rows)


async def delete_ended(connection: AsyncConnection[DictRow], person: Person) -> list[str]:
    """Delete the statements that are over; return the keys of their memories."""
    found = await connection.execute(_SQL["delete_ended"], person.ids)
    return await _refreshed(connection, person, await found.fetchall())


async def delete_old(connection: AsyncConnection[DictRow], person: Person, days: int) -> list[str]:
    """Delete memories about which nothing was said for `days`; return the keys."""
    found = await connection.execute(_SQL["delete_old"], {**person.ids, "days": days})
    return await _refreshed(connection, person, await found.fetchall())


async def refresh_keys(
    connection: AsyncConnection[DictRow], person: Person, keys: Collection[str]
) -> None:
    """Make the rows of these memories what their statements amount to now."""
    if not keys:
        return
    by_key = await read_statements(connection, person, keys)
    statements = [one for said in by_key.values() for one in said]
    await refresh(connection, person, keys, statements)


def message_columns(messages: Collection[MessageKey]) -> dict[str, Any]:
    """Return messages as two parameters of the same length, `channels` and `times`."""
    return {
        "channels": [channel for channel, _ in messages],
        "times": [ts for _, ts in messages],
    }


async def _refreshed(
    connection: AsyncConnection[DictRow], person: Person, rows: Iterable[DictRow]
) -> list[str]:
    keys = list(dict.fromkeys(row["key"] for row in rows))
    await refresh_keys(connection, person, keys)
    await _join_same_things(connection, person, keys)
    return keys


async def _join_same_things(
    connection: AsyncConnection[DictRow], person: Person, keys: Collection[str]
) -> None:
    """Let those of these memories join another one that have become about the same thing.

    A memory may get its old name back, by an Undo or at the end of a statement, after something was
    said of that name anew. What counts of it is said about the other memory, to the audiences that
    know it; what does not count stays, and comes back by itself.
    """
    joined = await _keys_to_join(connection, person, keys)
    if not joined:
        return
    by_key = await read_statements(connection, person, joined)
    now = datetime.now(UTC)
    moved = [one for said in by_key.values() for one in since_removal(current(said, now))]
    values = {
        **person.ids,
        "ids": [one.id for one in moved],
        "keys": [joined[one.key] for one in moved],
        "audiences": [one.audience for one in moved],
    }
    await connection.execute(_SQL["join"], values)
    await refresh_keys(connection, person, {*joined, *joined.values()})


async def _keys_to_join(
    connection: AsyncConnection[DictRow], person: Person, keys: Collection[str]
) -> dict[str, str]:
    """Return, by key of a memory, the key of another memory about the same thing."""
    rows = await read_rows(connection, person, keys)
    whole = {row.key: row for row in rows if row.namespace.audience == DM}
    contents = [(row.kind, row.content) for row in whole.values()]
    keys_of_things = await _keys_by_subject(connection, person, contents, remembered=True)
    joined: dict[str, str] = {}
    for key, row in whole.items():
        known = keys_of_things.get((row.kind, thing(row.kind, row.content)), [])
        others = [other for other in known if other != key and other not in joined]
        if others:
            joined[key] = others[0]
    return joined
