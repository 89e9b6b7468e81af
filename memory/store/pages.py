"""The list of a person's memories: all or those with some words, grouped by kind, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from memory.model.namespace import Person
from memory.model.schemas import PROMISE_KIND
from memory.postgres.database import Pool, person_statement
from memory.store.memories import COLUMNS, OF_PERSON, UNEXPIRED, Memory, person_range, read_own

_VALUES: LiteralString = (
    "(SELECT string_agg(one #>> '{}', ' ') FROM jsonb_path_query(value, '$.content.*') AS one)"
)
_QUOTES: LiteralString = (
    "(SELECT string_agg(one #>> '{}', ' ')"
    " FROM jsonb_path_query(value, '$.sources[*].evidence') AS one)"
)
_WORDS: LiteralString = (
    "(SELECT array_agg(CASE WHEN %(whole)s AND word ~ '^[!-~]+$' THEN ' ' || word || ' '"
    " ELSE needle(word) END) FROM regexp_split_to_table(btrim(plain_text(%(words)s)), ' ') AS word)"
)
# Rank 1: the content has all words, or none are given; 2: the content and the quotes have. Only the
# best rank counts, because one message can be the evidence of several memories.
_PAGE: LiteralString = (
    "WITH ranked AS (SELECT mine.*, CASE WHEN %(words)s = '' THEN 1"
    " WHEN btrim(plain_text(%(words)s)) = '' THEN NULL"
    " WHEN NOT EXISTS (SELECT FROM unnest(w.needles) AS n WHERE strpos(plain_text("
    f"{_VALUES}), n) = 0) THEN 1"
    " WHEN NOT EXISTS (SELECT FROM unnest(w.needles) AS n WHERE strpos(plain_text(concat_ws(' ',"
    f" {_VALUES}, {_QUOTES})), n) = 0) THEN 2 END AS rank"
    f" FROM (SELECT {_WORDS} AS needles OFFSET 0) AS w,"
    f" (SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND {UNEXPIRED}) AS mine),"
    " mine AS MATERIALIZED (SELECT *, count(*) OVER () AS total,"
    " max(updated_at) OVER (PARTITION BY kind) AS newest FROM (SELECT *,"
    " COALESCE(value->>'kind', 'Memory') AS kind,"
    f" CASE WHEN value->>'kind' = '{PROMISE_KIND}' AND value->'content'->>'state' = 'open'"
    " THEN COALESCE(value->'content'->>'due', 'none') END AS open_until"
    " FROM ranked WHERE rank = (SELECT min(rank) FROM ranked)) AS kinds)"
    f" SELECT {COLUMNS}, total FROM mine"
    " ORDER BY open_until, newest DESC, kind, updated_at DESC, prefix, key LIMIT %(size)s"
    " OFFSET %(size)s * GREATEST(LEAST(%(page)s - 1,"
    " ((SELECT total FROM mine LIMIT 1) - 1) / %(size)s), 0)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPage:
    """One page of memories: open promises by the day they are due, then kinds, newest first.

    `total` is the number of memories on all pages; `page` starts at 1.
    """

    memories: Sequence[Memory]
    total: int
    page: int


async def memory_page(
    pool: Pool,
    person: Person,
    words: str = "",
    *,
    size: int,
    page: int = 1,
    whole_words: bool = False,
) -> MemoryPage:
    """Return a page of the person's memories, or of those whose content has all `words`.

    If none has, see its quotes. A word is found at the beginning of a longer one; with
    `whole_words` or with one or two letters it is not. Words of scripts without spaces are found
    anywhere. One statement returns the rows of the page only. A number above the last page returns
    the last page.
    """
    values = {"page": page, "size": size, "words": words.strip(), "whole": whole_words}
    rows = await person_statement(pool, person, _PAGE, {**person_range(person), **values})
    total = rows[0]["total"] if rows else 0
    number = max(min(page, -(-total // size)), 1)
    return MemoryPage(memories=read_own(rows, person), total=total, page=number)
