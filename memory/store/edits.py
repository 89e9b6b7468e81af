"""Direct changes by the person: add, edit, or move a memory to another audience."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ValidationError

from memory.credentials.detection import find_credentials
from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangedSince, ChangeGone, InvalidContent, MemoryFull
from memory.model.namespace import Namespace, Person
from memory.model.schemas import LEVEL_FIELDS, SCHEMAS, level, same_thing, subject
from memory.model.text import MAX_TEXT, clean_content, texts
from memory.postgres.database import Pool
from memory.store.memories import OF_IDS, Memory, MessageKey, reread, room
from memory.store.versions import (
    Action,
    Actor,
    AfterWrite,
    Change,
    Decide,
    Step,
    actor_of,
    commit_steps,
)

# The codes of `InvalidContent` by Pydantic's error type.
_CODES = {
    "missing": "missing",
    "string_type": "text",
    "int_type": "number",
    "int_parsing": "number",
    "int_from_float": "number",
    "float_type": "number",
    "float_parsing": "number",
    "greater_than_equal": "range",
    "less_than_equal": "range",
    "string_too_short": "missing",
    "string_too_long": "long",
    "extra_forbidden": "unknown",
}


def validated(
    kind: str, content: Mapping[str, Any], schemas: Sequence[type[BaseModel]] = SCHEMAS
) -> dict[str, Any]:
    """Return `content` validated by its schema; empty texts count as missing.

    Raises `InvalidContent`.
    """
    schema = next((one for one in schemas if one.__name__ == kind), None)
    if schema is None:
        raise InvalidContent({"kind": "unknown"})
    given = _given(content)
    refused = _refused_by_field(given, schema)
    try:
        whole = schema.model_validate(given).model_dump(mode="json")
    except ValidationError as problem:
        raise InvalidContent({**_codes_by_field(problem), **refused}) from None
    if refused:
        raise InvalidContent(refused)
    if level(kind, whole) == 0:
        raise InvalidContent({LEVEL_FIELDS[kind]: "ended"})
    return whole


def _given(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value; empty texts count as missing."""
    return {k: v for k, v in clean_content(content, None).items() if v not in ("", None)}


def _over(
    stored: Mapping[str, Any], whole: Mapping[str, Any], names: Container[str]
) -> dict[str, Any]:
    """Return `whole`; of its fields those that are not in `names` are as stored, if they are."""
    return {
        name: value if name in names else stored.get(name, value) for name, value in whole.items()
    }


def _refused_by_field(given: Mapping[str, Any], schema: type[BaseModel]) -> dict[str, str]:
    """Return the codes of fields that no schema allows, and of those that `schema` lacks."""
    refused: dict[str, str] = {}
    for name, value in given.items():
        if any(len(text) > MAX_TEXT for text in texts(value)):
            refused[name] = "long"
        elif any(map(find_credentials, texts(value))):
            refused[name] = "secret"
        elif name not in schema.model_fields:
            refused[name] = "unknown"
    return refused


def _codes_by_field(problem: ValidationError) -> dict[str, str]:
    """Return the code of the first error of each field."""
    codes: dict[str, str] = {}
    for error in problem.errors(include_url=False, include_input=False):
        name = str(error["loc"][0]) if error["loc"] else "kind"
        codes.setdefault(name, _CODES.get(error["type"], "invalid"))
    return codes


