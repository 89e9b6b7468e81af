"""What becomes of memories when a message they rest on is deleted or edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import Embedder
from memory.formation.evidence import TypedMessage, Words, find_evidence
from memory.model.namespace import Person
from memory.model.schemas import SUBJECT_FIELDS
from memory.postgres.database import Pool, person_transaction
from memory.store import rows
from memory.store.ledger import Entry, entries_of
from memory.store.rows import Row
from memory.store.unit_of_work import Change, Step, Written, carry_out

Source: TypeAlias = Mapping[str, Any]


async def is_source(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> bool:
    """Say whether anything remembered of a person rests on a message.

    Within the caller's `person_transaction`.
    """
    return bool(await rows.said_at(connection, person, channel, ts))


async def source_deleted(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    channel: str,
    ts: str,
    *,
    in_commit: Written | None = None,
) -> list[Change]:
    """Take a deleted message out of what is remembered.

    A memory that has no other source goes; one that has others returns to what these support: the
    changes the message made are left out, what others changed stays. Open questions that quote the
    message go. `in_commit` is awaited with the changes, in the transaction. Raises
    `EmbeddingsUnavailable`; then nothing was changed.
    """
    return await _without(pool, embedder, person, channel, ts, lambda _: False, in_commit)


async def source_edited(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    words: Words,
    *,
    in_commit: Written | None = None,
) -> list[Change]:
    """Take what a message no longer says out of what is remembered; `words` are its new text.

    What is still quoted from it word for word stays. The rest is as if the message was deleted: the
    caller lets the new text be formed. `in_commit` is awaited with the changes, in the transaction.
    Raises `EmbeddingsUnavailable`; then nothing was changed.
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
    in_commit: Written | None,
) -> list[Change]:
    def gone(source: Source) -> bool:
        return (source.get("channel"), source.get("ts")) == (channel, ts) and not stays(source)

    async with person_transaction(pool, person) as connection:
        namespaces = [row.namespace for row in await rows.said_at(connection, person, channel, ts)]

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        await _drop_questions(connection, person, channel, ts)
        said = [
            row
            for row in await rows.said_at(connection, person, channel, ts)
            if row.namespace in namespaces and any(map(gone, row.value["sources"]))
        ]
        entries = await entries_of(connection, person, [row.key for row in said])
        return [_step(row, gone, entries[row.key]) for row in said]

    return await carry_out(pool, embedder, person, namespaces, decide, in_commit=in_commit)


async def _drop_questions(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> None:
    await connection.execute(
        "DELETE FROM memory_questions WHERE team_id = %s AND user_id = %s"
        " AND after->'sources' @> %s",
        (person.team_id, person.user_id, Jsonb([{"channel": channel, "ts": ts}])),
    )


def _step(row: Row, gone: Callable[[Source], bool], entries: Sequence[Entry]) -> Step:
    left = [source for source in row.value["sources"] if not gone(source)]
    after = None
    if left:
        after = {**row.value, "content": _supported(row, left, entries), "sources": left}
    return Step(
        action="updated" if after else "removed",
        actor="source",
        namespace=row.namespace,
        key=row.key,
        before=row,
        after=after,
    )


def _supported(row: Row, left: Sequence[Source], entries: Sequence[Entry]) -> dict[str, Any]:
    """Tell the memory's changes again, those only that rest on a source that is left."""
    about = SUBJECT_FIELDS.get(row.kind)
    led = _led_to(row.value, entries)
    if about is None or not led or led[0].before is not None:
        return row.content  # the ledger does not reach back far enough to tell
    content: dict[str, Any] = {}
    for entry in led:
        if not any(source in left for source in _new_sources(entry)):
            continue
        before, after = _content(entry.before), _content(entry.after)
        told = {name: value for name, value in after.items() if value != before.get(name)}
        content |= told or after  # said again, it was said as a whole
    content.setdefault(about, row.content.get(about))
    return {name: content.get(name) for name in row.content}


def _content(value: dict[str, Any] | None) -> dict[str, Any]:
    return dict((value or {}).get("content") or {})


def _new_sources(entry: Entry) -> list[dict[str, Any]]:
    known = (entry.before or {}).get("sources") or []
    return [one for one in (entry.after or {}).get("sources") or [] if one not in known]


def _led_to(value: dict[str, Any] | None, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that made a value, oldest first; what was undone is not among them."""
    led: list[Entry] = []
    earlier = list(entries)
    while value is not None:
        number = next((i for i, entry in enumerate(earlier) if entry.after == value), None)
        if number is None:
            break
        led.append(earlier[number])
        value, earlier = earlier[number].before, earlier[:number]
    return led[::-1]
