"""What a run's wishes come to, given the rows as they stand now. Pure: no database, no model."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from memory.clauses import normalise
from memory.guard import Refusal
from memory.namespace import Namespace
from memory.schemas import LEVEL_FIELDS, level, searchable_text, subject
from memory.wishes import Place, Row, Wish


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
        if seen is not None and level(kind, seen) == 0:
            seen = None  # it only stood before a wider memory, to hide it
        if after is None or level(kind, after["content"]) == 0:
            return Done(action="removed", key=key, kind=kind, before=seen, after=None)
        action: Literal["remembered", "updated"] = "updated" if seen else "remembered"
        return Done(action=action, key=key, kind=kind, before=seen, after=after["content"])


def _name(kind: str, content: Mapping[str, Any]) -> str:
    return re.sub(r"\s", "", normalise(subject(kind, content)))
