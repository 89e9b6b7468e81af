"""What a run's writes come to: the guard's verdicts, then what is left, against the rows as they
stand. Pure: no database, no model."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from langgraph.store.base import PutOp

from memory.clauses import Said, normalise
from memory.guard import (
    MAX_REMOVALS,
    Quote,
    Refusal,
    check_content,
    check_grounds,
    clean_content,
    find_quote,
    retraction,
    texts,
)
from memory.namespace import Namespace
from memory.schemas import LEVEL_FIELDS, level, searchable_text, subject

Place = tuple[str, str]  # prefix, key


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stored memory."""

    namespace: Namespace
    key: str
    value: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    @property
    def place(self) -> Place:
        """What identifies it among all of a person's memories."""
        return (self.namespace.prefix, self.key)

    @property
    def kind(self) -> str:
        """The name of its schema."""
        return str(self.value["kind"])

    @property
    def content(self) -> dict[str, Any]:
        """The schema's fields."""
        return dict(self.value["content"])

    @property
    def supersedes(self) -> list[Place]:
        """The memories of other audiences that this one stands before."""
        person = self.namespace.person
        return [
            (person.namespace(entry["audience"]).prefix, entry["key"])
            for entry in self.value.get("supersedes") or []
        ]

    def shown(self) -> dict[str, Any]:
        """The value as the memory model sees it: with the newest evidence, without the rest."""
        sources = self.value.get("sources") or [{}]
        evidence = str(sources[-1].get("evidence") or "")
        return {"kind": self.kind, "content": {**self.content, "evidence": evidence}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A write or removal that the guard let pass; without `target` it is new."""

    kind: str
    content: dict[str, Any]
    source: dict[str, Any]
    target: Row | None
    removes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One change in the own namespace."""

    action: Literal["remembered", "updated", "removed"]
    key: str
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(slots=True)
class Settlement:
    """What is to be written in the own namespace: values by key, and keys to remove."""

    inserts: dict[str, dict[str, Any]] = field(default_factory=dict)
    updates: dict[str, dict[str, Any]] = field(default_factory=dict)
    removals: set[str] = field(default_factory=set)
    changes: list[Done] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """The texts whose vectors are needed."""
        values = [*self.inserts.values(), *self.updates.values()]
        return list(dict.fromkeys(searchable_text(value["content"]) for value in values))


def source_of(quote: Quote) -> dict[str, Any]:
    """Return an entry of a memory's `sources`."""
    words = quote.words
    return {
        "kind": words.kind,
        "permalink": words.permalink,
        "channel": words.channel,
        "ts": words.ts,
        "evidence": quote.text,
    }


# --- the guard's verdicts ------------------------------------------------------------------


def to_wishes(
    writes: Iterable[PutOp], rows: Mapping[Place, Row], said: Sequence[Said], *, own: Namespace
) -> tuple[list[Wish], list[Refusal]]:
    """Turn buffered writes into what the guard agrees to, and the codes of what it refused."""
    wishes: list[Wish] = []
    refused: list[Refusal] = []
    removals = 0
    for write in writes:
        target = rows.get((".".join(write.namespace), write.key))
        wish = _judge(write, target, said, own=own)
        if isinstance(wish, Wish) and wish.removes:
            removals += 1
            if removals > MAX_REMOVALS:
                wish = "too_many_removals"
        if isinstance(wish, Wish):
            wishes.append(wish)
        else:
            refused.append(wish)
    return wishes, refused


def _judge(
    write: PutOp, target: Row | None, said: Sequence[Said], *, own: Namespace
) -> Wish | Refusal:
    if target is None and tuple(write.namespace) != own.parts:
        return "wider_audience"
    if write.value is None:
        return _judge_removal(target, said)
    kind = str(write.value["kind"])
    content = dict(write.value["content"])
    quote = find_quote(str(content.pop("evidence", "")), said)
    if not isinstance(quote, Quote):
        return quote
    content = clean_content(content)
    if refusal := check_content(content):
        return refusal
    removes = level(kind, content) == 0
    if removes:
        names = [subject(kind, content)] + ([subject(kind, target.content)] if target else [])
        if not any(retraction(name, said) for name in names):
            return "no_retraction"
    elif refusal := check_grounds(_claims(kind, content, target), quote, said):
        return refusal
    return Wish(kind=kind, content=content, source=source_of(quote), target=target, removes=removes)


def _judge_removal(target: Row | None, said: Sequence[Said]) -> Wish | Refusal:
    if target is None:
        return "nothing_to_remove"
    quote = retraction(subject(target.kind, target.content), said)
    if quote is None:
        return "no_retraction"
    content = target.content
    if target.kind in LEVEL_FIELDS:
        content[LEVEL_FIELDS[target.kind]] = 0
    return Wish(
        kind=target.kind, content=content, source=source_of(quote), target=target, removes=True
    )


def _claims(kind: str, content: Mapping[str, Any], target: Row | None) -> list[str]:
    """Return the texts of which one must be in the person's words."""
    claims = [subject(kind, content)]
    if target is not None:
        before = target.content
        claims += texts([v for k, v in content.items() if v != before.get(k)])
        if normalise(claims[0]) != normalise(subject(target.kind, before)):
            claims.append(subject(target.kind, before))
    return claims


# --- against the rows as they stand --------------------------------------------------------


def settle(
    wishes: Sequence[Wish], rows: Sequence[Row], *, own: Namespace, confirmed_at: str
) -> Settlement:
    """Say what is to be written, given the rows that are there now.

    `rows` are the own namespace's of the kinds concerned, the targets, and what those supersede.
    """
    desk = _Desk(own, {row.place: row for row in rows}, confirmed_at)
    for wish in wishes:
        desk.take(wish)
    return desk.settlement()


class _Desk:
    def __init__(self, own: Namespace, rows: dict[Place, Row], confirmed_at: str) -> None:
        self._own = own
        self._rows = rows
        self._confirmed_at = confirmed_at
        self._before = {row.key: row.value for row in rows.values() if row.namespace == own}
        self._now: dict[str, dict[str, Any] | None] = dict(self._before)
        self._seen: dict[str, dict[str, Any]] = {}
        self._refused: list[Refusal] = []

    def take(self, wish: Wish) -> None:
        target = wish.target
        if target is None:
            self._take_new(wish)
            return
        row = self._rows.get(target.place)
        if row is None:
            self._refused.append("deleted_meanwhile")
        elif row.content != target.content:
            self._refused.append("changed_meanwhile")
        elif target.namespace != self._own:
            self._supersede(wish, row)
        elif wish.removes:
            self._remove(wish, row.key)
        else:
            self._merge(wish, row.key)

    def _take_new(self, wish: Wish) -> None:
        name = _name(wish.kind, wish.content)
        for key, value in self._now.items():
            if value and value["kind"] == wish.kind and _name(wish.kind, value["content"]) == name:
                if wish.removes:
                    self._remove(wish, key)
                else:
                    kept = {k: v for k, v in wish.content.items() if v is not None}
                    self._merge(wish, key, {**value["content"], **kept})
                return
        for row in self._rows.values():
            if (
                row.namespace != self._own
                and row.kind == wish.kind
                and _name(row.kind, row.content) == name
            ):
                self._supersede(wish, row)
                return
        if wish.removes:
            self._refused.append("nothing_to_remove")
        else:
            self._merge(wish, str(uuid.uuid4()))

    def _merge(
        self,
        wish: Wish,
        key: str,
        content: dict[str, Any] | None = None,
        supersedes: Row | None = None,
    ) -> None:
        old = self._now.get(key) or {}
        value = {
            **old,
            "kind": wish.kind,
            "content": wish.content if content is None else content,
            "sources": [*(old.get("sources") or []), wish.source],
            "confirmed_at": self._confirmed_at,
        }
        if supersedes is not None:
            entry = {"audience": supersedes.namespace.audience, "key": supersedes.key}
            others = [e for e in old.get("supersedes") or [] if e != entry]
            value["supersedes"] = [*others, entry]
            self._seen.setdefault(key, supersedes.content)
        self._now[key] = value

    def _supersede(self, wish: Wish, row: Row) -> None:
        """Stand before a memory of other ears; the memory itself stays as it is."""
        if wish.removes and wish.kind not in LEVEL_FIELDS:
            self._refused.append("wider_audience")
            return
        entry = {"audience": row.namespace.audience, "key": row.key}
        key = next(
            (k for k, v in self._now.items() if v and entry in (v.get("supersedes") or [])),
            str(uuid.uuid4()),
        )
        self._merge(wish, key, supersedes=row)

    def _remove(self, wish: Wish, key: str) -> None:
        value = self._now[key]
        standing = [
            entry
            for entry in (value or {}).get("supersedes") or []
            if (self._own.person.namespace(entry["audience"]).prefix, entry["key"]) in self._rows
        ]
        if not standing:
            self._now[key] = None
        elif wish.kind in LEVEL_FIELDS:
            # Gone, it would let the wider memory show again.
            self._merge(wish, key)
        else:
            self._refused.append("wider_audience")

    def settlement(self) -> Settlement:
        result = Settlement(refused=self._refused)
        for key, value in self._now.items():
            before = self._before.get(key)
            if value is before:
                continue
            if value is None:
                if before is None:
                    continue
                result.removals.add(key)
            elif before is None:
                result.inserts[key] = value
            else:
                result.updates[key] = value
            result.changes.append(self._done(key, before, value))
        return result

    def _done(self, key: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Done:
        kind = str((after or before or {})["kind"])
        seen = before["content"] if before else self._seen.get(key)
        if after is None or level(kind, after["content"]) == 0:
            return Done(action="removed", key=key, kind=kind, before=seen, after=None)
        action: Literal["remembered", "updated"] = "updated" if seen else "remembered"
        return Done(action=action, key=key, kind=kind, before=seen, after=after["content"])


def _name(kind: str, content: Mapping[str, Any]) -> str:
    return re.sub(r"\s", "", normalise(subject(kind, content)))
