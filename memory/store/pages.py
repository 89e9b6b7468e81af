"""Pages of a person's memories, grouped by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from memory.model.namespace import Person
from memory.model.schemas import PROMISE_KIND
from memory.postgres.database import Pool, person_statement
from memory.store.memories import (
    COLUMNS,
    OF_PERSON,
    UNEXPIRED,
    WITH_WORDS,
    Memory,
    person_range,
    read_own,
)


def _page(rows: LiteralString) -> LiteralString:
    return (
        "WITH mine AS MATERIALIZED (SELECT *, count(*) OVER () AS total,"
        " max(updated_at) OVER (PARTITION BY kind) AS newest FROM (SELECT *,"
        " COALESCE(value->>'kind', 'Memory') AS kind,"
        f" CASE WHEN value->>'kind' = '{PROMISE_KIND}' AND value->'content'->>'state' = 'open'"
        " THEN COALESCE(value->'content'->>'due', 'none') END AS open_until"
        f" FROM ({rows}) AS rows) AS kinds)"
        f" SELECT {COLUMNS}, total FROM mine"
        " ORDER BY open_until, newest DESC, kind, updated_at DESC, prefix, key LIMIT %(size)s"
        " OFFSET %(size)s * GREATEST(LEAST(%(page)s - 1,"
        " ((SELECT total FROM mine LIMIT 1) - 1) / %(size)s), 0)"
    )


_ALL: LiteralString = _page(f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND {UNEXPIRED}")
_FILTERED: LiteralString = _page(f"SELECT {COLUMNS} FROM ({WITH_WORDS}) AS f WHERE rank = best")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPage:
    """One page of memories: open promises by the day they are due, then kinds, newest first.

    `total` is the number of memories on all pages; `page` starts at 1.
    """

    memories: Sequence[Memory]
    total: int
    page: int


async def memory_page(
    pool: Pool, person: Person, *, size: int, page: int = 1, words: str = ""
) -> MemoryPage:
    """Return a page of the person's memories, or of those that `search_memories` finds.

    By one statement, which returns the rows of the page only. A number above the last page returns
    the last page.
    """
    values = {**person_range(person), "page": page, "size": size, "words": words, "whole": False}
    rows = await person_statement(pool, person, _FILTERED if words.strip() else _ALL, values)
    total = rows[0]["total"] if rows else 0
    number = max(min(page, -(-total // size)), 1)
    return MemoryPage(memories=read_own(rows, person), total=total, page=number)
