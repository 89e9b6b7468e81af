"""Statements that do not count: questions that wait for the person, and what was refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid4

from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangeGone
from memory.model.namespace import DM, Namespace, Person, may_read
from memory.model.schemas import (
    Content,
    Subject,
    named_fields,
    subject_fields,
    subject_key,
)
from memory.model.statement import MessageKey, Statement
from memory.model.text import Json
from memory.postgres.database import PersonTransaction, Pool, person_transaction
from memory.postgres.statements import load_statements, rows_parameter
from memory.store.changes import Change, add_changes
from memory.store.hidden import seeing_states
from memory.store.projection import check_capacity
from memory.store.statements import message_parameters, writing
from memory.store.subjects import read_known

_SQL = load_statements("memory", "questions")
_STATEMENTS = load_statements("memory", "statements")

Asks: TypeAlias = Literal["replace", "older", "remove", "store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to the person, open for 14 days: should this count?

    ``replace``: replace `before` with `after`? ``older``: do so, though `after` was said before it?
    ``remove``: remove it? ``store``: remember `after`? Both are contents. `before` is what the
    memory says now, None if there is none, and `said_on` the day on which that was said last, or on
    which it was asked. `said` is the statement that would count: its audience says where the answer
    would be used. `readers` is the audience of the memory now.
    """

    id: UUID
    asks: Asks
    before: Content | None
    after: Content | None
    said: Statement
    said_on: str
    readers: str

    def heard_in(self, audience: str) -> Question:
        """Return what may be asked in a conversation.

        Where people may not read the memory, only what was said there is asked.
        """
        if self.before is None or may_read(audience, self.readers):
            return self
        if self.asks == "remove":
            subject = subject_fields(self.said.kind, self.before)
            return replace(self, before=named_fields(self.before, subject))
        return replace(self, asks="store", before=None, after=self.said.fields)

    @property
    def is_about_one_thing(self) -> bool:
        """Whether `before` and `after` are about the same thing, so that one of them is true."""
        if self.before is None or self.after is None:
            return False
        kind = self.said.kind
        return subject_key(kind, self.before) == subject_key(kind, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRemembered:
    """A sentence that was not remembered, and why; `reason` is a `memory.Reason`."""

    sentence: str
    reason: str
    at: datetime


async def ask(
    transaction: PersonTransaction,
    statements: Sequence[Statement],
) -> None:
    """Ask whether these should count. A memory has at most one open question."""
    await _insert(
        transaction, [{**one.columns, "state": "asked"} for one in statements]
    )


async def note_refusals(
    transaction: PersonTransaction,
    refused: Iterable[tuple[Statement, str]],
) -> None:
    """Keep for a day what was refused, with the reason, for the person to see."""
    rows = [
        {**one.columns, "state": "refused", "reason": reason} for one, reason in refused
    ]
    await _insert(transaction, rows)


async def _insert(transaction: PersonTransaction, rows: Sequence[Json]) -> None:
    if not rows:
        return
    values = {"statements": rows_parameter(rows)}
    async with seeing_states(transaction):
        await transaction.execute(_SQL["delete_replaced"], values)
        await transaction.execute(_STATEMENTS["insert"], values)


async def delete_expired(transaction: PersonTransaction) -> None:
    """Delete questions and refusals that have expired."""
    async with seeing_states(transaction):
        await transaction.execute(_SQL["delete_expired"])


async def open_questions(
    pool: Pool, person: Person, *, batch: UUID | None = None
) -> list[Question]:
    """Return the open questions, or those of a notice, oldest first."""
    async with person_transaction(pool, person) as transaction:
        return await read_questions(transaction, batch=batch)


async def read_questions(
    transaction: PersonTransaction,
    *,
    batch: UUID | None = None,
    question_id: UUID | None = None,
) -> list[Question]:
    """Return what `open_questions` does, or one question, within a transaction of the person."""
    values = {
        "batch": batch,
        "question": question_id,
    }
    async with seeing_states(transaction):
        rows = await transaction.fetch(_SQL["open"], values)
    return [_question(row) for row in rows]


async def read_not_remembered(pool: Pool, person: Person) -> list[NotRemembered]:
    """Return what was not remembered within the last day, newest first, at most twenty."""
    async with (
        person_transaction(pool, person) as transaction,
        seeing_states(transaction),
    ):
        rows = await transaction.fetch(_SQL["refused"])
    return [NotRemembered(**row) for row in rows]


async def answer_question(
    pool: Pool, embedder: Embedder, person: Person, question_id: UUID, answer: str
) -> list[Change]:
    """Apply the answer ``yes``, ``no`` or ``both`` and delete the question; return the changes.

    ``yes`` stores a statement, said at the time of the click. ``both`` leaves the memory as it is
    and stores the statement as a separate memory if it is about something else; otherwise it means
    ``yes``. The changes have the question's batch. Raises `ChangeGone` (answered, forgotten or
    expired, or what was to be removed is gone) and `MemoryFull`.
    """
    if answer not in ("yes", "no", "both"):
        raise ValueError("A question has no such answer.")
    async with writing(pool, embedder, person) as transaction:
        found = await read_questions(transaction, question_id=question_id)
        async with seeing_states(transaction):
            await transaction.execute(_SQL["delete"], {"id": question_id})
        if not found:
            raise ChangeGone("The question was answered already or has expired.")
        if answer == "no":
            return []
        [question] = found
        said = question.said
        known = await read_known(transaction, [said.about], [said.key])
        if question.asks == "store" or (answer == "both" and said.act == "say"):
            # If there is a memory about the same thing by now, the statement is about that one.
            said = replace(said, key=known.first_keys.get(said.about, str(uuid4())))
        new = {said.key} - known.memories.keys()
        await check_capacity(transaction, len(new))
        return await add_changes(transaction, [said], known)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """What a message said of a memory, in an audience, before it was edited.

    `moved_to` is the audience of the memory's last move, `is_undone` whether the person took it
    back. `actor` is ``question`` if it counted by their *Yes*.
    """

    message: MessageKey
    audience: str
    key: str
    kind: str
    subject: str
    content: Content
    actor: str
    is_undone: bool
    moved_to: str | None

    @property
    def about(self) -> Subject:
        """What it is about."""
        return self.kind, self.subject


async def set_aside(transaction: PersonTransaction, ids: Collection[UUID]) -> None:
    """Set aside what a message said before it was edited; the caller refreshes the memories."""
    async with seeing_states(transaction):
        await transaction.execute(_SQL["set_aside"], {"ids": list(ids)})


async def read_set_aside(
    transaction: PersonTransaction, messages: Collection[MessageKey]
) -> list[SetAside]:
    """Return what these messages said before they were edited, until they are read again."""
    values = message_parameters(messages)
    async with seeing_states(transaction):
        rows = await transaction.fetch(_SQL["set_aside_of_messages"], values)
    found: list[SetAside] = []
    for row in rows:
        message = (row.pop("channel"), row.pop("ts"))
        content = row.pop("content") or {}
        found.append(SetAside(message=message, content=content, **row))
    return found


async def delete_set_aside(
    transaction: PersonTransaction, messages: Collection[MessageKey]
) -> None:
    """Delete what these messages said before they were edited: they have been read again."""
    values = message_parameters(messages)
    async with seeing_states(transaction):
        await transaction.execute(_SQL["delete_set_aside"], values)


async def delete_questions_of_message(
    transaction: PersonTransaction, message: MessageKey
) -> set[UUID]:
    """Delete questions and refusals that quote a message; return the batches of their notices."""
    channel, ts = message
    values = {"channel": channel, "ts": ts}
    async with seeing_states(transaction):
        rows = await transaction.fetch(_SQL["delete_of_message"], values)
    return {row["batch"] for row in rows}


def _question(row: DictRow) -> Question:
    """Return a row as a question; what it asks about is the statement as it would be said now."""
    identity = row.pop("id")
    at = row.pop("at")
    now = row.pop("now")
    prefix = row.pop("prefix")
    said = Statement(id=uuid4(), actor="question", said_at=datetime.now(UTC), **row)
    before: Content | None = None
    said_on = at.date().isoformat()
    if now is not None:
        before = now["content"]
        said_on = now["said_on"]
    after: Content | None = None
    if said.act == "say":
        after = {**(before or {}), **said.fields}
    return Question(
        id=identity,
        asks=_asks(said, now),
        before=before,
        after=after,
        said=said,
        said_on=said_on,
        readers=Namespace.from_prefix(prefix).audience if prefix else DM,
    )


def _asks(said: Statement, now: Mapping[str, Any] | None) -> Asks:
    """Return what is asked about a memory; `now` is its present value, None if it is gone."""
    if said.act == "remove":
        return "remove"
    if now is None:
        return "store"
    newest = (now.get("sources") or [{}])[-1]
    # A form has a day alone, in the zone where the person was.
    by = "ts" if said.ts and newest.get("ts") else "said_on"
    if said.source()[by] < newest.get(by, ""):
        return "older"
    return "replace"
