"""Updates of memories whose source message was deleted or edited."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import Embedder
from memory.formation.evidence import PersonMessage, TypedMessage, find_evidence
from memory.model.namespace import COLLEAGUES, DM, Person
from memory.model.schemas import SUBJECT_FIELDS
from memory.postgres.database import Pool
from memory.store.forgetting import DELETE_QUOTING
from memory.store.memories import (
    COLUMNS,
    FROM_MESSAGES,
    OF_IDS,
    OF_PERSON,
    UNEXPIRED,
    Memory,
    MessageKey,
    message_columns,
    person_range,
    read_own,
    reread,
)
from memory.store.versions import IS_FIRST, AfterWrite, Change, Step, write, writing

Source: TypeAlias = Mapping[str, Any]

_AMONG: LiteralString = (
    "SELECT channel, ts FROM unnest(%(channels)s::text[], %(times)s::text[]) AS said (channel, ts),"
    " jsonb_build_array(jsonb_build_object('channel', channel, 'ts', ts)) AS message"
    f" WHERE EXISTS (SELECT FROM store WHERE {OF_PERSON} AND value->'sources' @> message)"
    f" OR EXISTS (SELECT FROM memory_questions WHERE {OF_IDS} AND messages @> message)"
    " OR (channel, ts) IN (SELECT one->>'channel', one->>'ts' FROM memory_versions,"
    f" jsonb_path_query(value, '$.sources[*]') AS one WHERE {OF_IDS} AND one->>'evidence' <> '')"
)
_VERSIONS: LiteralString = (
    f"SELECT key, number, undoes, value, expires_at, actor, channel, ts, {IS_FIRST} AS is_first"
    f" FROM memory_versions v WHERE {OF_IDS} AND key = ANY(%(keys)s) ORDER BY number"
)
_UNQUOTE: LiteralString = (
    "UPDATE memory_versions SET value = without_quotes(value, %(channels)s, %(times)s)"
    f" WHERE {OF_IDS} AND key <> ALL(%(stay)s) AND {FROM_MESSAGES}"
)


async def sources_among(
    connection: AsyncConnection[DictRow], person: Person, messages: Collection[MessageKey]
) -> list[MessageKey]:
    """Return those of `messages` that a memory, a version with a quote or a question comes from.

    Within the caller's `person_transaction`.
    """
    found = await connection.execute(_AMONG, {**person_range(person), **message_columns(messages)})
    return [(row["channel"], row["ts"]) for row in await found.fetchall()]


async def source_changed(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    channel: str,
    ts: str,
    words: PersonMessage | None,
    *,
    batch: UUID | None = None,
    in_commit: AfterWrite | None = None,
) -> list[Change]:
    """Take what a message no longer says from the person's memories; None: it was deleted.

    Evidence that `words`, the new version, still contains verbatim stays; the caller queues the new
    text for formation. A memory without another source is removed. For one with other sources, the
    changes that came from the message are taken back and those of other sources stay. What
    supersedes a changed memory is built again from it. What colleagues saw moves to the direct
    messages, because no verdict saw the sentences that are left. Versions keep the content without
    quotes of the earlier text, and open questions that quote the message are deleted. `in_commit`
    is awaited with the changes, in the transaction.
    """
    said = None if words is None else [TypedMessage(words)]
    values = {
        **person_range(person),
        **message_columns([(channel, ts)]),
        "message": Jsonb([{"channel": channel, "ts": ts}]),
    }

    def gone(source: Source) -> bool:
        if (source.get("channel"), source.get("ts")) != (channel, ts):
            return False
        quote = str(source.get("evidence") or "")  # none: other memories of it were forgotten
        return said is None or bool(quote and find_evidence(quote, said) is None)

    async with writing(pool, embedder, person) as connection:
        await connection.execute(DELETE_QUOTING, values)
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND {UNEXPIRED}"
            " AND (value->'sources' @> %(message)s OR value ? 'supersedes')"
            " ORDER BY created_at, key",
            values,
        )
        rows, stay = dict[str, Memory](), list[str]()
        for row in read_own(await found.fetchall(), person):  # a copy is younger than its original
            if any(map(gone, row.sources)) or not rows.keys().isdisjoint(row.supersedes):
                rows[row.key] = row
            elif (channel, ts) in row.source_messages:
                stay.append(row.key)
        superseded = [key for row in rows.values() for key in row.supersedes]
        keys = [*rows, *superseded]
        versions: dict[str, list[DictRow]] = {key: [] for key in keys}
        found = await connection.execute(_VERSIONS, {**values, "keys": keys})
        for record in await found.fetchall():
            versions[record["key"]].append(record)
        await connection.execute(_UNQUOTE, {**values, "stay": stay})
        now, steps = await reread(connection, person, keys=superseded), list[Step]()
        for row in rows.values():
            step = _step(row, gone, versions, now, (channel, ts))
            if (step.after, step.expires_at) == (row.value, row.expires_at):
                continue
            steps.append(step)
            now.pop(row.key, None)
            if step.after is not None:
                now[row.key] = replace(row, value=step.after, expires_at=step.expires_at)
        changes = await write(connection, person, steps, batch=batch)
        if in_commit is not None:
            await in_commit(connection, changes)
    return changes


def _step(
    row: Memory,
    gone: Callable[[Source], bool],
    versions: Mapping[str, Sequence[DictRow]],
    now: Mapping[str, Memory],
    message: MessageKey,
) -> Step:
    left = [source for source in row.sources if not gone(source)]
    lost = len(left) < len(row.sources)
    content, end = _supported(row, left, versions, now, message)
    ended = end is not None and end <= datetime.now(UTC)
    after = {**row.value, "content": content, "sources": left}
    if ended or (lost and not left):
        return Step.on(row, "removed", "source", None, message=message)
    step = Step.on(row, "updated", "source", after, expires_at=end, message=message)
    if lost and row.namespace.audience == COLLEAGUES:
        return replace(step, namespace=row.namespace.person.namespace(DM))
    return step


def _supported(
    row: Memory,
    left: Sequence[Source],
    versions: Mapping[str, Sequence[DictRow]],
    now: Mapping[str, Memory],
    message: MessageKey,
) -> tuple[dict[str, Any], datetime | None]:
    """Return content and expiry, built again without the versions whose source is gone.

    A memory that supersedes one of a wider audience, in `now`, begins with what that one says now;
    the version from which it was copied tells what it says itself.
    """
    about = SUBJECT_FIELDS.get(row.kind)
    led: list[DictRow] = []  # the versions that led to the row, without undone ones
    before: dict[int, list[DictRow]] = {}  # those that led to the state before each version
    for version in versions[row.key]:
        before[version["number"]] = led
        undone = version["undoes"]
        led = [*led, version] if undone is None else before.get(undone, [])
    if about is None or not led or not led[0]["is_first"]:
        return row.content, row.expires_at  # the first versions are not kept
    messages = {(source.get("channel"), source.get("ts")) for source in left}
    taken = {message, *(_message(one) for one in versions[row.key] if one["actor"] == "source")}
    content, end = dict[str, Any](), None
    old, known = content, end
    for key in row.supersedes[:1]:
        if (wider := now.get(key)) is not None:
            content, end = wider.content, wider.expires_at
        old, known = dict(content), end
        for version in versions[key]:
            if version["number"] < led[0]["number"] and version["value"] is not None:
                old, known = version["value"].get("content") or {}, version["expires_at"]
    for version in led:
        new, until = (version["value"] or {}).get("content") or {}, version["expires_at"]
        if _message(version) in messages or _message(version) not in taken:
            changed = {name: value for name, value in new.items() if value != old.get(name)}
            confirmed = not changed and None not in _message(version)
            content |= new if confirmed else changed  # a confirmation states the whole content
            if confirmed or about in changed or until != known:
                end = until  # otherwise a detail was added, which keeps the expiry
        old, known = new, until
    content.setdefault(about, row.content.get(about))
    return {name: content.get(name) for name in row.content}, end


def _message(version: DictRow) -> tuple[str | None, str | None]:
    return version["channel"], version["ts"]
