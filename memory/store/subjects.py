"""The memories about a subject, as they are before something new is said about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from memory.model.namespace import MemoryView
from memory.model.schemas import Subject, kind_and_subject
from memory.postgres.database import PersonTransaction
from memory.postgres.statements import column_parameters, load_statements
from memory.store.hidden import UNDO_MINUTES, seeing_forgotten
from memory.store.memories import Memory, read_memories

_SQL = load_statements("memory", "statements")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a person's log says about some subjects, read under their lock before it is changed.

    `keys` has the keys of all memories that are or were about each subject, whoever may read them,
    also of forgotten ones that may come back: first those that are remembered, then the others,
    each group newest first. A new statement about a subject goes to the same memory, unless that
    has another subject by now. `memories` are those that are remembered, by key.
    """

    keys: Mapping[Subject, Sequence[str]]
    memories: Mapping[str, Memory]

    @property
    def first_keys(self) -> dict[Subject, str]:
        """The key of the memory about each subject."""
        return {about: keys[0] for about, keys in self.keys.items()}

    def in_view(self, view: MemoryView) -> dict[str, Memory]:
        """Return the memories that a conversation may read, by key."""
        return {
            key: memory
            for key, memory in self.memories.items()
            if view.allows(memory.namespace)
        }


async def read_known(
    transaction: PersonTransaction,
    subjects: Collection[Subject],
    keys: Iterable[str] = (),
) -> Known:
    """Return what is known about these subjects and about the memories `keys`.

    Words about something that was forgotten get its key, so that an Undo makes one memory of both.
    """
    values = {
        **column_parameters(("kinds", "subjects"), subjects),
        "minutes": UNDO_MINUTES,
    }
    found: dict[Subject, list[str]] = {}
    async with seeing_forgotten(transaction, many=False):
        rows = await transaction.fetch(_SQL["memories_of_subjects"], values)
    for row in rows:
        about = (row["kind"], row["subject"])
        content = row["content"]
        if content is None or kind_and_subject(row["kind"], content) == about:
            found.setdefault(about, []).append(row["key"])
    wanted = {*keys, *chain.from_iterable(found.values())}
    memories = await read_memories(transaction, wanted)
    return Known(keys=found, memories=memories)
