"""Direct changes by the person: add, edit or move a memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from pydantic import ValidationError

from memory.credentials.redaction import find_credentials
from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangedSince, ChangeGone, InvalidContent
from memory.model.namespace import Namespace, Person, memory_view
from memory.model.person_message import PersonMessage
from memory.model.schemas import (
    LEVEL_FIELDS,
    Content,
    changed_fields,
    lenient,
    level,
    named_fields,
    schema_of,
    subject_fields,
)
from memory.model.statement import Act, Statement
from memory.model.text import MAX_TEXT, Json, clean_content, texts
from memory.postgres.database import PersonTransaction, Pool
from memory.store.changes import Change, add_changes
from memory.store.memories import Memory, read_memories
from memory.store.projection import check_capacity
from memory.store.statements import InCommit, do_nothing, writing
from memory.store.subjects import read_known

# The codes of `InvalidContent` by the type of Pydantic's error.
_CODES = {
    "missing": "missing",
    "string_too_short": "missing",
    "string_too_long": "long",
    "greater_than_equal": "range",
    "less_than_equal": "range",
    "int_parsing": "number",
    "int_parsing_size": "number",
    "float_parsing": "number",
    "finite_number": "number",
}


def validated(kind: str, content: Content) -> Json:
    """Return `content` validated by its schema; empty texts count as missing.

    Raises `InvalidContent`.
    """
    schema = schema_of(kind)
    if schema is None:
        raise InvalidContent({"kind": "invalid"})
    given = _given(content)
    whole: Json = {}
    codes = dict.fromkeys(given.keys() - schema.model_fields.keys(), "invalid")
    try:
        whole = lenient(schema, given).model_dump(mode="json")
    except ValidationError as problem:
        # Of several errors of a field the first one counts.
        for error in reversed(problem.errors(include_url=False, include_input=False)):
            name = str(error["loc"][0]) if error["loc"] else "kind"
            codes[name] = _CODES.get(error["type"], "invalid")
    for name, value in given.items():
        written = texts(value)
        if any(len(text) > MAX_TEXT for text in written):
            codes[name] = "long"
        elif any(map(find_credentials, written)):
            codes[name] = "secret"
    if not codes and level(kind, whole) == 0:
        codes[LEVEL_FIELDS[kind]] = "invalid"
    if codes:
        raise InvalidContent(codes)
    return whole


def _given(content: Content) -> Json:
    """Return the fields that have a value; empty texts count as missing."""
    cleaned = clean_content(content)
    return {name: value for name, value in cleaned.items() if value not in ("", None)}


async def add_memories(
    pool: Pool,
    embedder: Embedder,
    namespace: Namespace,
    kind: str,
    given: Sequence[tuple[Content, PersonMessage]],
    *,
    batch: UUID | None = None,
    epoch: int | None = None,
    in_commit: InCommit[Sequence[Change]] = do_nothing,
) -> list[Change]:
    """Store what the person wrote, in one transaction; return one change for each memory.

    What is said of each are the fields that have a value, and those that identify the memory. If
    there is a memory about the same thing already, the statement is added to it. If no
    words are given, they are the texts of the content: nothing else was typed. `in_commit` is
    awaited last in the writing transaction, under the person's lock; an exception from it rolls
    everything back. Raises `InvalidContent`, `MemoryFull`, and `Overtaken` if the person is not in
    `epoch` any more.
    """
    batch = batch or uuid4()
    written: list[Statement] = []
    for content, words in given:
        whole = validated(kind, content)
        said = _said(kind, whole, set(_given(content)))
        if not (words.text or words.ts):
            typed = "\n".join(texts(whole))
            words = replace(words, text=typed[:MAX_TEXT])
        key = str(uuid4())
        statement = statement_of(
            key, kind, namespace.audience, said, words, batch=batch
        )
        written.append(statement)
    person = namespace.person
    async with writing(pool, embedder, person, epoch) as transaction:
        subjects = [one.about for one in written]
        known = await read_known(transaction, subjects)
        keys = known.first_keys
        statements = []
        for one in written:
            key = keys.setdefault(one.about, one.key)
            statements.append(replace(one, key=key))
        new = {one.key for one in statements} - known.memories.keys()
        await check_capacity(transaction, len(new))
        changes = await add_changes(transaction, statements, known)
        await in_commit(transaction, changes)
    return changes


async def edit_memory(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    key: str,
    content: Content,
    words: PersonMessage,
    *,
    seen: datetime | None = None,
) -> list[Change]:
    """Give a memory the content that the person wrote in a form; return the changes.

    If the form names the subject of another memory, there are two changes: this memory is taken
    back, and what it says is added to the other one, whose change comes last.

    What changes is said to the audience that may read the memory: the form shows it. A memory that
    ends still ends then. `seen` is the memory's `updated_at` when it was shown to the person.
    Raises `ChangeGone` (there is no such memory), `ChangedSince` (it has changed since it was
    shown) and `InvalidContent`.
    """
    async with writing(pool, embedder, person) as transaction:
        memory = await _existing_memory(transaction, key, seen)
        whole = validated(memory.kind, content)
        changed = set(changed_fields(whole, memory.content))
        edited = statement_of(
            key,
            memory.kind,
            memory.audience,
            _said(memory.kind, whole, changed),
            words,
            batch=uuid4(),
            until=memory.expires_at,
        )
        return await add_changes(transaction, [edited])


def _said(kind: str, whole: Content, names: set[str]) -> Json:
    """Return the fields `names` of a content, and those that identify the memory."""
    return named_fields(whole, names | subject_fields(kind, whole))


async def move_memory(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    key: str,
    audience: str,
) -> Change:
    """Give what a memory says another audience, wider or narrower.

    Raises `ChangeGone` (there is no such memory), `ChangedSince` (it already has that audience) and
    `InvalidNamespace`.
    """
    target = memory_view(person.namespace(audience)).own
    batch = uuid4()
    async with writing(pool, embedder, person) as transaction:
        memory = await _existing_memory(transaction, key)
        if memory.audience == target.audience:
            raise ChangedSince("The memory has this audience already.")
        moved = statement_of(
            key,
            memory.kind,
            target.audience,
            memory.content,
            PersonMessage(actor="command"),
            batch=batch,
            act="move",
        )
        [change] = await add_changes(transaction, [moved])
    return change


async def _existing_memory(
    transaction: PersonTransaction, key: str, seen: datetime | None = None
) -> Memory:
    """Return a memory. Raises `ChangeGone` without one, `ChangedSince` if it was `seen` otherwise.

    `seen` is its `updated_at` when it was shown to the person.
    """
    found = await read_memories(transaction, [key])
    if key not in found:
        raise ChangeGone("There is no such memory.")
    if seen not in (None, found[key].updated_at):
        raise ChangedSince("The memory has changed since it was shown.")
    return found[key]


def statement_of(
    key: str,
    kind: str,
    audience: str,
    content: Content | None,
    words: PersonMessage,
    *,
    batch: UUID,
    act: Act = "say",
    until: datetime | None = None,
) -> Statement:
    """Return a new statement by the person, whose `words` are its evidence."""
    channel, ts = words.key or (None, None)
    return Statement(
        id=uuid4(),
        key=key,
        audience=audience,
        kind=kind,
        act=act,
        actor=words.actor,
        content=content,
        evidence=words.text,
        channel=channel,
        ts=ts,
        said_at=words.said_at,
        zone=str(words.zone),
        until=until,
        batch=batch,
    )
