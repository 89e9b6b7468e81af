"""Questions: proposals of formation that the person decides on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, LiteralString
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import Embedder
from memory.formation.decide import NewQuestion
from memory.model.errors import ChangedSince, ChangeGone, MemoryFull
from memory.model.namespace import Namespace, Person
from memory.model.schemas import same_thing
from memory.postgres.database import Pool, person_statement, person_transaction
from memory.store.edits import kept_end
from memory.store.memories import OF_IDS, Keyed, Memory, MessageKey, person_range, reread, room
from memory.store.versions import Change, Step, commit_steps

OPEN_DAYS = 14

_COLUMNS: LiteralString = (
    "id, kind, audience, key, narrow_key, before, after, ends_at, batch, at, messages"
)
# One question of a kind about a memory is open at a time; the same one again stays as it is.
_SAME: LiteralString = (
    f"{OF_IDS} AND kind = %(kind)s AND audience = %(audience)s"
    " AND (key = %(key)s OR kind = 'store')"
    " AND before->'content' = %(before)s::jsonb->'content'"
    " AND after->'content' IS NOT DISTINCT FROM %(after)s::jsonb->'content'"
)
_ASK: LiteralString = (
    f"WITH same AS (SELECT {_COLUMNS} FROM memory_questions WHERE {_SAME} AND expires_at > now()"
    f" LIMIT 1), gone AS (DELETE FROM memory_questions WHERE {OF_IDS} AND kind = %(kind)s"
    " AND audience = %(audience)s AND key = %(key)s AND id NOT IN (SELECT id FROM same)),"
    " new AS (INSERT INTO memory_questions (id, team_id, user_id, kind, audience, key, narrow_key,"
    " before, after, ends_at, batch, messages, expires_at) SELECT %(id)s, %(team)s, %(user)s,"
    " %(kind)s, %(audience)s, %(key)s, %(narrow)s, %(before)s, %(after)s, %(ends_at)s, %(batch)s,"
    " %(messages)s, %(expires_at)s WHERE NOT EXISTS (SELECT FROM same)"
    f" RETURNING {_COLUMNS}) SELECT * FROM same UNION ALL SELECT * FROM new"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Keyed):
    """A question to the person about the memory at `namespace` and `key`, open for `OPEN_DAYS`.

    ``replace``: replace `before` with `after`? ``remove``: remove it? ``widen``: apply a change
    made in a narrower audience to this memory too (`after` None: remove it)? ``store``: remember
    `after` (`before` has empty content)? `before` and `after` are whole stored values. `messages`
    are those that it was asked because of, `batch` is that of its notice.
    """

    id: UUID
    asks: Literal["replace", "remove", "widen", "store"]
    before: dict[str, Any]
    after: dict[str, Any] | None
    at: datetime
    batch: UUID
    ends_at: datetime | None = None
    narrow_key: str | None = None
    messages: tuple[MessageKey, ...] = ()

    @property
    def message(self) -> MessageKey | None:
        """The message that the change comes from."""
        return next(iter(self.messages), None)


async def ask(
    connection: AsyncConnection[DictRow],
    own: Namespace,
    questions: Iterable[NewQuestion],
    batch: UUID,
) -> list[Question]:
    """Store questions and return them; a question that is already open is returned unchanged."""
    made: list[Question] = []
    for one in questions:
        before = one.row.value if one.row else {"kind": (one.value or {})["kind"], "content": {}}
        found = await connection.execute(
            _ASK,
            {
                **own.person.ids,
                "id": uuid4(),
                "kind": one.asks,
                "audience": one.row.namespace.audience if one.row else own.audience,
                "key": one.row.key if one.row else str(uuid4()),
                "narrow": one.narrow,
                "before": Jsonb(before),
                "after": Jsonb(one.value) if one.value else None,
                "ends_at": one.expires_at,
                "batch": batch,
                "messages": Jsonb([{"channel": channel, "ts": ts} for channel, ts in one.messages]),
                "expires_at": datetime.now(UTC) + timedelta(days=OPEN_DAYS),
            },
        )
        made += [_question(own.person, record) for record in await found.fetchall()]
    return made


def _question(person: Person, record: DictRow) -> Question:
    return Question(
        id=record["id"],
        asks=record["kind"],
        namespace=person.namespace(record["audience"]),
        key=record["key"],
        narrow_key=record["narrow_key"],
        before=record["before"],
        after=record["after"],
        ends_at=record["ends_at"],
        batch=record["batch"],
        messages=tuple((str(one["channel"]), str(one["ts"])) for one in record["messages"]),
        at=record["at"],
    )


async def open_questions(
    pool: Pool, person: Person, *, batch: UUID | None = None
) -> list[Question]:
    """Return the open questions, oldest first, without those whose memory has changed since."""
    found = await person_statement(
        pool,
        person,
        f"SELECT {_COLUMNS} FROM memory_questions q WHERE {OF_IDS} AND expires_at > now()"
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
    expired), `ChangedSince` (the memory has changed; the question is deleted), `MemoryFull` and
    `EmbeddingsUnavailable` (the question stays open); ValueError for another answer.
    """
    if answer not in ("yes", "no", "both"):
        raise ValueError("A question has no such answer.")
    values = {**person.ids, "id": question_id}

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        question = await _open(connection, person, question_id)
        await connection.execute(_DROP, values)
        if answer == "no" or (answer == "both" and question.asks in ("remove", "widen")):
            return []
        if question.asks == "store":
            return [await _stored(connection, question)]
        keys = [key for key in (question.key, question.narrow_key) if key]
        rows = await reread(connection, person, keys=keys)
        current = rows.get(question.key)
        if current is None or current.content != question.before["content"]:
            raise ChangedSince("The memory has changed since the question was asked.")
        if answer == "both":
            return [_beside(question, str(uuid4()))]
        return [
            *_narrow(question, rows.get(question.narrow_key or "")),
            _instead(question, current),
        ]

    async with person_transaction(pool, person) as connection:
        batch = (await _open(connection, person, question_id)).batch
    try:
        return await commit_steps(pool, embedder, person, decide, batch=batch)
    except ChangedSince:
        await person_statement(pool, person, _DROP, values)
        raise


