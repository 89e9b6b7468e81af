"""Commit what was decided: statements, questions and the application's rows, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from memory.credentials.redaction import redact
from memory.embeddings.embedder import Embedder
from memory.formation.decide import Decisions, decide
from memory.formation.proposal import Proposal, Refusal
from memory.formation.verdict import SensitivePolicy
from memory.metrics import step
from memory.model.namespace import MemoryView
from memory.model.person_message import PersonMessage
from memory.model.statement import Statement
from memory.postgres.database import Pool
from memory.store.changes import Change, add_changes
from memory.store.edits import statement_of
from memory.store.forgetting import forgotten_among
from memory.store.memories import Memory
from memory.store.projection import remaining_capacity
from memory.store.questions import (
    Question,
    ask,
    note_refusals,
    read_questions,
    read_set_aside,
)
from memory.store.statements import InCommit, do_nothing, writing
from memory.store.subjects import Known, read_known


@dataclass(frozen=True, slots=True, kw_only=True)
class FormationResult:
    """The result of a run, which its notice shows.

    `accepted` are the messages that led to a change or a question, or repeat what is stored.
    `declined` are the memories with which the model's provider refused the request, which it
    answered without them.
    """

    changes: tuple[Change, ...] = ()
    refused: tuple[Refusal, ...] = ()
    questions: tuple[Question, ...] = ()
    accepted: tuple[PersonMessage, ...] = ()
    declined: tuple[Memory, ...] = ()


@step("commit")
async def commit(
    pool: Pool,
    embedder: Embedder,
    view: MemoryView,
    proposals: Sequence[Proposal],
    *,
    sensitive: SensitivePolicy | None = None,
    refused: Sequence[Refusal] = (),
    batch: UUID | None = None,
    epoch: int | None = None,
    in_commit: InCommit[FormationResult] = do_nothing,
) -> FormationResult:
    """Store what was decided and await `in_commit` with the result, in one transaction.

    The memories are read again under the person's lock. Proposals from messages that the person has
    forgotten are refused. `refused` are earlier refusals, which the result includes. Refusals that
    quote a sentence are kept for a day, with their reason.
    """
    person = view.person
    batch = batch or uuid4()
    async with writing(pool, embedder, person, epoch) as transaction:
        decisions = Decisions()
        known: Known | None = None
        if proposals:
            subjects = {one.about for one in proposals}
            targets = {one.target.key for one in proposals if one.target is not None}
            known = await read_known(transaction, subjects, targets)
            remaining = await remaining_capacity(transaction)
            quoted = [one.evidence.original.key for one in proposals]
            messages = {key for key in quoted if key is not None}
            forgotten = await forgotten_among(transaction, messages)
            edited = await read_set_aside(transaction, messages)
            decisions = decide(
                proposals,
                known,
                view,
                remaining=remaining,
                forgotten=forgotten,
                edited=edited,
                at=datetime.now(UTC),
                sensitive=sensitive,
                batch=batch,
            )
        changes = await add_changes(transaction, decisions.statements, known)
        all_refused = (*refused, *decisions.refused)
        await ask(transaction, decisions.questions)
        await note_refusals(transaction, _notes(view, all_refused, batch))
        questions: list[Question] = []
        if decisions.questions:
            questions = await read_questions(transaction, batch=batch)
        formed = FormationResult(
            changes=tuple(changes),
            refused=all_refused,
            questions=tuple(questions),
            accepted=tuple(decisions.accepted),
        )
        await in_commit(transaction, formed)
    return formed


def _notes(
    view: MemoryView, refused: Iterable[Refusal], batch: UUID
) -> list[tuple[Statement, str]]:
    """Return what is stored about refusals: the sentence, without credentials, and the reason."""
    notes: list[tuple[Statement, str]] = []
    for one in refused:
        if one.evidence is None:
            continue
        words = one.evidence.words
        text = "" if one.reason == "secret" else redact(words.text).text
        words = replace(words, text=text)
        audience = view.own.audience
        statement = statement_of(
            str(uuid4()), one.kind, audience, None, words, batch=batch
        )
        notes.append((statement, one.reason))
    return notes
