"""What a run's wishes come to, given the rows as they stand now. Pure: no database, no model."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from memory.clauses import normalise
from memory.guard import Refusal, settles
from memory.namespace import Namespace
from memory.rows import Place, Row
from memory.schemas import LEVEL_FIELDS, level, subject
from memory.wishes import Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One change in the own namespace; `row` and `value` are what is stored before and after.

    `before` and `after` are the contents as the person knows them: of a memory that stands before
    a wider one, `before` is what that one says; what is only there to hide it says nothing.
    """

    action: Literal["remembered", "updated", "confirmed", "removed"]
    key: str
    kind: str
    row: Row | None
    value: dict[str, Any] | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the person is to decide: about `row`, which would get `value` (None: it would go).

    `narrow` is the key, in the own namespace, of what stands before a wider `row`.
    """

    kind: Literal["replace", "remove", "widen"]
    row: Row
    value: dict[str, Any] | None
    narrow: str | None = None


@dataclass(slots=True)
class Settlement:
    """What is to be written in the own namespace, and what is to be asked."""

    changes: list[Done] = field(default_factory=list)
    questions: list[Asked] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


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


def with_source(sources: Sequence[dict[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Return `sources` with `new`; a message is one source, however often it is read."""
    place = (new.get("channel"), new.get("ts"))
    if None in place:
        return [*sources, new]
    others = [one for one in sources if (one.get("channel"), one.get("ts")) != place]
    return [*sources] if new in sources else [*others, new]


