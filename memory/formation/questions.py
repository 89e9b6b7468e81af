"""Questions: proposals of formation that the person decides on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import Embedder
from memory.formation.decisions import NewQuestion
from memory.model.errors import ChangedSince, ChangeGone, MemoryFull
from memory.model.namespace import Namespace, Person
from memory.model.schemas import same_thing
from memory.postgres.database import Pool, person_statement, person_transaction
from memory.store import rows
from memory.store.dependents import QUESTION_MESSAGES
from memory.store.memories import Keyed, Memory, MessageKey
from memory.store.unit_of_work import Change, Step, commit_steps

OPEN_DAYS = 14

QuestionAnswer: TypeAlias = Literal["yes", "no", "both"]
_COLUMNS: LiteralString = (
    "id, kind, audience, key, narrow_audience, narrow_key, before, after, at,"
    f" {QUESTION_MESSAGES} AS messages"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Keyed):
    """A question to the person about the memory at `namespace` and `key`, open for `OPEN_DAYS`.

    ``replace``: replace `before` with `after`? ``remove``: remove it? ``widen``: apply a change
    made in a narrower audience to this memory too (`after` None: remove it)? ``store``: remember
    `after` (`before` has empty content)? `before` and `after` are whole stored values. `messages`
    are those that it was asked because of.
    """

    id: UUID
    asks: Literal["replace", "remove", "widen", "store"]
    before: dict[str, Any]
    after: dict[str, Any] | None
    at: datetime
    messages: tuple[MessageKey, ...] = ()


async def ask(
    connection: AsyncConnection[DictRow], own: Namespace, questions: Iterable[NewQuestion]
) -> list[Question]:
    """Store questions and return them; a question that is already open is returned unchanged.

    Each replaces an open question of the same kind about the same memory.
    """
    made: list[Question] = []
    person = own.person
    for one in questions:
        audience = one.row.namespace.audience if one.row else own.audience
        key = one.row.key if one.row else str(uuid4())
        before = one.row.value if one.row else {"kind": (one.value or {})["kind"], "content": {}}
        if known := await _same_open_question(connection, person, one, audience, before):
            made.append(known)
            continue
        await connection.execute(
            "DELETE FROM memory_questions WHERE team_id = %s AND user_id = %s AND kind = %s"
            " AND audience = %s AND key = %s",
            (person.team_id, person.user_id, one.asks, audience, key),
        )
        stored = await connection.execute(
            "INSERT INTO memory_questions (id, team_id, user_id, kind, audience, key,"
            " narrow_audience, narrow_key, before, after, messages, expires_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            f" RETURNING {_COLUMNS}",
            (
                uuid4(),
                person.team_id,
                person.user_id,
                one.asks,
                audience,
                key,
                own.audience if one.narrow else None,
                one.narrow,
                Jsonb(before),
                Jsonb(one.value) if one.value else None,
                Jsonb([{"channel": channel, "ts": ts} for channel, ts in one.messages]),
                datetime.now(UTC) + timedelta(days=OPEN_DAYS),
            ),
        )
        made += [_question(person, record) for record in await stored.fetchall()]
    return made


async def _same_open_question(
    connection: AsyncConnection[DictRow],
    person: Person,
    question: NewQuestion,
    audience: str,
    before: dict[str, Any],
) -> Question | None:
    found = await connection.execute(
        f"SELECT {_COLUMNS} FROM memory_questions WHERE team_id = %s AND user_id = %s AND kind = %s"
        " AND audience = %s AND (key = %s OR kind = 'store') AND expires_at > now()"
        " AND before->'content' = %s AND after->'content' IS NOT DISTINCT FROM %s",
        (
            person.team_id,
            person.user_id,
            question.asks,
            audience,
            question.row.key if question.row else "",
            Jsonb(before["content"]),
            Jsonb(question.value["content"]) if question.value else None,
        ),
    )
    record = await found.fetchone()
    return _question(person, record) if record else None


def _question(person: Person, record: DictRow) -> Question:
    return Question(
        id=record["id"],
        asks=record["kind"],
        namespace=person.namespace(record["audience"]),
        key=record["key"],
        before=record["before"],
        after=record["after"],
        messages=tuple(
            (str(one["channel"]), str(one["ts"]))
            for one in record["messages"] or ()
            if one.get("channel") and one.get("ts")
        ),
        at=record["at"],
    )


async def open_questions(pool: Pool, person: Person) -> list[Question]:
    """Return the open questions, oldest first, without those whose memory has changed since."""
    found = await person_statement(
        pool,
        person,
        f"SELECT {_COLUMNS} FROM memory_questions q WHERE team_id = %s AND user_id = %s"
        " AND expires_at > now() AND (kind = 'store' OR EXISTS (SELECT FROM store"
        " WHERE store.prefix = %s || '.' || q.audience AND store.key = q.key"
        " AND store.value->'content' = q.before->'content')) ORDER BY at, id",
        (person.team_id, person.user_id, person.prefix),
    )
    return [_question(person, record) for record in found]


async def answer_question(
    pool: Pool, embedder: Embedder, person: Person, question_id: UUID, answer: QuestionAnswer
) -> list[Change]:
    """Apply the person's answer and delete the question; return the changes that it made.

    ``both`` keeps both memories for ``replace``, means ``yes`` for ``store`` and ``no`` for the
    other kinds. Raises `ChangeGone` (answered, forgotten or expired), `ChangedSince` (the memory
    has changed; the question is deleted), `MemoryFull` and `EmbeddingsUnavailable` (the question
    stays open).
    """
    async with person_transaction(pool, person) as connection:
        record = await _open(connection, person, question_id)
    question = _question(person, record)
    narrow = record["narrow_audience"]
    namespaces = [question.namespace, *([person.namespace(narrow)] if narrow else [])]

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        record = await _open(connection, person, question_id)
        await _drop(connection, person, question_id)
        if answer == "no" or (answer == "both" and question.asks in ("remove", "widen")):
            return []
        if question.asks == "store":
            step = await _stored(connection, question)
            if step.before is None and await rows.room(connection, person) < 1:
                raise MemoryFull("The person has as many memories as are kept.")
            return [step]
        current = await rows.fetch(connection, question.namespace, question.key)
        if current is None or current.content != question.before["content"]:
            raise ChangedSince("The memory has changed since the question was asked.")
        if answer == "both":
            return [_beside(question, str(uuid4()))]
        return [*await _narrow(connection, question, record), _instead(question, current)]

    try:
        return await commit_steps(pool, embedder, person, namespaces, decide)
    except ChangedSince:
        async with person_transaction(pool, person) as connection:
            await _drop(connection, person, question_id)
        raise


async def _open(connection: AsyncConnection[DictRow], person: Person, question_id: UUID) -> DictRow:
    found = await connection.execute(
        f"SELECT {_COLUMNS} FROM memory_questions WHERE id = %s AND team_id = %s AND user_id = %s"
        " AND expires_at > now() FOR UPDATE",
        (question_id, person.team_id, person.user_id),
    )
    record = await found.fetchone()
    if record is None:
        raise ChangeGone("The question was answered already or has expired.")
    return record


async def _drop(connection: AsyncConnection[DictRow], person: Person, question_id: UUID) -> None:
    await connection.execute(
        "DELETE FROM memory_questions WHERE id = %s AND team_id = %s AND user_id = %s",
        (question_id, person.team_id, person.user_id),
    )


def _beside(question: Question, key: str) -> Step:
    return Step(
        action="remembered",
        actor="question",
        namespace=question.namespace,
        key=key,
        before=None,
        after={
            **(question.after or {}),
            "sources": rows.added_sources(question.before, question.after),
        },
    )


async def _stored(connection: AsyncConnection[DictRow], question: Question) -> Step:
    """Return the step that stores a memory; one that is now known about its subject is changed."""
    after = question.after or {}
    kind, content = str(after["kind"]), after["content"]
    found = await rows.reread(connection, question.namespace, [kind])
    known = next((one for one in found if same_thing(kind, one.content, content)), None)
    if known is None:
        return _beside(question, question.key)
    if not known.hides:
        content = {**known.content, **{k: v for k, v in content.items() if v is not None}}
    step = _instead(replace(question, after={**after, "content": content}), known)
    entries = list(known.value.get("supersedes") or [])
    entries += [one for one in after.get("supersedes") or [] if one not in entries]
    return replace(
        step, after={**(step.after or {}), **({"supersedes": entries} if entries else {})}
    )


def _instead(question: Question, current: Memory) -> Step:
    after = None
    if question.after is not None:
        known = current.value.get("sources") or []
        added = rows.added_sources(question.before, question.after)
        after = {
            **rows.without_end_of_another(current, question.after["content"]),
            **{k: v for k, v in question.after.items() if k != "supersedes"},
            "sources": [*known, *(one for one in added if one not in known)],
        }
    return Step.on(current, "removed" if after is None else "updated", "question", after)


async def _narrow(
    connection: AsyncConnection[DictRow], question: Question, record: DictRow
) -> list[Step]:
    """Return steps that remove the narrower memory that superseded a wider one changed here.

    Raises `ChangedSince` if it no longer says what the wider one would.
    """
    if record["narrow_key"] is None:
        return []
    namespace = question.namespace.person.namespace(record["narrow_audience"])
    current = await rows.fetch(connection, namespace, record["narrow_key"])
    if current is None:
        return []
    wanted = question.after
    if not (current.hides if wanted is None else current.content == wanted["content"]):
        raise ChangedSince("The narrower memory has changed since the question was asked.")
    if len(current.supersedes) > 1:
        return []
    return [Step.on(current, "removed", "question", None)]
