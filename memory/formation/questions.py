"""Questions: proposals of formation that the person decides on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import reduce
from typing import Any, Literal, LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangedSince, ChangeGone, MemoryFull
from memory.model.namespace import Person
from memory.model.schemas import same_thing
from memory.postgres.database import Pool, person_statement
from memory.store.edits import kept_end, with_source
from memory.store.memories import (
    OF_IDS,
    Keyed,
    Memory,
    MessageKey,
    message_of,
    person_range,
    reread,
    room,
)
from memory.store.versions import Change, Step, write, writing

OPEN_DAYS = 14
Asks: TypeAlias = Literal["replace", "remove", "widen", "store"]

_COLUMNS: LiteralString = (
    "id, kind AS asks, audience, key, narrow_key, before, after, ends_at, batch, at, messages"
)
_OPEN: LiteralString = f"{OF_IDS} AND expires_at > now()"
_TAKE: LiteralString = (
    f"DELETE FROM memory_questions WHERE {_OPEN} AND id = %(id)s RETURNING {_COLUMNS}"
)
# One question of a kind about a memory is open at a time; the same one again stays as it is.
_ASK: LiteralString = (
    f"WITH same AS (SELECT {_COLUMNS} FROM memory_questions WHERE {_OPEN} AND kind = %(asks)s"
    " AND audience = %(audience)s AND (key = %(key)s OR kind = 'store')"
    " AND (before->'content', after->'content') IS NOT DISTINCT FROM"
    " (%(before)s::jsonb->'content', %(after)s::jsonb->'content') LIMIT 1),"
    f" gone AS (DELETE FROM memory_questions WHERE {OF_IDS} AND kind = %(asks)s"
    " AND audience = %(audience)s AND key = %(key)s AND id NOT IN (SELECT id FROM same)),"
    " new AS (INSERT INTO memory_questions (id, team_id, user_id, kind, audience, key, narrow_key,"
    " before, after, ends_at, batch, messages, expires_at) SELECT %(id)s, %(team)s, %(user)s,"
    " %(asks)s, %(audience)s, %(key)s, %(narrow_key)s, %(before)s, %(after)s, %(ends_at)s,"
    " %(batch)s, jsonb_build_array(jsonb_build_object('channel', %(channel)s::text, 'ts',"
    f" %(ts)s::text)), %(at)s + make_interval(days => {OPEN_DAYS})"
    " WHERE NOT EXISTS (SELECT FROM same)"
    f" RETURNING {_COLUMNS}) SELECT * FROM same UNION ALL SELECT * FROM new"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Keyed):
    """A question to the person about the memory at `namespace` and `key`, open for `OPEN_DAYS`.

    ``replace``: replace `before` with `after`? ``remove``: remove it? ``widen``: apply a change
    made in a narrower audience, of the memory `narrow_key`, to this memory too? ``store``: remember
    `after` (`before` has empty content)? `before` and `after` are whole stored values. `message`
    is the one that it was asked because of, `batch` is that of its notice.
    """

    id: UUID
    asks: Asks
    before: dict[str, Any]
    after: dict[str, Any] | None
    at: datetime
    batch: UUID
    ends_at: datetime | None = None
    narrow_key: str | None = None
    message: MessageKey | None = None


async def ask(
    connection: AsyncConnection[DictRow], person: Person, questions: Iterable[Question]
) -> list[Question]:
    """Store questions and return them; a question that is already open is returned unchanged."""
    made: list[Question] = []
    for one in questions:
        channel, ts = one.message or (None, None)
        json = {"before": Jsonb(one.before), "after": Jsonb(one.after) if one.after else None}
        place = {"audience": one.namespace.audience, "channel": channel, "ts": ts}
        values = {**asdict(one), **person.ids, **place, **json}
        found = await connection.execute(_ASK, values)
        made += [_question(person, record) for record in await found.fetchall()]
    return made


def _question(person: Person, record: DictRow) -> Question:
    others = {name: one for name, one in record.items() if name not in ("audience", "messages")}
    message = next(map(message_of, record["messages"]), None)
    return Question(namespace=person.namespace(record["audience"]), message=message, **others)


async def open_questions(
    pool: Pool, person: Person, *, batch: UUID | None = None
) -> list[Question]:
    """Return the open questions, oldest first, without those whose memory has changed since."""
    found = await person_statement(
        pool,
        person,
        f"SELECT {_COLUMNS} FROM memory_questions q WHERE {_OPEN}"
        " AND (%(batch)s::uuid IS NULL OR batch = %(batch)s)"
        " AND (kind = 'store' OR EXISTS (SELECT FROM store WHERE store.key = q.key"
        " AND store.prefix = %(low)s || q.audience"
        " AND store.value->'content' = q.before->'content')) ORDER BY at, id",
        {**person_range(person), "batch": batch},
    )
    return [_question(person, record) for record in found]


async def answer_question(
    pool: Pool, embedder: Embedder, person: Person, question_id: UUID, answer: str
) -> list[Change]:
    """Apply the answer ``yes``, ``no`` or ``both``, delete the question; return the changes made.

    ``both`` keeps both memories for ``replace``, means ``yes`` for ``store`` and ``no`` for the
    other kinds. The changes have the question's batch. Raises `ChangeGone` (answered, forgotten or
    expired), `ChangedSince` (the memory has changed; the question is deleted), `MemoryFull`;
    ValueError for another answer.
    """
    if answer not in ("yes", "no", "both"):
        raise ValueError("A question has no such answer.")
    values = {**person.ids, "id": question_id}
    try:
        async with writing(pool, embedder, person) as connection:
            found = await (await connection.execute(_TAKE, values)).fetchall()
            if not found:
                raise ChangeGone("The question was answered already or has expired.")
            question = _question(person, found[0])
            steps = await _steps(connection, question, answer)
            return await write(connection, person, steps, batch=question.batch)
    except ChangedSince:
        await person_statement(pool, person, _TAKE, values)
        raise


async def _steps(
    connection: AsyncConnection[DictRow], question: Question, answer: str
) -> list[Step]:
    if answer == "no" or (answer == "both" and question.asks in ("remove", "widen")):
        return []
    if question.asks == "store":
        return [await _stored(connection, question)]
    keys = [key for key in (question.key, question.narrow_key) if key]
    rows = await reread(connection, question.namespace.person, keys=keys)
    current, narrow = rows.get(question.key), rows.get(question.narrow_key or "")
    if current is None or current.content != question.before["content"]:
        raise ChangedSince("The memory has changed since the question was asked.")
    if answer == "both":
        return [await _beside(connection, question, str(uuid4()))]
    if narrow is None:
        return [_instead(question, current)]
    if question.after is None or narrow.content != question.after["content"]:
        raise ChangedSince("The narrower memory has changed since the question was asked.")
    # It superseded the wider one, which now says the same.
    return [Step.on(narrow, "removed", "question", None), _instead(question, current)]


async def _beside(connection: AsyncConnection[DictRow], question: Question, key: str) -> Step:
    """Return the step that stores a new memory; raises `MemoryFull`."""
    if await room(connection, question.namespace.person) < 1:
        raise MemoryFull("The person has as many memories as are kept.")
    return Step(
        action="remembered",
        actor="question",
        namespace=question.namespace,
        key=key,
        before=None,
        after={**(question.after or {}), "sources": added_sources(question.before, question.after)},
        expires_at=question.ends_at,
        message=question.message,
    )


async def _stored(connection: AsyncConnection[DictRow], question: Question) -> Step:
    """Return the step that stores a memory; raises `ChangedSince` if its subject is known now."""
    after, own = question.after or {}, question.namespace
    kind, content = str(after["kind"]), after["content"]
    found = await reread(connection, own.person, of=own, kinds=[kind])
    if any(same_thing(kind, one.content, content) for one in found.values()):
        raise ChangedSince("A memory about the same subject was stored since.")
    return await _beside(connection, question, question.key)


def _instead(question: Question, current: Memory) -> Step:
    """Return the step that gives a memory the value of the question, or removes it."""
    after = question.after
    if after is None:
        return Step.on(current, "removed", "question", None, message=question.message)
    added = added_sources(question.before, after)
    value = {
        **current.value,
        "content": after["content"],
        "confirmed_at": after.get("confirmed_at"),
        "sources": reduce(with_source, added, [*current.sources]),
    }
    end = question.ends_at or kept_end(current, after["content"])
    return Step.on(current, "updated", "question", value, expires_at=end, message=question.message)


def added_sources(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Sequence[dict[str, Any]]:
    """Return the sources that a change of a stored value has added."""
    known = (before or {}).get("sources") or []
    return [one for one in (after or {}).get("sources") or [] if one not in known]