def same_thing(kind: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two contents of a kind are about the same thing."""
    return _name(kind, one) == _name(kind, other)


class _Desk:
    def __init__(self, own: Namespace, rows: dict[Place, Row], confirmed_at: str) -> None:
        self._own = own
        self._rows = rows
        self._confirmed_at = confirmed_at
        self._there = {row.key: row for row in rows.values() if row.namespace == own}
        self._now: dict[str, dict[str, Any] | None] = {
            key: row.value for key, row in self._there.items()
        }
        self._seen: dict[str, Row] = {}
        self._refused: list[Refusal] = []
        self._questions: list[Asked] = []

    def take(self, wish: Wish) -> None:
        if wish.until is not None and wish.until <= datetime.fromisoformat(self._confirmed_at):
            self._refused.append("ended")
            return
        target = wish.target
        if target is None:
            self._take_new(wish)
            return
        row = self._rows.get(target.place)
        if row is None:
            self._refused.append("deleted_meanwhile")
        elif target.namespace != self._own:
            self._supersede(wish, row)
        elif wish.removes:
            self._remove(wish, row, changed=row.content != target.content)
        else:
            self._change(wish, target, row)

    def _take_new(self, wish: Wish) -> None:
        for key, value in self._now.items():
            if (
                value
                and value["kind"] == wish.kind
                and same_thing(wish.kind, value["content"], wish.content)
            ):
                if wish.removes and key in self._there:
                    self._remove(wish, self._there[key])
                elif wish.removes:
                    self._now[key] = None
                else:
                    kept = {k: v for k, v in wish.content.items() if v is not None}
                    self._put(wish, key, {**value["content"], **kept})
                return
        for row in self._rows.values():
            if (
                row.namespace != self._own
                and row.kind == wish.kind
                and same_thing(row.kind, row.content, wish.content)
            ):
                self._supersede(wish, row)
                return
        if wish.removes:
            self._refused.append("nothing_to_remove")
        else:
            self._merge(wish, str(uuid.uuid4()))

    def _change(self, wish: Wish, target: Row, row: Row) -> None:
        """Change a memory; what was changed meanwhile in other fields stays, in these is asked."""
        wanted = {k: v for k, v in wish.content.items() if v != target.content.get(k)}
        meanwhile = {k for k, v in row.content.items() if v != target.content.get(k)}
        content = {**row.content, **wanted}
        if meanwhile & {k for k, v in wanted.items() if v != row.content.get(k)}:
            self._ask("replace", wish, row, content)
        else:
            current = self._now.get(row.key) or row.value
            self._put(wish, row.key, {**current["content"], **wanted})

    def _put(self, wish: Wish, key: str, content: dict[str, Any]) -> None:
        """Change a memory where the words settle that, else ask; the old stays until then."""
        row = self._there.get(key)
        ended = row is not None and level(row.kind, row.content) == 0
        if row is None or ended or settles(wish.clauses, wish.kind, row.content, content):
            self._merge(wish, key, content)
        else:
            self._ask("replace", wish, row, content)

    def _merge(
        self,
        wish: Wish,
        key: str,
        content: dict[str, Any] | None = None,
        supersedes: Row | None = None,
    ) -> None:
        old = self._now.get(key) or {}
        value = self._value(wish, old, wish.content if content is None else content)
        if supersedes is not None:
            entry = {"audience": supersedes.namespace.audience, "key": supersedes.key}
            others = [e for e in old.get("supersedes") or [] if e != entry]
            value["supersedes"] = [*others, entry]
            self._seen.setdefault(key, supersedes)
        if {**value, "confirmed_at": None} != {**old, "confirmed_at": None}:
            self._now[key] = value

    def _value(self, wish: Wish, old: Mapping[str, Any], content: dict[str, Any]) -> dict[str, Any]:
        value = {
            **old,
            "kind": wish.kind,
            "content": content,
            "sources": with_source(old.get("sources") or [], wish.source),
            "confirmed_at": self._confirmed_at,
        }
        before = old.get("content") or {}
        stated = content == before or subject(wish.kind, content) != subject(wish.kind, before)
        if wish.until is not None:
            value["expires_at"] = wish.until.isoformat()
        elif stated:
            value.pop("expires_at", None)  # said anew as a whole, and without an end
        return value

    def _ask(
        self,
        kind: Literal["replace", "remove"],
        wish: Wish,
        row: Row,
        content: dict[str, Any] | None,
    ) -> None:
        value = None if content is None else self._value(wish, row.value, content)
        self._questions.append(Asked(kind=kind, row=row, value=value))

    def _supersede(self, wish: Wish, row: Row) -> None:
        """Stand before a memory of other ears; the memory itself stays as it is."""
        if wish.removes and wish.kind not in LEVEL_FIELDS:
            self._refused.append("wider_audience")
            return
        if wish.asks:
            # A yes would remove it for wider ears too, which nobody has asked for.
            self._refused.append("too_many_removals")
            return
        entry = {"audience": row.namespace.audience, "key": row.key}
        key = next(
            (k for k, v in self._now.items() if v and entry in (v.get("supersedes") or [])),
            str(uuid.uuid4()),
        )
        self._merge(wish, key, supersedes=row)

    def _remove(self, wish: Wish, row: Row, *, changed: bool = False) -> None:
        if wish.asks or changed:
            self._ask("remove", wish, row, None)
            return
        value = self._now[row.key]
        standing = [
            entry
            for entry in (value or {}).get("supersedes") or []
            if (self._own.person.namespace(entry["audience"]).prefix, entry["key"]) in self._rows
        ]
        if not standing:
            self._now[row.key] = None
        elif wish.kind in LEVEL_FIELDS:
            # Gone, it would let the wider memory show again.
            self._merge(wish, row.key)
        else:
            self._refused.append("wider_audience")

    def settlement(self) -> Settlement:
        changes = [
            self._done(key, self._there.get(key), value)
            for key, value in self._now.items()
            if value is not (self._there[key].value if key in self._there else None)
        ]
        return Settlement(
            changes=changes,
            questions=[*self._questions, *self._widenings(changes)],
            refused=self._refused,
        )

    def _widenings(self, changes: Sequence[Done]) -> list[Asked]:
        return [
            Asked(kind="widen", row=wide, value=done.value if done.after else None, narrow=done.key)
            for done in changes
            if (wide := self._seen.get(done.key)) and done.action != "confirmed"
        ]

    def _done(self, key: str, row: Row | None, value: dict[str, Any] | None) -> Done:
        kind = str((value or (row.value if row else {}))["kind"])
        wide = self._seen.get(key)
        seen = row.content if row else wide.content if wide else None
        if seen is not None and level(kind, seen) == 0:
            seen = None  # it only stood before a wider memory, to hide it
        after = None if value is None else dict(value["content"])
        action: Literal["remembered", "updated", "confirmed", "removed"]
        if after is None or level(kind, after) == 0:
            action, after = "removed", None
        elif seen is None:
            action = "remembered"
        else:
            action = "confirmed" if after == seen else "updated"
        return Done(
            action=action, key=key, kind=kind, row=row, value=value, before=seen, after=after
        )


def _name(kind: str, content: Mapping[str, Any]) -> str:
    return re.sub(r"\s", "", normalise(subject(kind, content)))
