"""The changes that an import would make, planned without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from memory.store.documents import Document, Imported
from memory.store.duplicates import numbers_in
from memory.store.memories import Memory, RowKey, thing_of

Fate: TypeAlias = Literal["added", "updated", "unchanged", "similar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMemory:
    """One memory of an import; `now` is the stored memory about the same subject.

    With the fate ``similar``, `now` is the stored memory that says the same in other words.
    """

    fate: Fate
    memory: Imported
    now: Memory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """The changes that an import would make; `refused` counts the other entries by reason.

    If it is not `compared`, embeddings were unavailable, and no memory has the fate ``similar``.
    """

    planned: tuple[PlannedMemory, ...]
    refused: Mapping[str, int] = field(default_factory=dict)
    compared: bool = True

    def of(self, fate: Fate) -> list[PlannedMemory]:
        """Return the memories with this fate, in the document's order."""
        return [one for one in self.planned if one.fate == fate]

    @property
    def changes(self) -> list[PlannedMemory]:
        """Memories that are added or updated without confirmation, in that order."""
        found = [*self.of("added"), *self.of("updated")]
        return [one for one in found if not one.memory.is_instruction]

    @property
    def shown(self) -> list[PlannedMemory]:
        """The `changes`, then what is left out because a stored memory says the same."""
        return [*self.changes, *self.of("similar")]

    @property
    def instructions(self) -> list[PlannedMemory]:
        """Instructions that would be added or updated; the person confirms each one."""
        return [p for p in self.planned if p.fate != "unchanged" and p.memory.is_instruction]


def plan_document(
    found: Document, stored: Sequence[Memory], similar: Mapping[str, RowKey]
) -> ImportPlan:
    """Return the plan; takes time linear in the sizes of document and stored memories."""
    plan = _Planning(stored, similar)
    for one in found.memories:
        plan.add(one)
    return ImportPlan(planned=tuple(plan.planned), refused=found.refused)


class _Planning:
    """The stored memories and the planned changes while a document is processed in order.

    Each row is written once: of two entries about the same subject the newer one wins.
    """

    def __init__(self, stored: Sequence[Memory], similar: Mapping[str, RowKey]) -> None:
        self.planned: list[PlannedMemory] = []
        self._similar = similar
        self._moment = datetime.now(UTC)
        self._rows: dict[RowKey, Memory] = {}
        self._things: dict[tuple[str, str, str], Memory] = {}
        self._writes: dict[RowKey, int] = {}
        for row in stored:
            self._rows[row.row_key] = row
            self._things.setdefault(thing_of(row.namespace, row.value), row)

    def add(self, one: Imported) -> None:
        """Plan the next memory of the document."""
        stored = self._rows.get(one.row_key)
        now = stored or self._things.get(thing_of(one.namespace, one.value))
        if now is None and (near := self._stored_similar(one)) is not None:
            self.planned.append(PlannedMemory(fate="similar", memory=one, now=near))
            return
        fate = _fate(one, now)
        number = self._writes.get(now.row_key) if now else None
        if fate == "unchanged" or now is None or number is None:
            self.planned.append(PlannedMemory(fate=fate, memory=one, now=now))
        else:
            # It replaces an earlier entry of the document.
            earlier = self.planned[number]
            self.planned[number] = replace(earlier, fate="unchanged")
            if earlier.now is None:
                fate, one = "added", replace(one, key=earlier.memory.key)
            self.planned.append(PlannedMemory(fate=fate, memory=one, now=earlier.now))
        if fate != "unchanged":
            self._note(self.planned[-1])

    def _stored_similar(self, one: Imported) -> Memory | None:
        row_key = self._similar.get(one.key)
        near = self._rows.get(row_key) if row_key else None
        if near is None or near.hides:
            return None
        return near if numbers_in(near.content) == numbers_in(one.value["content"]) else None

    def _note(self, planned: PlannedMemory) -> None:
        memory, now = planned.memory, planned.now
        row = Memory(
            namespace=memory.namespace,
            key=now.key if now else memory.key,
            value=memory.value,
            created_at=memory.created_at or self._moment,
            updated_at=memory.updated_at or self._moment,
        )
        if now is not None:
            self._things.pop(thing_of(now.namespace, now.value), None)
        self._rows[row.row_key] = row
        self._things[thing_of(row.namespace, row.value)] = row
        self._writes[row.row_key] = len(self.planned) - 1


def _fate(one: Imported, now: Memory | None) -> Fate:
    if now is None:
        return "added"
    if one.value["content"] == now.content and one.key != now.key:
        return "unchanged"
    same = (one.value, one.updated_at) == (now.value, now.updated_at)
    older = one.updated_at is None or one.updated_at <= now.updated_at
    return "unchanged" if same or older else "updated"
