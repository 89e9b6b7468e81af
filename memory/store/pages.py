"""Pages of a person's memories, grouped by kind, with counts by kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from psycopg.types.json import Jsonb

from memory.model.namespace import Person
from memory.model.schemas import LEVEL_FIELDS
from memory.postgres.database import Pool, person_statement
from memory.store.memories import COLUMNS, OF_PERSON, Memory, person_range, read_own

# Rows that only hide a memory and expired rows are not shown.
HIDES: LiteralString = (
    "COALESCE(value->'supersedes', '[]') NOT IN ('[]', 'null')"
    " AND value->'content'->(%(levels)s::jsonb->>(value->>'kind')) = '0'"
)
"""The condition of rows for which `Memory.hides` is true; `levels` are `LEVEL_FIELDS` as JSON."""
_ENDED: LiteralString = (
    "CASE WHEN pg_input_is_valid(COALESCE(value->>'expires_at', ''), 'timestamptz')"
    " THEN (value->>'expires_at')::timestamptz <= now() ELSE false END"
)
_IS_SHOWN: LiteralString = f"({HIDES}) IS NOT TRUE AND NOT {_ENDED}"
_PAGE: LiteralString = (
    "WITH mine AS (SELECT prefix, key, updated_at, COALESCE(value->>'kind', 'Memory') AS kind"
    f" FROM store WHERE {OF_PERSON} AND {_IS_SHOWN}),"
    " kinds AS (SELECT kind, count(*) AS n, max(updated_at) AS newest FROM mine GROUP BY kind),"
    " wanted AS (SELECT COALESCE(sum(n), 0)::int AS n FROM kinds"
    "  WHERE %(kind)s::text IS NULL OR kind = %(kind)s),"
    " place AS (SELECT GREATEST(LEAST(%(page)s - 1, (n - 1) / %(size)s), 0) AS page FROM wanted),"
    " shown AS (SELECT prefix, key, kind, updated_at, newest FROM mine JOIN kinds USING (kind)"
    "  WHERE %(kind)s::text IS NULL OR kind = %(kind)s"
    "  ORDER BY newest DESC, kind, updated_at DESC, prefix, key"
    "  LIMIT %(size)s OFFSET (SELECT page FROM place) * %(size)s)"
    f" SELECT {', '.join('s.' + name for name in COLUMNS.split(', '))}, place.page AS page,"
    " COALESCE((SELECT jsonb_agg(jsonb_build_array(kind, n) ORDER BY newest DESC, kind)"
    "  FROM kinds), '[]') AS kinds"
    " FROM place LEFT JOIN (shown JOIN store s USING (prefix, key)) ON true"
    " ORDER BY shown.newest DESC, shown.kind, s.updated_at DESC, s.prefix, s.key"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPage:
    """One page of memories; groups by their newest memory, newest first in each group.

    `kinds` counts all of the person's memories by kind, in the order of the groups; `page` starts
    at 1.
    """

    memories: tuple[Memory, ...]
    kinds: Mapping[str, int]
    page: int = 1

    @property
    def total(self) -> int:
        """The number of memories of the person."""
        return sum(self.kinds.values())


async def memory_page(
    pool: Pool, person: Person, *, size: int, page: int = 1, kind: str | None = None
) -> MemoryPage:
    """Return a page of the person's memories of one kind or all, by one statement.

    `size` is at least 1. A number above the last page returns the last page. Raises
    `InvalidNamespace` for a row outside the person's namespaces.
    """
    rows = await person_statement(
        pool,
        person,
        _PAGE,
        {
            **person_range(person),
            "levels": Jsonb(dict(LEVEL_FIELDS)),
            "kind": kind,
            "page": page,
            "size": size,
        },
    )
    memories = read_own([row for row in rows if row["key"] is not None], person)
    return MemoryPage(
        memories=tuple(memories), kinds=dict(rows[0]["kinds"]), page=int(rows[0]["page"] or 0) + 1
    )
