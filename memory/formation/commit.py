"""Commit what was decided: memories, questions and the application's rows, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.formation.decide import Decisions, decide, messages_of
from memory.formation.evidence import PersonMessage
from memory.formation.proposal import Proposal, Refusal
from memory.formation.questions import Question, ask
from memory.formation.verdict import SensitivePolicy
from memory.metrics import step
from memory.model.namespace import Namespace
from memory.postgres.database import Pool
from memory.store.memories import (
    OF_IDS,
    REREAD,
    ROOM,
    Memory,
    from_json,
    message_columns,
    read_own,
    reread_values,
)
from memory.store.versions import Change, Step, actor_of, commit_steps


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
    known: Collection[Memory],
    *,
    origin: str = "message",
    sensitive: SensitivePolicy | None = None,
    refused: Sequence[Refusal] = (),
    batch: UUID | None = None,
    in_commit: InCommit | None = None,
) -> FormationResult:
    """Write the accepted proposals and await `in_commit` with the result, in one transaction.

    The rows are read again under the person's lock. Proposals from messages that the person has
    forgotten are refused. `known` are the rows that were shown to the model, `refused` what the
    result has besides.
    """
    person, at, batch = own.person, datetime.now(UTC), batch or uuid4()
    decisions, formed = Decisions(), FormationResult()
    keys = {one.target.key for one in proposals if one.target}
    keys |= {row.key for row in known if row.namespace != own}
    keys |= {key for row in known for key in row.supersedes}

    async def steps(connection: AsyncConnection[DictRow]) -> Sequence[Step]:
        nonlocal decisions
        if not proposals:
            return []
        said = {key for one in proposals for key in messages_of(one)}
        kinds = [one.kind for one in proposals]
        values = {**reread_values(person, keys, own, kinds), **message_columns(said)}
        [current] = await (await connection.execute(_CURRENT, values)).fetchall()
        rows = read_own(map(from_json, current["rows"] or ()), person)
        forgotten = {(channel, ts) for channel, ts in current["forgotten"]}
        decisions = decide(
            proposals,
            rows,
            own=own,
            at=at,
            actor=actor_of(origin, "formation"),
            sensitive=sensitive,
            batch=batch,
            room=current["room"],
            forgotten=forgotten,
        )
        return decisions.steps

    async def written(connection: AsyncConnection[DictRow], changes: Sequence[Change]) -> None:
        nonlocal formed
        formed = FormationResult(
            changes=tuple(changes),
            refused=(*refused, *decisions.refused),
            questions=tuple(await ask(connection, person, decisions.questions)),
            accepted=_accepted(proposals, decisions.refused),
        )
        if in_commit is not None:
            await in_commit(connection, formed)

    await commit_steps(pool, embedder, person, steps, batch=batch, in_commit=written)
    return formed


def _accepted(
    proposals: Sequence[Proposal], refused: Sequence[Refusal]
) -> tuple[PersonMessage, ...]:
    """Return the messages of the proposals that were not refused."""
    others = {id(one.evidence) for one in refused}
    said = [one.evidence.original for one in proposals if id(one.evidence) not in others]
    return tuple(dict.fromkeys(said))
