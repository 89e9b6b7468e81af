"""Decide on judged proposals. Pure: no database, no model.

Each proposal becomes a statement that counts, a question to the person, or a refusal with its
reason. The verdict decides which (`memory.formation.verdict`). If the memory has changed since the
verdict, the person is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from memory.formation.proposal import Proposal, Reason, Refusal, Verdict
from memory.formation.verdict import SensitivePolicy, asks_first, end_of, refusal
from memory.model.namespace import DM, MemoryView
from memory.model.person_message import PersonMessage
from memory.model.sameness import is_same
from memory.model.schemas import (
    DUE_FIELDS,
    PROMISE_KIND,
    Content,
    Subject,
    named_fields,
    subject,
    subject_fields,
)
from memory.model.statement import MessageKey, Statement
from memory.model.text import Json
from memory.store.edits import statement_of
from memory.store.memories import Memory
from memory.store.questions import SetAside
from memory.store.subjects import Known

MAX_REMOVALS = 3  # in one run; the person is asked about any further ones


@dataclass(slots=True)
class Decisions:
    """The statements that count, those that the person is asked about, and the refusals.

    `accepted` are the messages of the proposals that were not refused.
    """

    statements: list[Statement] = field(default_factory=list)
    questions: list[Statement] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    accepted: list[PersonMessage] = field(default_factory=list)


def decide(
    proposals: Sequence[Proposal],
    known: Known,
    view: MemoryView,
    *,
    remaining: int,
    forgotten: Collection[MessageKey],
    edited: Sequence[SetAside],
    at: datetime,
    sensitive: SensitivePolicy | None,
    batch: UUID,
) -> Decisions:
    """Decide on the proposals from the conversation of `view`.

    `known` is what is known about their subjects now, just before they are written, `remaining` how
    many new memories may be stored. Nothing is remembered from the messages in `forgotten`.
    `edited` is what the proposals' messages said before they were edited: what they say about the
    same thing is the same memory, and what the person decided about it holds.
    """
    decisions = Decisions()
    memories = known.in_view(view)
    keys = known.first_keys
    existing = {*known.memories}
    removals = 0
    for proposal in proposals:
        verdict = proposal.verdict
        said = proposal.evidence.original
        if verdict is None or said.key in forgotten:
            decisions.refused.append(proposal.refused("unusable"))
            continue
        earlier = _earlier(proposal, edited)
        if earlier.is_undone:
            continue
        key = _key(proposal, keys, earlier)
        is_new = key not in existing
        reason: Reason | None = refusal(proposal, verdict, at, sensitive)
        if is_new:
            reason = reason or _refusal_of_new(proposal, remaining)
        if reason is not None:
            decisions.refused.append(proposal.refused(reason))
            continue
        if said not in decisions.accepted:
            decisions.accepted.append(said)
        removals += proposal.removes
        audience = _audience(view, verdict, earlier)
        memory = known.memories.get(key)
        statement = _statement(proposal, verdict, key, audience, batch, memory)
        has_too_many_removals = proposal.removes and removals > MAX_REMOVALS
        # What the person has written in place of a memory is what they want.
        asks = asks_first(proposal, verdict, view.own, sensitive)
        asks &= not earlier.is_confirmed and said.actor != "modal"
        if asks or has_too_many_removals or _has_changed(proposal, memories):
            decisions.questions.append(statement)
            continue
        decisions.statements.append(statement)
        keys[proposal.about] = key
        existing.add(key)
        if is_new:
            remaining -= 1
    return decisions


def _audience(view: MemoryView, verdict: Verdict, earlier: _Earlier) -> str:
    """Return a statement's audience: direct messages if it is private, wherever it was said."""
    if verdict.is_sensitive or earlier.is_narrowed:
        return DM
    return view.own.audience


