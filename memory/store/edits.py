"""Direct changes by the person: add, edit, or move a memory to another audience."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ValidationError

from memory.credentials.detection import holds_secret
from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangedSince, ChangeGone, InvalidContent, MemoryFull
from memory.model.namespace import Namespace, Person
from memory.model.schemas import LEVEL_FIELDS, SCHEMAS, level, same_thing
from memory.model.text import MAX_TEXT, clean_content, texts
from memory.postgres.database import Pool
from memory.store import rows
from memory.store.ledger import content_at
from memory.store.memories import Memory, stored_memory
from memory.store.rows import with_source
from memory.store.unit_of_work import (
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
        elif any(map(holds_secret, texts(value))):
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


async def add_memory(
    pool: Pool,
    embedder: Embedder,
    namespace: Namespace,
    kind: str,
    content: Mapping[str, Any],
    source: Mapping[str, Any],
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
) -> Change:
    """Store a memory that the person wrote, as `add_memories` does."""
    given = [(content, source)]
    [change] = await add_memories(pool, embedder, namespace, kind, given, schemas=schemas)
    return change


async def add_memories(
    pool: Pool,
    embedder: Embedder,
    namespace: Namespace,
    kind: str,
    given: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
    in_commit: AfterWrite | None = None,
) -> list[Change]:
    """Store memories that the person wrote, in one transaction; return a change for each.

    `given` are contents with their sources; a memory about the same subject is updated. A source is
    an entry of `sources` (docs/explanation/memories.md), of kind ``command``, ``modal`` or
    ``tool``. `in_commit` is awaited last in the writing transaction, under the lock against
    forgetting; an exception from it rolls everything back. Raises `InvalidContent`, `MemoryFull`
    and `EmbeddingsUnavailable`.
    """
    contents = [validated(kind, content, schemas) for content, _ in given]

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        known = await rows.reread(connection, namespace, [kind])
        steps = []
        for whole, (content, source) in zip(contents, given, strict=True):
            same = next((one for one in known if same_thing(kind, one.content, whole)), None)
            if same is not None:
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
                )
            )
        new = sum(step.before is None for step in steps)
        if new and new > await rows.room(connection, namespace.person):
            raise MemoryFull("The person has as many memories as are kept.")
        return steps

    return await commit_steps(
        pool, embedder, namespace.person, [namespace], decide, in_commit=in_commit
    )


async def edit_memory(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    reference: str,
    content: Mapping[str, Any],
    source: Mapping[str, Any],
    *,
    seen: datetime | None = None,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
) -> Change:
    """Replace the content of a memory with what the person wrote.

    `seen` is its `updated_at` when it was shown to the person: if it has changed since, only the
    fields that the person changed are written. Raises `ChangeGone` (deleted), `ChangedSince` (the
    ledger no longer has the version that was shown), `InvalidContent` and `EmbeddingsUnavailable`.
    """
    named = await _named(pool, person, reference)
    namespace, key = named.namespace, named.key

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        current = await _existing_row(connection, namespace, key)
        whole = validated(current.kind, content, schemas)
        if seen is not None and seen != current.updated_at:
            base = await content_at(connection, person, key, seen)
            own = {name for name, value in whole.items() if value != base.get(name)}
            whole = _over(current.content, whole, own)
        return [_edited(current, whole, source)]

    return await _one(pool, embedder, person, [namespace], decide)


async def move_memory(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    reference: str,
    audience: str,
    *,
    actor: Actor = "command",
) -> Change:
    """Move a memory to another audience, wider or narrower.

    Its key, value, dates and vector stay. A reference from before another move is followed. Raises
    `ChangeGone` (deleted), `ChangedSince` (it has that audience already, or another memory about
    the same subject has it, which it does not supersede) and `InvalidNamespace`.
    """
    named = await _named(pool, person, reference)
    origin, key = named.namespace, named.key
    target = person.namespace(audience)

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        current = await _existing_row(connection, origin, key)
        vectors = await rows.vectors_of(connection, [current.row_key])
        if target == origin or await rows.fetch(connection, target, key):
            raise ChangedSince("The memory has this audience already.")
        known = await rows.reread(connection, target, [current.kind])
        if any(
            same_thing(current.kind, one.content, current.content)
            for one in known
            if one.row_key not in current.superseded_rows
        ):
            raise ChangedSince("A memory about the same subject has this audience already.")
        return [
            Step(
                action="moved",
                actor=actor,
                namespace=target,
                key=key,
                before=current,
                after=current.value,
                moved_from=origin,
                dates=(current.created_at, current.updated_at),
                vector=vectors.get(current.row_key),
            )
        ]

    return await _one(pool, embedder, person, [origin, target], decide)


async def _named(pool: Pool, person: Person, reference: str) -> Memory:
    if found := await stored_memory(pool, person, reference):
        return found
    raise ChangeGone("There is no such memory.")


async def _existing_row(
    connection: AsyncConnection[DictRow], namespace: Namespace, key: str
) -> Memory:
    current = await rows.fetch(connection, namespace, key)
    if current is None:
        raise ChangeGone("The memory was forgotten.")
    return current


def _edited(current: Memory, content: dict[str, Any], source: Mapping[str, Any]) -> Step:
    value = {
        **rows.without_end_of_another(current, content),
        "content": content,
        "sources": with_source(current.value.get("sources") or [], dict(source)),
        "confirmed_at": _now(),
    }
    action: Action = "confirmed" if content == current.content else "updated"
    return Step.on(current, action, actor_of(str(source.get("kind")), "command"), value)


async def _one(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    namespaces: Sequence[Namespace],
    decide: Decide,
) -> Change:
    done = await commit_steps(pool, embedder, person, namespaces, decide)
    if not done:
        raise ChangeGone("The memory was forgotten in the meantime.")
    return done[0]


def _now() -> str:
    return datetime.now(UTC).isoformat()
