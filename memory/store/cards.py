"""Cards: what a person chose to show to colleagues, read by another person of their workspace."""

from __future__ import annotations

from typing import LiteralString

from memory.model.namespace import COLLEAGUES, Person
from memory.postgres.database import PERSON_SETTING, Pool, execute_statement
from memory.store.memories import COLUMNS, UNEXPIRED, Memory, read_own

COLLEAGUE_SETTING = "kioku.colleague"
_CARD: LiteralString = (
    f"SELECT {COLUMNS} FROM store WHERE prefix = %(prefix)s AND {UNEXPIRED}"
    " ORDER BY created_at, key LIMIT %(most)s"
)


async def read_card(pool: Pool, reader: Person, owner: Person, *, most: int) -> list[Memory]:
    """Return the memories that `owner` shows to colleagues, for `reader`; oldest first.

    Row-level security opens rows of the audience ``colleagues`` of one named person, and only if
    both are of the same workspace.
    """
    rows = await execute_statement(
        pool,
        _CARD,
        {"prefix": owner.namespace(COLLEAGUES).prefix, "most": most},
        scope={PERSON_SETTING: reader.scope, COLLEAGUE_SETTING: owner.scope},
    )
    return read_own(rows, owner)