def with_source(
    sources: Sequence[Mapping[str, Any]], new: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return `sources` with `new`, which replaces an earlier source of the same message."""
    known = [dict(one) for one in sources]
    message = (new.get("channel"), new.get("ts"))
    if None in message:
        return [*known, dict(new)]
    others = [one for one in known if (one.get("channel"), one.get("ts")) != message]
    return known if new in known else [*others, dict(new)]


def kept_end(row: Memory, content: Mapping[str, Any]) -> datetime | None:
    """Return the expiry of `row`, if `content` has the same subject."""
    same = subject(row.kind, content) == subject(row.kind, row.content)
    return row.expires_at if same else None


async def add_memories(
    pool: Pool,
    embedder: Embedder,
    namespace: Namespace,
    kind: str,
    given: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
    batch: UUID | None = None,
    in_commit: AfterWrite | None = None,
) -> list[Change]:
    """Store memories that the person wrote, in one transaction; return a change for each.

    `given` are contents with their sources; a memory about the same subject is updated. A source is
    an entry of `sources` (docs/explanation/memories.md), of kind ``command``, ``modal`` or
    ``tool``. `in_commit` is awaited last in the writing transaction, under the person's lock; an
    exception from it rolls everything back. Raises `InvalidContent`, `MemoryFull` and
    `EmbeddingsUnavailable`.
    """
    contents = [validated(kind, content, schemas) for content, _ in given]

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        known = await reread(connection, namespace.person, of=namespace, kinds=[kind])
        steps = []
        for whole, (content, source) in zip(contents, given, strict=True):
            alike = (one for one in known.values() if same_thing(kind, one.content, whole))
            if (same := next(alike, None)) is not None:
                steps.append(_edited(same, _over(same.content, whole, _given(content)), source))
                continue
            steps.append(
                Step(
                    action="remembered",
                    actor=actor_of(str(source.get("kind")), "command"),
                    namespace=namespace,
                    key=str(uuid4()),
                    before=None,
                    after={
                        "kind": kind,
                        "content": whole,
                        "sources": [dict(source)],
                        "confirmed_at": _now(),
                    },
                    message=_message(source),
                )
            )
        new = sum(step.before is None for step in steps)
        if new and new > await room(connection, namespace.person):
            raise MemoryFull("The person has as many memories as are kept.")
        return steps

    person = namespace.person
    return await commit_steps(pool, embedder, person, decide, batch=batch, in_commit=in_commit)


async def edit_memory(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    key: str,
    content: Mapping[str, Any],
    source: Mapping[str, Any],
    *,
    seen: datetime | None = None,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
    batch: UUID | None = None,
) -> Change:
    """Replace the content of a memory with what the person wrote.

    `seen` is its `updated_at` when it was shown to the person: if it has changed since, only the
    fields that the person changed are written. Raises `ChangeGone` (deleted), `ChangedSince` (the
    version that was shown is not kept), `InvalidContent` and `EmbeddingsUnavailable`.
    """

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        current = await _existing(connection, person, key)
        whole = validated(current.kind, content, schemas)
        if seen is not None and seen != current.updated_at:
            base = await _content_at(connection, person, key, seen)
            own = {name for name, value in whole.items() if value != base.get(name)}
            whole = _over(current.content, whole, own)
        return [_edited(current, whole, source)]

    return await _one(pool, embedder, person, decide, batch)


async def move_memory(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    key: str,
    audience: str,
    *,
    actor: Actor = "command",
    batch: UUID | None = None,
) -> Change:
    """Move a memory to another audience, wider or narrower; its key, value and dates stay.

    Raises `ChangeGone` (deleted), `ChangedSince` (it has that audience already, or another memory
    about the same subject has it, which it does not supersede), `InvalidNamespace` and
    `EmbeddingsUnavailable`.
    """
    target = person.namespace(audience)

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        row = await _existing(connection, person, key)
        if row.namespace == target:
            raise ChangedSince("The memory has this audience already.")
        known = await reread(connection, person, of=target, kinds=[row.kind])
        if any(
            same_thing(row.kind, one.content, row.content)
            for one in known.values()
            if one.key not in row.supersedes
        ):
            raise ChangedSince("A memory about the same subject has this audience already.")
        step = Step.on(row, "moved", actor, row.value, expires_at=row.expires_at)
        return [replace(step, namespace=target, dates=(row.created_at, row.updated_at))]

    return await _one(pool, embedder, person, decide, batch)


async def _existing(connection: AsyncConnection[DictRow], person: Person, key: str) -> Memory:
    found = await reread(connection, person, keys=[key])
    if key not in found:
        raise ChangeGone("There is no such memory.")
    return found[key]


async def _content_at(
    connection: AsyncConnection[DictRow], person: Person, key: str, updated_at: datetime
) -> dict[str, Any]:
    """Return the content that a memory had with this `updated_at`; raises `ChangedSince`."""
    found = await connection.execute(
        f"SELECT value->'content' AS content FROM memory_versions WHERE {OF_IDS}"
        " AND key = %(key)s AND updated_at = %(at)s ORDER BY number DESC LIMIT 1",
        {**person.ids, "key": key, "at": updated_at},
    )
    record = await found.fetchone()
    if record is None:
        raise ChangedSince("The memory has changed since it was shown.")
    return dict(record["content"])


def _edited(current: Memory, content: dict[str, Any], source: Mapping[str, Any]) -> Step:
    value = {
        **current.value,
        "content": content,
        "sources": with_source(current.sources, dict(source)),
        "confirmed_at": _now(),
    }
    action: Action = "confirmed" if content == current.content else "updated"
    actor, end = actor_of(str(source.get("kind")), "command"), kept_end(current, content)
    return Step.on(current, action, actor, value, expires_at=end, message=_message(source))


def _message(source: Mapping[str, Any]) -> MessageKey | None:
    channel, ts = source.get("channel"), source.get("ts")
    return (str(channel), str(ts)) if channel and ts else None


async def _one(
    pool: Pool, embedder: Embedder, person: Person, decide: Decide, batch: UUID | None
) -> Change:
    [change] = await commit_steps(pool, embedder, person, decide, batch=batch)
    return change


def _now() -> str:
    return datetime.now(UTC).isoformat()
