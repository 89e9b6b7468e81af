"""Updates of memories whose source message was deleted or edited."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import Embedder
from memory.formation.evidence import PersonMessage, TypedMessage, find_evidence
from memory.model.errors import ChangedSince
from memory.model.namespace import Namespace, Person
from memory.model.schemas import SUBJECT_FIELDS
from memory.postgres.database import Pool, person_transaction
from memory.store import rows
from memory.store.dependents import QUESTION_MESSAGES
from memory.store.ledger import Entry, entries_of
from memory.store.memories import OF_PERSON, Memory, MessageKey, RowKey, ends_at, person_range
from memory.store.unit_of_work import AfterWrite, Change, Step, commit_steps

Source: TypeAlias = Mapping[str, Any]
_ATTEMPTS = 4
_ASKED: LiteralString = (
    f"team_id = %(team)s AND user_id = %(user)s AND {QUESTION_MESSAGES} @> %(message)s"
)


async def is_source(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> bool:
    """Return whether a memory of the person comes from the message, or an open question.

    Within the caller's `person_transaction`.
    """
    if await rows.from_message(connection, person, channel, ts):
        return True
    found = await connection.execute(
        f"SELECT FROM memory_questions WHERE {_ASKED} LIMIT 1", _message(person, channel, ts)
    )
    return await found.fetchone() is not None


async def sources_among(
    connection: AsyncConnection[DictRow], person: Person, messages: Collection[MessageKey]
) -> list[MessageKey]:
    """Return those of `messages` that a memory of the person comes from.

    Within the caller's `person_transaction`.
    """
    found = await connection.execute(
        "SELECT channel, ts FROM unnest(%(channels)s::text[], %(times)s::text[]) AS said"
        f" (channel, ts) WHERE EXISTS (SELECT FROM store WHERE {OF_PERSON} AND value->'sources'"
        " @> jsonb_build_array(jsonb_build_object('channel', channel, 'ts', ts)))",
        {
            **person_range(person),
            "channels": [channel for channel, _ in messages],
            "times": [ts for _, ts in messages],
        },
    )
    return [(row["channel"], row["ts"]) for row in await found.fetchall()]


async def source_deleted(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    channel: str,
    ts: str,
    *,
    in_commit: AfterWrite | None = None,
) -> list[Change]:
    """Remove a deleted message from the sources of the person's memories.

    A memory without another source is deleted. For one with other sources, the changes that came
    from the message are undone and those of other sources stay. Open questions that were asked
    because of the message are deleted; one whether to replace a memory that is deleted becomes one
    whether to remember what was to replace it. `in_commit` is awaited with the changes, in the
    transaction. Raises `EmbeddingsUnavailable`, with nothing changed.
    """
    return await _without(pool, embedder, person, channel, ts, lambda _: False, in_commit)


async def source_edited(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    words: PersonMessage,
    *,
    in_commit: AfterWrite | None = None,
) -> list[Change]:
    """Remove evidence that an edited message no longer contains; `words` is the new version.

    Evidence that the new text still contains verbatim stays. Other evidence is treated as in
    `source_deleted`, and the caller queues the new text for formation. `in_commit` is awaited with
    the changes, in the transaction. Raises `EmbeddingsUnavailable`, with nothing changed.
    """
    message = TypedMessage(words)

    def still_said(source: Source) -> bool:
        return find_evidence(str(source.get("evidence") or ""), [message]) is not None

    return await _without(pool, embedder, person, words.channel, words.ts, still_said, in_commit)


async def _without(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    channel: str,
    ts: str,
    stays: Callable[[Source], bool],
    in_commit: AfterWrite | None,
) -> list[Change]:
    def gone(source: Source) -> bool:
        return (source.get("channel"), source.get("ts")) == (channel, ts) and not stays(source)

    locked: list[Namespace] = []

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        await _drop_questions(connection, person, channel, ts)
        said = [
            row
            for row in await rows.from_message(connection, person, channel, ts)
            if any(map(gone, row.value["sources"]))
        ]
        if any(row.namespace not in locked for row in said):
            raise _Moved
        entries = await entries_of(connection, person, [row.key for row in said])
        wider = {key for row in said for key in row.superseded_rows}
        superseded = await rows.read_unlocked(connection, wider) if wider else {}
        steps = [_step(row, gone, entries[row.key], superseded) for row in said]
        removed = [step.key for step in steps if step.after is None]
        if removed:
            await _ask_to_remember(connection, person, removed)
        return steps

    for _ in range(_ATTEMPTS):
        async with person_transaction(pool, person) as connection:
            found = await rows.from_message(connection, person, channel, ts)
        locked[:] = [row.namespace for row in found]
        with suppress(_Moved):
            return await commit_steps(pool, embedder, person, locked, decide, in_commit=in_commit)
    raise ChangedSince("The memories of this message were moved again and again.")


class _Moved(Exception):
    """A memory is in a namespace that is not locked: it was moved after the locks were chosen."""


async def _drop_questions(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> None:
    """Delete the questions asked because of a message."""
    await connection.execute(
        f"DELETE FROM memory_questions WHERE {_ASKED}", _message(person, channel, ts)
    )


def _message(person: Person, channel: str, ts: str) -> dict[str, Any]:
    return {**person.ids, "message": Jsonb([{"channel": channel, "ts": ts}])}


async def _ask_to_remember(
    connection: AsyncConnection[DictRow], person: Person, keys: Sequence[str]
) -> None:
    """Ask of memories that are deleted whether to store what was to replace them.

    Such questions keep their ids.
    """
    await connection.execute(
        "UPDATE memory_questions SET kind = 'store', key = gen_random_uuid()::text,"
        " before = jsonb_build_object('kind', before->'kind', 'content', '{}'::jsonb),"
        " after = after || jsonb_build_object('sources', COALESCE((SELECT jsonb_agg(one)"
        " FROM jsonb_array_elements(after->'sources') one"
        " WHERE NOT before->'sources' @> jsonb_build_array(one)), '[]'))"
        " WHERE team_id = %(team)s AND user_id = %(user)s AND kind = 'replace'"
        " AND key = ANY(%(keys)s)",
        {**person.ids, "keys": list(keys)},
    )


def _step(
    row: Memory,
    gone: Callable[[Source], bool],
    entries: Sequence[Entry],
    superseded: Mapping[RowKey, Memory],
) -> Step:
    left = [source for source in row.value["sources"] if not gone(source)]
    after = None
    if left:
        wider = (superseded[key].value for key in row.superseded_rows if key in superseded)
        after = {**_supported(row, left, entries, next(wider, {})), "sources": left}
        end = ends_at(after)
        if end is not None and end <= datetime.now(UTC):
            after = None
    return Step.on(row, "updated" if after else "removed", "source", after)


def _supported(
    row: Memory, left: Sequence[Source], entries: Sequence[Entry], start: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the value with content and expiry rebuilt from the entries whose sources are left.

    `start` is the value of the wider memory that `row` supersedes; {} if there is none.
    """
    about = SUBJECT_FIELDS.get(row.kind)
    history = _entries_up_to(row.value, entries)
    if about is None or not history or history[0].before is not None:
        return row.value  # the ledger no longer has the first entries
    content, end = _content(start), start.get("expires_at")
    for entry in history:
        if not any(source in left for source in rows.added_sources(entry.before, entry.after)):
            continue
        before, after = _content(entry.before), _content(entry.after)
        changed = {name: value for name, value in after.items() if value != before.get(name)}
        content |= changed or after  # a confirmation states the whole content
        known, said = ((value or {}).get("expires_at") for value in (entry.before, entry.after))
        if not changed or about in changed or said != known:
            end = said  # otherwise a detail was added, which keeps the expiry
    content.setdefault(about, row.content.get(about))
    value = {**row.value, "content": {name: content.get(name) for name in row.content}}
    value.pop("expires_at", None)
    return {**value, "expires_at": end} if end else value


def _content(value: Mapping[str, Any] | None) -> dict[str, Any]:
    return dict((value or {}).get("content") or {})


def _entries_up_to(value: dict[str, Any] | None, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that led to a value, oldest first, without undone ones."""
    found: list[Entry] = []
    earlier = list(entries)
    while value is not None:
        number = next((i for i, entry in enumerate(earlier) if entry.after == value), None)
        if number is None:
            break
        found.append(earlier[number])
        value, earlier = earlier[number].before, earlier[:number]
    return found[::-1]
