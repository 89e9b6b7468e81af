"""Decisions on judged proposals, given the current rows. Pure: no database, no model.

The verdict decides whether a proposal is stored or refused, or whether the person is asked
(`memory.formation.verdict_rules`). The rows decide whether it adds, changes or removes a memory.
If the commit finds another row or version than the verdict was about, the person is asked.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

from memory.formation.proposals import ProposedWrite, Reason, RefusedProposal
from memory.formation.verdict_rules import asks_first, end_of, refusal
from memory.formation.verdicts import SensitivePolicy, Verdict
from memory.model.namespace import Namespace
from memory.model.schemas import LEVEL_FIELDS, level, subject, thing
from memory.store.memories import Memory, MessageKey, RowKey
from memory.store.rows import with_source
from memory.store.unit_of_work import Action, Actor, Step

Content: TypeAlias = dict[str, Any]


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
    narrow: str | None = None


@dataclass(slots=True)
class Decisions:
    """The changes to write in the own namespace, the questions to ask, and the refusals.

    `shown` are the contents before and after each change that the person sees, by its key. For a
    memory that supersedes a wider one, the first is the content of the wider one. A row that only
    hides a wider memory has none.
    """

    changes: list[Step] = field(default_factory=list)
    shown: dict[str, tuple[Content | None, Content | None]] = field(default_factory=dict)
    questions: list[NewQuestion] = field(default_factory=list)
    refused: list[RefusedProposal] = field(default_factory=list)


def decide(
    judged: Sequence[tuple[ProposedWrite, Verdict | None]],
    rows: Sequence[Memory],
    *,
    own: Namespace,
    at: datetime,
    actor: Actor,
    sensitive: SensitivePolicy | None,
    verified: bool,
    room: int,
) -> Decisions:
    """Decide what to write, given the current rows; at most `room` memories are new.

    `rows` are the own namespace's rows of the kinds concerned, the targets, and the rows that the
    targets supersede. With `verified` False there are no verdicts, and every proposal that passed
    the evidence rule is stored.
    """
    run = _Run(own, {row.row_key: row for row in rows}, at, actor, room)
    for proposal, verdict in judged:
        if verified:
            refused = refusal(proposal, verdict, at, sensitive)
            if refused is not None:
                run.refuse(proposal, refused)
                continue
        run.take(proposal, verdict, asks_first(proposal, verdict, own, sensitive))
    return run.decisions()


def _same_end(row: Memory | None, value: dict[str, Any] | None) -> bool:
    """Return whether `value` keeps the stored expiry; a superseded wider memory has its own."""
    return row is None or row.value.get("expires_at") == (value or {}).get("expires_at")


def _taken_over(wider: Memory | None) -> dict[str, Any]:
    """Return what a memory that supersedes `wider` has of it before its own fields are written."""
    value = wider.value if wider else {}
    return {name: value[name] for name in ("content", "expires_at") if name in value}


def _entry(wider: Memory) -> dict[str, Any]:
    """Return the entry of `supersedes` for a memory of a wider audience."""
    return {"audience": wider.namespace.audience, "key": wider.key}


def _messages(proposal: ProposedWrite) -> tuple[MessageKey, ...]:
    said = proposal.evidence.original
    return ((said.channel, said.ts),) if said.channel and said.ts else ()


class _Run:
    """The memories of the own namespace while the proposals are applied in order."""

    def __init__(
        self, own: Namespace, rows: dict[RowKey, Memory], at: datetime, actor: Actor, room: int
    ) -> None:
        self._own = own
        self._room = room
        self._actor = actor
        self._rows = rows
        self._confirmed_at = at.isoformat()
        self._stored = {row.key: row for row in rows.values() if row.namespace == own}
        self._values: dict[str, dict[str, Any] | None] = {
            key: row.value for key, row in self._stored.items()
        }
        self._keys = {
            (row.kind, thing(row.kind, row.content)): key for key, row in self._stored.items()
        }
        self._wider: dict[str, Memory] = {}
        self._said: dict[str, tuple[MessageKey, ...]] = {}
        self._decisions = Decisions()

    def refuse(self, proposal: ProposedWrite, reason: Reason) -> None:
        self._decisions.refused.append(proposal.refused(reason))

    def take(self, proposal: ProposedWrite, verdict: Verdict | None, asks: bool) -> None:
        target = proposal.target
        if target is None:
            self._take_new(proposal, verdict, asks)
            return
        row = self._rows.get(target.row_key)
        if row is None:
            self.refuse(proposal, "deleted_meanwhile")
        elif target.namespace != self._own:
            self._supersede(proposal, verdict, row, asks or row.content != target.content)
        elif proposal.removes:
            self._remove(proposal, verdict, row, asks=asks or row.content != target.content)
        elif row.content != target.content:
            self._ask(proposal, verdict, row, proposal.over(row.content))
        elif asks and proposal.values:
            hidden = level(row.kind, row.content) == 0
            known = None if hidden else row
            self._ask(proposal, verdict, known, proposal.over(row.content))
        else:
            current = self._values.get(row.key) or row.value
            self._merge(proposal, verdict, row.key, proposal.over(current["content"]))

    def _take_new(self, proposal: ProposedWrite, verdict: Verdict | None, asks: bool) -> None:
        key = self._keys.get((proposal.kind, thing(proposal.kind, proposal.content)))
        value = self._values.get(key) if key is not None else None
        if key is not None and value is not None:
            proposal = replace(proposal, by_name=True)
            row = self._stored.get(key)
            if row is not None and not proposal.removes:
                # It was stored after the verdict was asked for.
                self._ask(proposal, verdict, row, proposal.over(row.content))
            elif row is not None:
                self._remove(proposal, verdict, row, asks=True)
            elif proposal.removes:
                self._values[key] = None
            else:
                self._merge(proposal, verdict, key, proposal.over(value["content"]))
            return
        if proposal.removes:
            self.refuse(proposal, "nothing_to_remove")
        elif self._room < 1:
            self.refuse(proposal, "full")
        elif asks:
            self._ask(proposal, verdict, None, proposal.content)
        else:
            self._room -= 1
            self._merge(proposal, verdict, str(uuid.uuid4()), proposal.content)

    def _merge(
        self,
        proposal: ProposedWrite,
        verdict: Verdict | None,
        key: str,
        content: dict[str, Any],
        supersedes: Memory | None = None,
    ) -> None:
        old = self._values.get(key) or _taken_over(supersedes)
        value = self._value(proposal, verdict, old, content)
        self._said[key] = (*self._said.get(key, ()), *_messages(proposal))
        if supersedes is not None:
            entry = _entry(supersedes)
            others = [e for e in old.get("supersedes") or [] if e != entry]
            value["supersedes"] = [*others, entry]
            self._wider.setdefault(key, supersedes)
        if {**value, "confirmed_at": None} != {**old, "confirmed_at": None}:
            self._values[key] = value
            self._keys.setdefault((proposal.kind, thing(proposal.kind, value["content"])), key)

    def _value(
        self,
        proposal: ProposedWrite,
        verdict: Verdict | None,
        old: Mapping[str, Any],
        content: dict[str, Any],
    ) -> dict[str, Any]:
        value = {
            **old,
            "kind": proposal.kind,
            "content": content,
            "sources": with_source(old.get("sources") or [], proposal.evidence.source()),
            "confirmed_at": self._confirmed_at,
        }
        before = old.get("content") or {}
        anew = proposal.evidence.source() not in (old.get("sources") or [])
        restated = anew and (
            content == before or subject(proposal.kind, content) != subject(proposal.kind, before)
        )
        day = verdict.valid_until if verdict is not None else None
        end = end_of(day, proposal.evidence.original.zone) if day is not None else None
        if end is not None:
            value["expires_at"] = end.isoformat()
        elif restated:
            value.pop("expires_at", None)  # the whole fact was restated without an end
        return value

    def _ask(
        self,
        proposal: ProposedWrite,
        verdict: Verdict | None,
        row: Memory | None,
        content: dict[str, Any],
        supersedes: Memory | None = None,
    ) -> None:
        if row is not None and content == row.content:
            self._merge(proposal, verdict, row.key, content)  # already stored: nothing to ask
            return
        old = row.value if row else _taken_over(supersedes)
        value = self._value(proposal, verdict, old, content)
        if supersedes is not None:
            value["supersedes"] = [_entry(supersedes)]
        asks: Literal["replace", "store"] = "replace" if row else "store"
        messages = _messages(proposal)
        self._decisions.questions.append(
            NewQuestion(asks=asks, row=row, value=value, messages=messages)
        )

    def _supersede(
        self, proposal: ProposedWrite, verdict: Verdict | None, row: Memory, asks: bool
    ) -> None:
        """Supersede a memory of another audience; the memory itself stays as it is."""
        entry = _entry(row)
        key = next(
            (k for k, v in self._values.items() if v and entry in (v.get("supersedes") or [])),
            str(uuid.uuid4()),
        )
        narrow = self._stored.get(key)  # it was stored after the memories were read
        asks = asks or narrow is not None
        if proposal.removes and (asks or proposal.kind not in LEVEL_FIELDS):
            # A yes would also remove the memory in the wider audience; the person did not ask that.
            self.refuse(proposal, "wider_audience")
            return
        if narrow is not None and not narrow.hides:
            self._ask(proposal, verdict, narrow, proposal.over(narrow.content))
            return
        known = self._values.get(key) if narrow is None else None
        content = proposal.over(known["content"] if known else row.content)
        if known is None and narrow is None and self._room < 1:
            self.refuse(proposal, "full")
        elif asks:
            self._ask(proposal, verdict, None, content, supersedes=row)
        else:
            self._room -= known is None and narrow is None
            self._merge(proposal, verdict, key, content, supersedes=row)

    def _remove(
        self, proposal: ProposedWrite, verdict: Verdict | None, row: Memory, *, asks: bool
    ) -> None:
        value = self._values[row.key]
        superseded = [
            entry
            for entry in (value or {}).get("supersedes") or []
            if (f"{self._own.person.prefix}.{entry['audience']}", entry["key"]) in self._rows
        ]
        # If a row that supersedes a wider memory were deleted, that one would be visible again.
        if asks and not superseded:
            messages = _messages(proposal)
            self._decisions.questions.append(
                NewQuestion(asks="remove", row=row, value=None, messages=messages)
            )
        elif not superseded:
            self._values[row.key] = None
        elif proposal.kind in LEVEL_FIELDS and not asks:
            ended = {LEVEL_FIELDS[proposal.kind]: 0}
            self._merge(proposal, verdict, row.key, {**row.content, **ended})
        else:
            self.refuse(proposal, "wider_audience")

    def decisions(self) -> Decisions:
        changes = [
            self._change(key, self._stored.get(key), value)
            for key, value in self._values.items()
            if value is not (self._stored[key].value if key in self._stored else None)
        ]
        self._decisions.changes = changes
        self._decisions.questions += self._widenings(changes)
        return self._decisions

    def _widenings(self, changes: Sequence[Step]) -> list[NewQuestion]:
        return [
            NewQuestion(
                asks="widen",
                row=wide,
                value=None if one.action == "removed" else one.after,
                narrow=one.key,
                messages=self._said.get(one.key, ()),
            )
            for one in changes
            if (wide := self._wider.get(one.key)) and one.action != "confirmed"
        ]

    def _change(self, key: str, row: Memory | None, value: dict[str, Any] | None) -> Step:
        kind = str((value or (row.value if row else {}))["kind"])
        wide = self._wider.get(key)
        before = row.content if row else wide.content if wide else None
        if before is not None and level(kind, before) == 0:
            before = None  # the row only hid a wider memory
        after = None if value is None else dict(value["content"])
        action: Action
        if after is None or level(kind, after) == 0:
            action, after = "removed", None
        elif before is None:
            action = "remembered"
        else:
            action = "confirmed" if after == before and _same_end(row, value) else "updated"
        self._decisions.shown[key] = before, after
        return Step(
            action=action,
            actor=self._actor,
            namespace=self._own,
            key=key,
            before=row,
            after=value,
        )