def _refusal_of_new(proposal: Proposal, remaining: int) -> Reason | None:
    """Return why a memory that is not stored is not created either.

    A memory that was shown to the model but is gone by now does not come back.
    """
    if proposal.removes or proposal.target is not None:
        return "unusable"
    if remaining < 1:
        return "full"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Earlier:
    """What the message of a proposal said before it was edited.

    `key` is that of the memory about the same thing. The person had undone what the proposal says,
    or confirmed it. `is_narrowed`: something else of the message was moved to direct messages, and
    the proposal may say that in other words; a move of the same thing counts by itself.
    """

    key: str | None
    is_undone: bool
    is_confirmed: bool
    is_narrowed: bool


def _earlier(proposal: Proposal, edited: Sequence[SetAside]) -> _Earlier:
    """Return what decides about a proposal of what was set aside."""
    key: str | None = None
    is_moved = is_undone = is_confirmed = False
    for one in edited:
        if one.message != proposal.evidence.original.key:
            continue
        is_moved |= one.moved_to == DM
        if one.about == proposal.about:
            key = one.key
            says_it = all(
                is_same(value, proposal.content.get(name))
                for name, value in one.content.items()
            )
            is_undone |= says_it and one.is_undone
            is_confirmed |= says_it and one.actor == "question"
    return _Earlier(
        key=key,
        is_undone=is_undone,
        is_confirmed=is_confirmed,
        is_narrowed=is_moved and key is None,
    )


def _key(proposal: Proposal, keys: Mapping[Subject, str], earlier: _Earlier) -> str:
    """Return the key of the memory that a proposal is about; there is one per subject."""
    if proposal.target is not None:
        return proposal.target.key
    return keys.get(proposal.about) or earlier.key or str(uuid4())


def _has_changed(proposal: Proposal, memories: Mapping[str, Memory]) -> bool:
    """Return whether the memory has changed since the verdict, given the memories now, by key."""
    if proposal.target is None:
        return False
    now = memories.get(proposal.target.key)
    return now is None or now.content != proposal.target.content


def _statement(
    proposal: Proposal,
    verdict: Verdict,
    key: str,
    audience: str,
    batch: UUID,
    memory: Memory | None,
) -> Statement:
    words = proposal.evidence.words
    if proposal.removes:
        return statement_of(
            key, proposal.kind, audience, None, words, batch=batch, act="remove"
        )
    names = subject_fields(proposal.kind, proposal.content)
    content = named_fields(proposal.content, names) | proposal.values
    if proposal.kind == PROMISE_KIND:
        content = _as_promised(verdict, proposal.evidence.original, memory) | content
    until = _until(proposal, verdict, content)
    statement = statement_of(
        key, proposal.kind, audience, content, words, batch=batch, until=until
    )
    return replace(statement, may_harm=verdict.may_harm)


def _as_promised(verdict: Verdict, said: PersonMessage, memory: Memory | None) -> Json:
    """Return the state of a promise, and the day and time that its sentence says.

    What is promised is open, also if it was promised before and kept. A day that is past is left
    out; if the day of the earlier promise, `memory`, is past, it does not count any more.
    """
    today = said.said_at.astimezone(said.zone).date()
    fields: Json = {}
    if verdict.modality == "promised":
        fields["state"] = "open"
        due = memory.content.get("due") if memory else None
        if due and due < today.isoformat():
            fields |= dict.fromkeys(DUE_FIELDS)
    if verdict.due is not None and verdict.due >= today:
        fields |= {"due": verdict.due.isoformat(), "due_time": verdict.due_time}
    return fields


def _until(proposal: Proposal, verdict: Verdict, content: Content) -> datetime | None:
    """Return when a statement ends: as the sentence says, or with the memory that it details.

    What gives the memory another subject is no detail.
    """
    if proposal.kind == PROMISE_KIND:  # it ends when it is kept, not when it is due
        return None
    if verdict.valid_until is not None:
        return end_of(verdict.valid_until, proposal.evidence.original.zone)
    target = proposal.target
    if target is None or not proposal.values:
        return None
    if subject(proposal.kind, content) != subject(target.kind, target.content):
        return None
    return target.expires_at
