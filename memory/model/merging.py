"""Which statements of a memory may go when there are too many. Pure: no database."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from memory.model.fold import fold
from memory.model.sameness import comparable
from memory.model.statement import Statement, counts, in_order

MAX_STATEMENTS = 200
"""The most statements of a memory; more only where its fields rest on more."""


def superfluous(
    statements: Sequence[Statement], most: int = MAX_STATEMENTS
) -> list[UUID]:
    """Return the oldest statements that may go, so that at most `most` are left.

    Those may go on which no field rests, now or once what ends has ended, unless an older one that
    stays gives one of their fields another value: without what came between, that would count as
    said without interruption. So whatever is undone later, nobody may read what they could not with
    the statements. A move or a removal goes once nothing older is left.
    """
    excess = len(statements) - most
    if excess <= 0:
        return []
    said = in_order(statements)
    gone = [one.id for one in said if one.withdrawn_at is not None][:excess]
    counted = [one for one in said if one.withdrawn_at is None]
    rests_on = _rests_on(counted)
    is_first = True
    older: dict[str, set[str]] = {}
    for one in counted:
        # The values of its fields, as they are compared.
        values: dict[str, str] = {}
        for name, value in one.fields.items():
            values[name] = comparable(value) if isinstance(value, str) else repr(value)
        may_go = is_first
        if one.act == "say":
            may_go = all(older.get(n, set()) <= {v} for n, v in values.items())
        if may_go and len(gone) < excess and one.id not in rests_on:
            gone.append(one.id)
            continue
        is_first = False
        for name, value in values.items():
            older.setdefault(name, set()).add(value)
    return gone


def _rests_on(counted: Sequence[Statement]) -> set[UUID]:
    """Return the statements on which a field rests, now or once some of them have ended."""
    ends = {one.until for one in counted if one.until is not None}
    rests_on: set[UUID] = set()
    for end in (None, *ends):
        left = [one for one in counted if end is None or counts(one, end)]
        memory = fold(left)
        if memory is not None:
            rests_on.update(memory.rests_on)
    return rests_on
