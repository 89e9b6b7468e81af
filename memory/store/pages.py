"""Pages of a person's memories, grouped by kind, with counts by kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from memory.model.namespace import Person
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
        "WITH mine AS MATERIALIZED (SELECT *, COALESCE(value->>'kind', 'Memory') AS kind,"
        " CASE WHEN value->>'kind' = 'Promise' AND value->'content'->>'state' = 'open'"
        " THEN COALESCE(value->'content'->>'due', 'none') END AS open_until"
        f" FROM ({rows}) AS rows),"
        " kinds AS (SELECT kind, count(*) AS n, max(updated_at) AS newest FROM mine GROUP BY kind),"
        " wanted AS (SELECT COALESCE(sum(n), 0)::int AS n FROM kinds"
        "  WHERE %(kind)s::text IS NULL OR kind = %(kind)s),"
        " place AS (SELECT GREATEST(LEAST(%(page)s - 1, (n - 1) / %(size)s), 0) AS page"
        "  FROM wanted),"
        " shown AS (SELECT mine.*, newest FROM mine JOIN kinds USING (kind)"
        "  WHERE %(kind)s::text IS NULL OR kind = %(kind)s"
        "  ORDER BY open_until, newest DESC, kind, updated_at DESC, prefix, key"
        "  LIMIT %(size)s OFFSET (SELECT page FROM place) * %(size)s)"
        f" SELECT {COLUMNS}, place.page AS page,"
        " COALESCE((SELECT jsonb_agg(jsonb_build_array(kind, n) ORDER BY newest DESC, kind)"
        "  FROM kinds), '[]') AS kinds FROM place LEFT JOIN shown ON true"
        " ORDER BY open_until, newest DESC, kind, updated_at DESC, prefix, key"
    )


_ALL: LiteralString = _page(f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND {UNEXPIRED}")
_FILTERED: LiteralString = _page(f"SELECT {COLUMNS} FROM ({WITH_WORDS}) AS f WHERE rank = best")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPage:
    """One page of memories; groups by their newest memory, newest first in each group.
    Open promises come first, by the day they are due.

    `kinds` counts all memories that were asked for by kind, in the order of the groups; `page`
    starts at 1.
    """

    memories: tuple[Memory, ...]
    kinds: Mapping[str, int]
    page: int = 1

    @property
    def total(self) -> int:
        """The number of memories that were asked for, of all kinds."""
        return sum(self.kinds.values())


async def memory_page(
    pool: Pool,
    person: Person,
    *,
    size: int,
    page: int = 1,
    kind: str | None = None,
    words: str = "",
) -> MemoryPage:
    """Return a page of the person's memories of one kind or all, by one statement.

    `words` selects as `search_memories` does. `size` is at least 1. A number above the last page
    returns the last page. Raises `InvalidNamespace` for a row outside the person's namespaces.
    """
    values = {**person_range(person), "kind": kind, "page": page, "size": size}
    if words.strip():
        values |= {"words": words, "whole": False}
    rows = await person_statement(pool, person, _FILTERED if words.strip() else _ALL, values)
    memories = read_own([row for row in rows if row["key"] is not None], person)
    return MemoryPage(
        memories=tuple(memories), kinds=dict(rows[0]["kinds"]), page=int(rows[0]["page"] or 0) + 1
    )
