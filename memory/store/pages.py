"""The list of a person's memories: all, or those with some words; grouped by kind, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.model.sameness import needles
from memory.postgres.database import Pool, person_statement
from memory.postgres.statements import load_statements
from memory.store.memories import Memory, read_own

_SQL = load_statements("memory", "pages")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPage:
    """One page of memories.

    Open promises come first, by the day they are due, then wishes about answers, then the other
    kinds, each with its newest first. Promises that have ended are only found by words, and come
    last. A changed memory keeps its place. `total` is the number of memories on all pages; `page`
    starts at 1.
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
    """Return a page of the person's memories, or of those that have all `words`, or their quotes.

    `memory.model.sameness.needles` says what finds what; with `whole_words` no word finds a longer
    one. One statement returns only the rows of the page. A number above the last page returns the
    last page.
    """
    wanted = needles(words, whole=whole_words)
    values = {"page": page, "size": size, "needles": wanted}
    rows: list[DictRow] = []
    if wanted or not words.strip():
        rows = await person_statement(pool, person, _SQL["page"], values)
    if not rows:
        return MemoryPage(memories=[], total=0, page=1)
    first = rows[0]
    memories = read_own(rows, person)
    return MemoryPage(memories=memories, total=first["total"], page=first["number"])
