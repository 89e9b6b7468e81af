"""Decide on judged proposals, given the current rows. Pure: no database, no model.

The verdict decides whether a proposal is stored or refused, or whether the person is asked
(`memory.formation.verdict`). The rows decide whether it adds, changes or removes a memory. If they
are not those that the verdict was about, the person is asked.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from memory.formation.proposal import Proposal, Reason, Refusal
from memory.formation.verdict import SensitivePolicy, asks_first, end_of, refusal
from memory.model.namespace import Namespace
from memory.model.schemas import PROMISE_KIND, subject, thing
from memory.store.edits import with_source
from memory.store.memories import Memory, MessageKey
from memory.store.versions import Action, Actor, Step

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuestion:
    """A question to the person.

    `asks` says what a yes does. ``replace``, and ``widen`` with a `value`: `row` gets `value`.
    ``remove``, and ``widen`` without one: `row` is removed. ``store``: `value` is stored; there is
    no `row`. `narrow` is the key, in the own namespace, of the memory that supersedes a wider
    `row`. `messages` are those that the question is asked because of.
    """

    asks: Literal["replace", "remove", "widen", "store"]
    row: Memory | None
    value: dict[str, Any] | None
    messages: tuple[MessageKey, ...]
    expires_at: datetime | None = None
    narrow: str | None = None


@dataclass(slots=True)
class Decisions:
    """The steps to write in the own namespace, the questions to ask, and the refusals.

    `wider` are, by key, the memories of wider audiences that a new memory supersedes.
    """

    steps: list[Step] = field(default_factory=list)
    wider: dict[str, Memory] = field(default_factory=dict)
    questions: list[NewQuestion] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


@dataclass(slots=True)
class _Draft:
    """A memory of the own namespace while the proposals are applied; `value` None: removed."""

    row: Memory | None
    value: dict[str, Any] | None
    expires_at: datetime | None
    messages: tuple[MessageKey, ...] = ()


def decide(
    proposals: Sequence[Proposal],
    rows: Collection[Memory],
    *,
    own: Namespace,
    at: datetime,
    actor: Actor,
    sensitive: SensitivePolicy | None,
    room: int,
) -> Decisions:
    """Decide what to write, given the current rows; at most `room` memories are new.

    `rows` are the own namespace's rows of the kinds concerned, the targets, and the rows that the
    targets supersede.
    """
    run = _Run(own, {row.key: row for row in rows}, at, actor, room)
    for proposal in proposals:
        reason = refusal(proposal, at, sensitive)
        if reason is not None:
            run.refuse(proposal, reason)
        else:
            run.take(proposal, asks_first(proposal, own, sensitive))
    return run.decisions()


def messages_of(proposal: Proposal) -> tuple[MessageKey, ...]:
    """Return the message that a proposal quotes; empty if it has no channel and ts."""
    said = proposal.evidence.original
    return ((said.channel, said.ts),) if said.channel and said.ts else ()


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
    def __init__(
        self, own: Namespace, rows: Mapping[str, Memory], at: datetime, actor: Actor, room: int
    ) -> None:
        self._own = own
        self._room = room
        self._actor = actor
        self._rows = rows
        self._at = at
        self._drafts = {
            key: _Draft(row, row.value, row.expires_at)
            for key, row in rows.items()
            if row.namespace == own
        }
        self._keys = {
            (draft.row.kind, thing(draft.row.kind, draft.row.content)): key
            for key, draft in self._drafts.items()
            if draft.row is not None
        }
        self._decisions = Decisions()

    def refuse(self, proposal: Proposal, reason: Reason) -> None:
        self._decisions.refused.append(proposal.refused(reason))

    def take(self, proposal: Proposal, asks: bool) -> None:
        target = proposal.target
        if target is None:
            self._take_new(proposal, asks)
            return
        row = self._rows.get(target.key)
        if row is None:
            self.refuse(proposal, "unusable")
            return
        other = row.content != target.content
        if row.namespace != self._own:
            if proposal.removes:
                self._question("remove", row, None, proposal)
            else:
                self._supersede(proposal, row, asks or other)
        elif proposal.removes:
            self._remove(proposal, row, asks=asks or other)
        elif other or (asks and proposal.values):
            self._ask(proposal, row, proposal.over(row.content))
        else:
            current = self._drafts[row.key].value or row.value
            self._merge(proposal, row.key, proposal.over(current["content"]))

    def _take_new(self, proposal: Proposal, asks: bool) -> None:
        key = self._keys.get((proposal.kind, thing(proposal.kind, proposal.content)))
        draft = self._drafts.get(key) if key is not None else None
        if key is not None and draft is not None and draft.value is not None:
            proposal = replace(proposal, by_name=True)
            if draft.row is None:
                if proposal.removes:
                    draft.value = None
                else:
                    self._merge(proposal, key, proposal.over(draft.value["content"]))
            elif proposal.removes:
                self._remove(proposal, draft.row, asks=True)
            else:  # it was stored after the verdict was asked for
                self._ask(proposal, draft.row, proposal.over(draft.row.content))
        elif proposal.removes:
            self.refuse(proposal, "unusable")
        elif self._room < 1:
            self.refuse(proposal, "full")
        elif asks:
            self._ask(proposal, None, proposal.content)
        else:
            self._room -= 1
            self._merge(proposal, str(uuid.uuid4()), proposal.content)

    def _merge(
        self,
        proposal: Proposal,
        key: str,
        content: dict[str, Any],
        supersedes: Memory | None = None,
    ) -> None:
        draft = self._drafts.get(key) or _Draft(None, None, None)
        old = draft.value
        value, end = self._value(proposal, old, draft.expires_at, content, supersedes)
        draft.messages = (*draft.messages, *messages_of(proposal))
        if supersedes is not None:
            self._decisions.wider.setdefault(key, supersedes)
        known = {**(old or {}), "confirmed_at": None}
        if {**value, "confirmed_at": None} != known or end != draft.expires_at:
            draft.value, draft.expires_at = value, end
            self._drafts[key] = draft
            self._keys.setdefault((proposal.kind, thing(proposal.kind, content)), key)

    def _value(
        self,
        proposal: Proposal,
        old: Mapping[str, Any] | None,
        end: datetime | None,
        content: dict[str, Any],
        wider: Memory | None = None,
    ) -> tuple[dict[str, Any], datetime | None]:
        """Return the new value and expiry; what supersedes `wider` begins as that."""
        if old is None and wider is not None:
            before, end, kept = wider.content, wider.expires_at, {}
        else:
            kept = dict(old or {})
            before = kept.get("content") or {}
        source, said = proposal.evidence.source(), kept.get("sources") or []
        value = {
            **kept,
            "kind": proposal.kind,
            "content": content,
            "sources": with_source(said, source),
            "confirmed_at": self._at.isoformat(),
        }
        if wider is not None:
            others = [e for e in kept.get("supersedes") or [] if e.get("key") != wider.key]
            value["supersedes"] = [*others, {"key": wider.key}]
        restated = source not in said and (
            content == before or subject(proposal.kind, content) != subject(proposal.kind, before)
        )
        day = proposal.verdict.valid_until if proposal.verdict else None
        if proposal.kind == PROMISE_KIND:  # it ends when it is kept, not when it is due
            day, value["content"] = None, {**content, **_due(proposal)}
        until = end_of(day, proposal.evidence.original.zone) if day is not None else None
        # A whole fact that is restated without an end has none.
        return value, until or (None if restated else end)

    def _ask(
        self,
        proposal: Proposal,
        row: Memory | None,
        content: dict[str, Any],
        wider: Memory | None = None,
    ) -> None:
        if row is not None and content == row.content:
            self._merge(proposal, row.key, content)  # already stored: nothing to ask
            return
        old, end = (row.value, row.expires_at) if row else (None, None)
        value, end = self._value(proposal, old, end, content, wider)
        self._question("replace" if row else "store", row, value, proposal, end)

    def _question(
        self,
        asks: Literal["replace", "remove", "store"],
        row: Memory | None,
        value: dict[str, Any] | None,
        proposal: Proposal,
        end: datetime | None = None,
    ) -> None:
        self._decisions.questions.append(
            NewQuestion(
                asks=asks, row=row, value=value, messages=messages_of(proposal), expires_at=end
            )
        )

    def _supersede(self, proposal: Proposal, row: Memory, asks: bool) -> None:
        """Supersede a memory of another audience; the memory itself stays as it is."""
        key, draft = next(
            (
                (key, draft)
                for key, draft in self._drafts.items()
                if any(e.get("key") == row.key for e in (draft.value or {}).get("supersedes") or ())
            ),
            (str(uuid.uuid4()), None),
        )
        if draft is not None and draft.row is not None:  # stored after the memories were read
            self._ask(proposal, draft.row, proposal.over(draft.row.content))
            return
        known = draft.value if draft else None
        content = proposal.over(known["content"] if known else row.content)
        if known is None and self._room < 1:
            self.refuse(proposal, "full")
        elif asks:
            self._ask(proposal, None, content, wider=row)
        else:
            self._room -= known is None
            self._merge(proposal, key, content, supersedes=row)

    def _remove(self, proposal: Proposal, row: Memory, *, asks: bool) -> None:
        if asks:
            self._question("remove", row, None, proposal)
        else:
            draft = self._drafts[row.key]
            draft.value, draft.messages = None, messages_of(proposal)
        # What it supersedes is visible again then.
        for key in row.supersedes:
            if (wider := self._rows.get(key)) is not None:
                self._question("remove", wider, None, proposal)

    def decisions(self) -> Decisions:
        for key, draft in self._drafts.items():
            row = draft.row
            if draft.value is not (row.value if row else None) or (
                row is not None and draft.expires_at != row.expires_at
            ):
                self._decisions.steps.append(self._step(key, draft))
        self._decisions.questions += [
            NewQuestion(
                asks="widen",
                row=wide,
                value=step.after,
                expires_at=step.expires_at,
                narrow=step.key,
                messages=self._drafts[step.key].messages,
            )
            for step in self._decisions.steps
            if (wide := self._decisions.wider.get(step.key)) and step.action != "confirmed"
        ]
        return self._decisions

    def _step(self, key: str, draft: _Draft) -> Step:
        known = draft.row or self._decisions.wider.get(key)
        action: Action = "remembered"
        if draft.value is None:
            action = "removed"
        elif known is not None:
            same = draft.value["content"] == known.content
            kept_end = draft.expires_at == known.expires_at
            action = "confirmed" if same and kept_end else "updated"
        return Step(
            action=action,
            actor=self._actor,
            namespace=self._own,
            key=key,
            before=draft.row,
            after=draft.value,
            expires_at=draft.expires_at,
            message=next(iter(draft.messages[-1:]), None),
        )
