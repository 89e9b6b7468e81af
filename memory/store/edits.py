"""Direct changes by the person: add, edit, or move a memory to another audience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ValidationError

from memory.credentials.redaction import find_credentials
from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangedSince, ChangeGone, InvalidContent, MemoryFull
from memory.model.namespace import Namespace, Person
from memory.model.schemas import LEVEL_FIELDS, SCHEMAS, level, same_thing, subject
from memory.model.text import MAX_TEXT, clean_content, texts
from memory.postgres.database import Pool
from memory.store.memories import Memory, current, message_of, reread, room
from memory.store.versions import Action, Actor, AfterWrite, Change, Step, actor_of, write, writing

# The codes of `InvalidContent` by Pydantic's error type; those of int and float are ``number``.
_CODES = {
    "missing": "missing",
    "string_too_short": "missing",
    "string_type": "text",
    "string_too_long": "long",
    "greater_than_equal": "range",
    "less_than_equal": "range",
    "extra_forbidden": "unknown",
}


MAX_SOURCES = 20
"""Sources that a memory keeps: the first and the newest; each version and export repeats them."""


def validated(
    kind: str, content: Mapping[str, Any], schemas: Sequence[type[BaseModel]] = SCHEMAS
) -> dict[str, Any]:
    """Return `content` validated by its schema; empty texts count as missing.

    Raises `InvalidContent`.
    """
    schema = next((one for one in schemas if one.__name__ == kind), None)
    if schema is None:
        raise InvalidContent({"kind": "unknown"})
    given, whole, codes = _given(content), dict[str, Any](), dict[str, str]()
    try:
        whole = schema.model_validate(given, extra="forbid").model_dump(mode="json")
    except ValidationError as problem:
        for error in reversed(problem.errors(include_url=False, include_input=False)):
            name = str(error["loc"][0]) if error["loc"] else "kind"
            other = "number" if error["type"].startswith(("int_", "float_")) else "invalid"
            codes[name] = _CODES.get(error["type"], other)
    for name, value in given.items():
        if any(len(text) > MAX_TEXT for text in texts(value)):
            codes[name] = "long"
        elif any(map(find_credentials, texts(value))):
            codes[name] = "secret"
    if not codes and level(kind, whole) == 0:
        codes[LEVEL_FIELDS[kind]] = "ended"
    if codes:
        raise InvalidContent(codes)
    return whole


def _given(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value; empty texts count as missing."""
    return {k: v for k, v in clean_content(content, None).items() if v not in ("", None)}


def with_source(
    sources: Sequence[Mapping[str, Any]], new: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return `sources` with `new`, which replaces an earlier source of the same message.

    Of more than `MAX_SOURCES` the first and the newest are left.
    """
    known = [dict(one) for one in sources]
    message = (new.get("channel"), new.get("ts"))
    if None not in message and new in known:
        return known
    others = [one for one in known if (one.get("channel"), one.get("ts")) != message]
    kept = [*(known if None in message else others), dict(new)]
    return [*kept[:1], *kept[1:][1 - MAX_SOURCES :]]


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
    """Store memories that the person wrote, in one transaction; return a change of each.

    `given` are contents with their sources; a memory about the same subject is updated. A source is
    an entry of `sources` (docs/explanation/memories.md), of kind ``command``, ``modal`` or
    ``tool``. `in_commit` is awaited last in the writing transaction, under the person's lock; an
    exception from it rolls everything back. Raises `InvalidContent` and `MemoryFull`.
    """
    contents = [validated(kind, content, schemas) for content, _ in given]
    person, steps = namespace.person, dict[str, Step]()
    async with writing(pool, embedder, person) as connection:
        known = current([*(await reread(connection, person, of=namespace, kinds=[kind])).values()])
        for whole, (content, source) in zip(contents, given, strict=True):
            alike = (one for one in known if same_thing(kind, one.content, whole))
            if (same := next(alike, None)) is not None:
                said = {**whole, **same.content, **{k: whole[k] for k in _given(content)}}
                steps[same.key] = _edited(same, {k: said[k] for k in whole}, source)
                continue
            key, sources = str(uuid4()), [dict(source)]
            value = {"kind": kind, "content": whole, "sources": sources, "confirmed_at": _now()}
            steps[key] = Step(
                action="remembered",
                actor=actor_of(str(source.get("kind")), "command"),
                namespace=namespace,
                key=key,
                before=None,
                after=value,
                message=message_of(source),
            )
        new = sum(step.before is None for step in steps.values())
        if new and new > await room(connection, person):
            raise MemoryFull("The person has as many memories as are kept.")
        changes = await write(connection, person, [*steps.values()], batch=batch)
        if in_commit is not None:
            await in_commit(connection, changes)
    return changes


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
) -> Change:
    """Replace the content of a memory with what the person wrote.

    `seen` is its `updated_at` when it was shown to the person. A source of no message with an empty
    ``evidence`` is not added: the person wrote nothing. Raises `ChangeGone` (deleted),
    `ChangedSince` (it has changed since it was shown) and `InvalidContent`.
    """
    async with writing(pool, embedder, person) as connection:
        current = await _existing(connection, person, key)
        whole = validated(current.kind, content, schemas)
        if seen not in (None, current.updated_at):
            raise ChangedSince("The memory has changed since it was shown.")
        [change] = await write(connection, person, [_edited(current, whole, source)])
    return change


async def move_memory(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    key: str,
    audience: str,
    *,
    actor: Actor = "command",
) -> Change:
    """Move a memory to another audience, wider or narrower; its key, value and dates stay.

    Raises `ChangeGone` (deleted), `ChangedSince` (it has that audience already, or another memory
    about the same subject has it, which it does not supersede) and `InvalidNamespace`.
    """
    target = person.namespace(audience)
    async with writing(pool, embedder, person) as connection:
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
        moved = replace(step, namespace=target, dates=(row.created_at, row.updated_at))
        [change] = await write(connection, person, [moved])
    return change


async def _existing(connection: AsyncConnection[DictRow], person: Person, key: str) -> Memory:
    found = await reread(connection, person, keys=[key])
    if key not in found:
        raise ChangeGone("There is no such memory.")
    return found[key]


def _edited(current: Memory, content: dict[str, Any], source: Mapping[str, Any]) -> Step:
    said = source.get("evidence") != "" or message_of(source) is not None
    value = {
        **current.value,
        "content": content,
        "sources": with_source(current.sources, source) if said else [*current.sources],
        "confirmed_at": _now(),
    }
    action: Action = "confirmed" if content == current.content else "updated"
    actor, end = actor_of(str(source.get("kind")), "command"), kept_end(current, content)
    return Step.on(current, action, actor, value, expires_at=end, message=message_of(source))


def _now() -> str:
    return datetime.now(UTC).isoformat()