_DROP: LiteralString = f"DELETE FROM memory_questions WHERE {OF_IDS} AND id = %(id)s"


async def _open(
    connection: AsyncConnection[DictRow], person: Person, question_id: UUID
) -> Question:
    found = await connection.execute(
        f"SELECT {_COLUMNS} FROM memory_questions WHERE {OF_IDS} AND id = %(id)s"
        " AND expires_at > now()",
        {**person.ids, "id": question_id},
    )
    record = await found.fetchone()
    if record is None:
        raise ChangeGone("The question was answered already or has expired.")
    return _question(person, record)


def _beside(question: Question, key: str) -> Step:
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
    """Return the step that stores a memory; one that is now known about its subject is changed."""
    after, own = question.after or {}, question.namespace
    kind, content = str(after["kind"]), after["content"]
    found = await reread(connection, own.person, of=own, kinds=[kind])
    alike = (one for one in found.values() if same_thing(kind, one.content, content))
    if (known := next(alike, None)) is not None:
        said = {name: value for name, value in content.items() if value is not None}
        entries = [*(known.value.get("supersedes") or []), *(after.get("supersedes") or [])]
        value = {**after, "content": {**known.content, **said}}
        step = _instead(question, known, value)
        if entries and step.after is not None:
            step.after["supersedes"] = [e for n, e in enumerate(entries) if e not in entries[:n]]
        return step
    if await room(connection, own.person) < 1:
        raise MemoryFull("The person has as many memories as are kept.")
    return _beside(question, question.key)


def _instead(question: Question, current: Memory, value: Mapping[str, Any] | None = None) -> Step:
    """Return the step that gives a memory the value of the question, or `value`, or removes it."""
    value = value or question.after
    if value is None:
        return Step.on(current, "removed", "question", None, message=question.message)
    known = [*current.sources]
    added = added_sources(question.before, question.after)
    after = {
        **current.value,
        **{name: one for name, one in value.items() if name != "supersedes"},
        "sources": [*known, *(one for one in added if one not in known)],
    }
    end = question.ends_at or kept_end(current, value["content"])
    return Step.on(current, "updated", "question", after, expires_at=end, message=question.message)


def _narrow(question: Question, current: Memory | None) -> list[Step]:
    """Return steps that remove the narrower memory that superseded a wider one changed here.

    Raises `ChangedSince` if it no longer says what the wider one would.
    """
    if current is None:
        return []
    if question.after is None or current.content != question.after["content"]:
        raise ChangedSince("The narrower memory has changed since the question was asked.")
    if len(current.supersedes) > 1:
        return []
    return [Step.on(current, "removed", "question", None)]


def added_sources(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Sequence[dict[str, Any]]:
    """Return the sources that a change of a stored value has added."""
    known = (before or {}).get("sources") or []
    return [one for one in (after or {}).get("sources") or [] if one not in known]
