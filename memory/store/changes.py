"""Changes: what each notice's statements made of a memory, and their Undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias
from uuid import UUID

from memory.embeddings.embedder import Embedder
from memory.model.fold import fold
from memory.model.namespace import DM, Person, may_read
from memory.model.schemas import Content, named_fields, subject_fields
from memory.model.statement import MessageKey, Statement
from memory.model.text import Json
from memory.postgres.database import (
    PersonTransaction,
    Pool,
    person_transaction,
    with_pauses,
)
from memory.postgres.statements import load_statements
from memory.store.statements import (
    add_statements,
    do_nothing,
    keys_of,
    read_statements,
    withdraw,
    writing,
)
from memory.store.subjects import Known

_SQL = load_statements("memory", "statements")

WithChanges: TypeAlias = Callable[
    [PersonTransaction, Sequence["Change"]], Awaitable[object]
]
Action: TypeAlias = Literal["remembered", "updated", "confirmed", "removed", "moved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the statements of one notice made of one memory.

    `key` is the memory's. `before` and `after` are its content without and with these statements;
    None if there was or is no memory. `statements` are their ids, and `id` is the first of them.
    `message` is the message that they come from. `at` is when they were stored, `expires_at` when
    they end, `undone_at` when they were withdrawn. `audience` is where they were said, or to which
    the memory was moved.
    `said` are the fields that they say, or else the one that names the subject; `readers` are the
    audiences of the memory before and after.
    """

    id: UUID
    statements: Sequence[UUID]
    audience: str
    key: str
    kind: str
    action: Action
    before: Content | None
    after: Content | None
    at: datetime
    batch: UUID
    said: Content
    readers: tuple[str, str]
    message: MessageKey | None = None
    expires_at: datetime | None = None
    undone_at: datetime | None = None

    def heard_in(self, audience: str) -> Change:
        """Return what may be told of it in a conversation.

        Of what the people there may not read it has only what was said there.
        """
        before, after = self.before, self.after
        known_before, known_after = (may_read(audience, one) for one in self.readers)
        if after is not None and not known_after:
            after = self.said
        if before is not None and not known_before:
            before = self.said if after is None else None
        return replace(self, before=before, after=after)


async def list_changes(
    pool: Pool,
    person: Person,
    *,
    key: str | None = None,
    batch: UUID | None = None,
    ids: Collection[UUID] | None = None,
    limit: int | None = None,
) -> list[Change]:
    """Return a person's changes, newest first: all, those of a memory, of a notice, or named ones.

    `ids` are ids of statements.
    """
    async with person_transaction(pool, person) as transaction:
        return await read_changes(
            transaction, key=key, batch=batch, ids=ids, limit=limit
        )


async def read_changes(
    transaction: PersonTransaction,
    *,
    key: str | None = None,
    batch: UUID | None = None,
    ids: Collection[UUID] | None = None,
    limit: int | None = None,
) -> list[Change]:
    """Return what `list_changes` does, within a transaction of the person.

    Older changes take the place of those that are left out.
    """
    values = {
        "key": key,
        "batch": batch,
        "ids": None if ids is None else list(ids),
        "limit": limit,
    }
    rows = await transaction.fetch(_SQL["read_changes"], values)
    by_key = await read_statements(transaction, keys_of(rows))
    changes: list[Change] = []
    async for row in with_pauses(rows):
        statements = by_key[row["key"]]
        change = _change_of(statements, row["batch"])
        own = [one.act for one in statements if one.batch == change.batch]
        is_gone = change.before is None and change.after is None
        # Else it adds to a memory that is gone, as to an undone promise, or moves it. A move is
        # also left with nothing when its memory joins another one, which has its own audience.
        if own[-1] == "remove" or not is_gone:
            changes.append(change)
    has_older = len(rows) == limit
    if limit and has_older and len(changes) < limit:
        more = await read_changes(
            transaction, key=key, batch=batch, ids=ids, limit=2 * limit
        )
        return more[:limit]
    return changes


def _change_of(statements: Sequence[Statement], batch: UUID) -> Change:
    """Return what the statements of `batch` made of a memory, given all of its statements.

    Statements of the batch count even if they were withdrawn; other withdrawn ones do not.
    """
    own = [one for one in statements if one.batch == batch]
    first = own[0]
    last = own[-1]
    counted = [one for one in statements if one.withdrawn_at is None]
    earlier = [one for one in counted if one.number < first.number]
    as_said = [replace(one, withdrawn_at=None) for one in own]
    old = fold(earlier)
    new = fold([*earlier, *as_said])
    before = old.content if old else None
    after = new.content if new else None
    is_undone = all(one.withdrawn_at for one in own)
    return Change(
        id=first.id,
        statements=[one.id for one in own],
        audience=_audience(own),
        key=first.key,
        kind=first.kind,
        action=_action(own, before, after),
        before=before,
        after=after,
        at=last.stored_at,
        batch=batch,
        said=_said(own, after or before or {}),
        readers=(old.audience if old else DM, new.audience if new else DM),
        message=last.message,
        expires_at=last.until,
        undone_at=last.withdrawn_at if is_undone else None,
    )


def _said(own: Iterable[Statement], whole: Content) -> Content:
    """Return the fields that statements say, or else the one of `whole` that names the subject."""
    said: Json = {}
    kind = ""
    for one in own:
        kind = one.kind
        if one.act == "say":
            said |= one.fields
    return said or named_fields(whole, subject_fields(kind, whole))


def _audience(own: Sequence[Statement]) -> str:
    """Return the widest audience of a change: an edit may be heard by several."""
    for one in reversed(own):
        if one.act != "remove" and one.audience != DM:
            return one.audience
    return own[0].audience


def _action(
    own: Sequence[Statement],
    before: Content | None,
    after: Content | None,
) -> Action:
    if own[-1].act == "move":
        return "moved"
    if after is None:
        return "removed"
    if before is None:
        return "remembered"
    if before == after:
        return "confirmed"
    return "updated"


async def undo_changes(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    *,
    ids: Collection[UUID] = (),
    batch: UUID | None = None,
    in_commit: WithChanges = do_nothing,
) -> list[Change]:
    """Withdraw changes, named by ids of their statements, or all of a notice; return them.

    This works at any time and in any order: what other statements say about the memories stays.
    Changes that were already withdrawn are left out. `in_commit` gets those that were not, in the
    same transaction.
    """
    async with writing(pool, embedder, person) as transaction:
        if batch is not None:
            changes = await read_changes(transaction, batch=batch)
        else:
            changes = await read_changes(transaction, ids=ids)
        counted = [one for one in changes if one.undone_at is None]
        statements: list[UUID] = []
        for one in counted:
            statements += one.statements
        await withdraw(transaction, statements)
        await in_commit(transaction, counted)
        now = datetime.now(UTC)
        return [replace(one, undone_at=now) for one in counted]


async def add_changes(
    transaction: PersonTransaction,
    statements: Sequence[Statement],
    known: Known | None = None,
) -> list[Change]:
    """Store the statements of one notice, as `add_statements` does; return what they changed.

    The changes are in the order in which their statements were stored.
    """
    if not statements:
        return []
    batch = statements[0].batch
    by_key = await add_statements(transaction, statements, known)
    changes: list[Change] = []
    for said in by_key.values():
        batches = {one.batch for one in said}
        # What was stored before is not stored again.
        if batch in batches:
            changes.append(_change_of(said, batch))
    return changes
