"""The memories about a subject, as they are before something new is said about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from memory.model.namespace import DM, MemoryView
from memory.model.schemas import Subject, kind_and_subject
from memory.postgres.database import PersonTransaction
from memory.postgres.statements import column_parameters, load_statements
from memory.store.memories import Memory, merged
from memory.store.projection import read_rows

_SQL = load_statements("memory", "statements")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a person's log says about some subjects, read under their lock before it is changed.

    `keys` has the keys of all memories that are or were about each subject, whoever heard it: first
    those that are remembered, then those that were taken back, each group newest first. A new
    statement about a subject goes to the same memory, unless that has another subject by now.
    `rows` has the rows of `store` by key, one for each audience that knows the memory.
    """

    keys: Mapping[Subject, Sequence[str]]
    rows: Mapping[str, Sequence[Memory]]

    @property
    def first_keys(self) -> dict[Subject, str]:
        """The key of the memory about each subject."""
        return {about: keys[0] for about, keys in self.keys.items()}

    @property
    def remembered(self) -> set[str]:
        """The keys of the remembered ones: those that direct messages know."""
        rows = chain.from_iterable(self.rows.values())
        return {row.key for row in rows if row.namespace.audience == DM}

    def in_view(self, view: MemoryView) -> dict[str, Memory]:
        """Return the memories as a conversation knows them, by key."""
        rows = chain.from_iterable(self.rows.values())
        return merged([row for row in rows if view.allows(row.namespace)], view)


async def read_known(
    transaction: PersonTransaction,
    subjects: Collection[Subject],
    keys: Iterable[str] = (),
) -> Known:
    """Return what is known about these subjects and about the memories `keys`."""
    keys_of_things = await keys_by_subject(transaction, subjects)
    wanted = list(keys)
    for found in keys_of_things.values():
        wanted += found
    rows: dict[str, list[Memory]] = {key: [] for key in wanted}
    for row in await read_rows(transaction, rows):
        rows[row.key].append(row)
    return Known(keys=keys_of_things, rows=rows)


async def keys_by_subject(
    transaction: PersonTransaction,
    subjects: Collection[Subject],
    *,
    remembered: bool = False,
) -> dict[Subject, list[str]]:
    """Return the keys of all memories about each subject, or of those that are `remembered`."""
    values = column_parameters(("kinds", "subjects"), subjects)
    keys: dict[Subject, list[str]] = {}
    for row in await transaction.fetch(_SQL["memories_of_subjects"], values):
        about = (row["kind"], row["subject"])
        content = row["content"]
        if content is None and remembered:
            continue
        if content is not None and kind_and_subject(row["kind"], content) != about:
            continue
        keys.setdefault(about, []).append(row["key"])
    return keys
