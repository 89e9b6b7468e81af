"""Decide on judged proposals, given the current rows. Pure: no database, no model.

The verdict decides whether a proposal is stored or refused, or whether the person is asked
(`memory.formation.verdict`). The rows decide whether it adds, changes or removes a memory. If they
are not those that the verdict was about, the person is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from memory.formation.evidence import PersonMessage
from memory.formation.proposal import Proposal, Reason, Refusal
from memory.formation.questions import Asks, Question
from memory.formation.verdict import SensitivePolicy, asks_first, end_of, refusal
from memory.model.namespace import Namespace
from memory.model.schemas import PROMISE_KIND, subject, thing
from memory.store.edits import with_source
from memory.store.memories import Memory, MessageKey, current
from memory.store.versions import Action, Step, actor_of

MAX_REMOVALS = 3  # in one run; the person is asked about any further ones
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")


@dataclass(frozen=True, slots=True)
class Decisions:
    """The steps to write in the own namespace, the questions to ask, and the refusals.

    `accepted` are the messages of the proposals that were not refused.
    """

    steps: Sequence[Step] = ()
    questions: Sequence[Question] = ()
    refused: Sequence[Refusal] = ()
    accepted: Sequence[PersonMessage] = ()


def decide(
    proposals: Sequence[Proposal],
    rows: Collection[Memory],
    *,
    own: Namespace,
    at: datetime,
    sensitive: SensitivePolicy | None,
    room: int,
    batch: UUID,
    forgotten: Collection[MessageKey] = (),
) -> Decisions:
    """Decide what to write, given the current rows; at most `room` memories are new.

    `rows` are the own namespace's rows of the kinds concerned, the targets, and the rows that the
    targets supersede. `forgotten` are messages that the person has forgotten. `batch` is the
    notice's.
    """
    run = _Run(own, {row.key: row for row in rows}, at, room, batch)
    refused, accepted, removals = list[Refusal](), list[PersonMessage](), 0
    for proposal in proposals:
        reason = refusal(proposal, at, sensitive)
        if proposal.evidence.key in forgotten:
            reason = "unusable"
        if reason is None:
            removals += proposal.removes
            asks = asks_first(proposal, own, sensitive)
            reason = run.take(proposal, asks or (proposal.removes and removals > MAX_REMOVALS))
        if reason is None:
            accepted.append(proposal.evidence.original)
        else:
            refused.append(proposal.refused(reason))
    return Decisions(run.steps(), run.questions, refused, tuple(dict.fromkeys(accepted)))


def _due(proposal: Proposal) -> dict[str, str | None]:
    """Return the day and time of a promise, where the sentence says them and they are not past."""
    verdict, said = proposal.verdict, proposal.evidence.original
    if verdict is None or verdict.due is None:
        return {}
    if verdict.due < said.said_at.astimezone(said.zone).date():
        return {}
    at = verdict.due_time or ""
    return {"due": verdict.due.isoformat(), "due_time": at if _TIME.match(at) else None}


class _Run:
    """The memories of the own namespace, by key, while the proposals are applied to them."""

    def __init__(
        self,
        own: Namespace,
        rows: Mapping[str, Memory],
        at: datetime,
        room: int,
        batch: UUID,
    ) -> None:
        self._own, self._at, self._batch = own, at, batch
        self._room = room
        self._rows = rows
        self._stored = {key: row for key, row in rows.items() if row.namespace == own}
        self._now = dict(self._stored)
        shown = current([*self._stored.values()])
        self._names = {_name(row): row.key for row in reversed(shown)}
        self._said: dict[str, Proposal] = {}  # what was said last of each
        self.questions: list[Question] = []

    def take(self, proposal: Proposal, asks: bool) -> Reason | None:
        """Apply a proposal, or ask about it; return why it cannot be applied."""
        target = proposal.target
        row = self._rows.get(target.key) if target else None
        if target is not None and row is None:
            return "unusable"
        wider = row if row is not None and row.namespace != self._own else None
        if wider is not None:
            found = (one for one in self._now.values() if wider.key in one.supersedes)
            current = next(found, None)
        elif row is not None:
            current = self._now.get(row.key, row)
        else:
            current = self._now.get(self._names.get(_name(proposal), ""))
        stored = self._stored.get(current.key) if current else None
        if (target and row and row.content != target.content) or (stored and stored is not row):
            asks = True  # the verdict was about another version, or about none
        if proposal.removes:
            return self._remove(proposal, wider or stored or current, asks or wider is not None)
        if current is None:
            if self._room < 1:
                return "full"
            if not asks:
                self._room -= 1
            current = self._new(proposal, wider)
        if stored is not None:
            asks = asks and proposal.over(stored.content) != stored.content
        value, end = self._value(proposal, stored if asks and stored else current)
        if asks:
            self._ask("replace" if stored else "store", stored, proposal, value, end)
            return None
        self._said[current.key] = proposal
        if end != current.expires_at or _lasting(value) != _lasting(current.value):
            self._now[current.key] = replace(current, value=value, expires_at=end)
            self._names[_name(proposal)] = current.key
        return None

    def _new(self, proposal: Proposal, wider: Memory | None) -> Memory:
        """Return a new memory; what supersedes a wider one begins with its content and expiry."""
        content = wider.content if wider else proposal.content
        value: dict[str, Any] = {"kind": proposal.kind, "content": content}
        if wider is not None:
            value["supersedes"] = [{"key": wider.key}]
        return Memory(
            namespace=self._own,
            key=str(uuid4()),
            value=value,
            created_at=self._at,
            updated_at=self._at,
            expires_at=wider.expires_at if wider else None,
        )

    def _remove(self, proposal: Proposal, row: Memory | None, asks: bool) -> Reason | None:
        if row is None:
            return "unusable"
        if asks and row.key in self._rows:
            self._ask("remove", row, proposal)
        else:
            self._now.pop(row.key, None)
            self._said[row.key] = proposal
        # What it supersedes is visible again then.
        for key in row.supersedes if row.namespace == self._own else ():
            if (superseded := self._rows.get(key)) is not None:
                self._ask("remove", superseded, proposal)
        return None

    def _value(self, proposal: Proposal, base: Memory) -> tuple[dict[str, Any], datetime | None]:
        """Return the value and expiry of `base` after the proposal."""
        kind, content = proposal.kind, proposal.over(base.content)
        source = proposal.evidence.source()
        restated = source not in base.sources and (
            content == base.content or subject(kind, content) != subject(kind, base.content)
        )
        day = proposal.verdict.valid_until if proposal.verdict else None
        if kind == PROMISE_KIND:  # it ends when it is kept, not when it is due
            day, content = None, content | _due(proposal)
        until = end_of(day, proposal.evidence.original.zone) if day is not None else None
        value = {
            **base.value,
            "kind": kind,
            "content": content,
            "sources": with_source(base.sources, source),
            "confirmed_at": self._at.isoformat(),
        }
        # A whole fact that is restated without an end has none.
        return value, until or (None if restated else base.expires_at)

    def _ask(
        self,
        asks: Asks,
        row: Memory | None,
        proposal: Proposal,
        value: dict[str, Any] | None = None,
        end: datetime | None = None,
        narrow_key: str | None = None,
    ) -> None:
        self.questions.append(
            Question(
                id=uuid4(),
                asks=asks,
                namespace=row.namespace if row else self._own,
                key=row.key if row else str(uuid4()),
                before=row.value if row else {"kind": (value or {})["kind"], "content": {}},
                after=value,
                at=self._at,
                batch=self._batch,
                ends_at=end,
                narrow_key=narrow_key,
                message=proposal.evidence.key,
            )
        )

    def steps(self) -> list[Step]:
        """Return a step for each memory that changed, and ask about those that they supersede."""
        return [
            self._step(key, self._stored.get(key), self._now.get(key))
            for key in {**self._stored, **self._now}
            if self._stored.get(key) is not self._now.get(key)
        ]

    def _step(self, key: str, stored: Memory | None, row: Memory | None) -> Step:
        """Return the step of a memory that changed; a wider one that it supersedes is asked for."""
        said, wider = self._said[key], None
        if row is not None and stored is None:
            wider = next((self._rows[one] for one in row.supersedes if one in self._rows), None)
        action: Action = "remembered"
        if row is None:
            action = "removed"
        elif (known := stored or wider) is not None:
            same = (row.content, row.expires_at) == (known.content, known.expires_at)
            action = "confirmed" if same else "updated"
        if row is not None and wider is not None and action == "updated":
            self._ask("widen", wider, said, row.value, row.expires_at, key)
        return Step(
            action=action,
            actor=actor_of(said.evidence.original.origin, "formation"),
            namespace=self._own,
            key=key,
            before=stored,
            after=row.value if row else None,
            expires_at=row.expires_at if row else None,
            message=said.evidence.key,
        )


def _name(one: Memory | Proposal) -> tuple[str, str]:
    return one.kind, thing(one.kind, one.content)


def _lasting(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value without the time at which it was said last."""
    return {**value, "confirmed_at": None}
