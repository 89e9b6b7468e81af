"""Commit what was decided: memories, questions and the application's rows, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.formation.decide import Decisions, decide
from memory.formation.evidence import PersonMessage
from memory.formation.proposal import Proposal, Refusal
from memory.formation.questions import Question, ask
from memory.formation.verdict import SensitivePolicy
from memory.metrics import step
from memory.model.namespace import Namespace
from memory.postgres.database import Pool, person_transaction
from memory.store.memories import (
    OF_IDS,
    REREAD,
    ROOM,
    from_json,
    message_columns,
    read_own,
    reread_values,
)
from memory.store.versions import Change, write, writing


@dataclass(frozen=True, slots=True, kw_only=True)
class FormationResult:
    """The result of a run: what its notice shows.

    `accepted` are the messages from which a change or a question came, or that say again what is
    stored.
    """

    changes: tuple[Change, ...] = ()
    refused: tuple[Refusal, ...] = ()
    questions: tuple[Question, ...] = ()
    accepted: tuple[PersonMessage, ...] = ()


InCommit: TypeAlias = Callable[[AsyncConnection[DictRow], FormationResult], Awaitable[None]]

_CURRENT: LiteralString = (
    f"SELECT (SELECT json_agg(mine) FROM ({REREAD}) AS mine) AS rows, {ROOM} AS room,"
    f" ARRAY(SELECT ARRAY[channel, ts] FROM forgotten_sources WHERE {OF_IDS}"
    " AND (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[])))"
    " AS forgotten"
)


@step("commit")
async def commit(
    pool: Pool,
    embedder: Embedder,
    own: Namespace,
    proposals: Sequence[Proposal],
    *,
    sensitive: SensitivePolicy | None = None,
    refused: Sequence[Refusal] = (),
    batch: UUID | None = None,
    in_commit: InCommit | None = None,
) -> FormationResult:
    """Write the accepted proposals and await `in_commit` with the result, in one transaction.

    The rows are read again under the person's lock. Proposals from messages that the person has
    forgotten are refused. `refused` is what the result has besides.
    """
    person, batch, decisions = own.person, batch or uuid4(), Decisions()
    keys = {key for one in proposals if (row := one.target) for key in (row.key, *row.supersedes)}
    locked = person_transaction(pool, person, locked=True)  # without embedding afterwards
    async with writing(pool, embedder, person) if proposals else locked as connection:
        if proposals:
            said = {key for one in proposals if (key := one.evidence.key)}
            values = reread_values(person, keys, own, [one.kind for one in proposals])
            found = await connection.execute(_CURRENT, {**values, **message_columns(said)})
            [current] = await found.fetchall()
            decisions = decide(
                proposals,
                read_own(map(from_json, current["rows"] or ()), person),
                own=own,
                at=datetime.now(UTC),
                sensitive=sensitive,
                batch=batch,
                room=current["room"],
                forgotten={(channel, ts) for channel, ts in current["forgotten"]},
            )
        formed = FormationResult(
            changes=tuple(await write(connection, person, decisions.steps, batch=batch)),
            refused=(*refused, *decisions.refused),
            questions=tuple(await ask(connection, person, decisions.questions)),
            accepted=tuple(decisions.accepted),
        )
        if in_commit is not None:
            await in_commit(connection, formed)
    return formed
