"""Pages of a person's memories, grouped by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memory.model.namespace import Person
from memory.model.schemas import PROMISE_KIND
from memory.postgres.database import Pool
from memory.store.memories import Memory, list_memories, search_memories


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPage:
    """One page of memories; groups by their newest memory, newest first in each group.
    Open promises come first, by the day they are due.

    `total` is the number of memories on all pages; `page` starts at 1.
    """

    memories: Sequence[Memory]
    total: int
    page: int


async def memory_page(
    pool: Pool, person: Person, *, size: int, page: int = 1, words: str = ""
) -> MemoryPage:
    """Return a page of the person's memories, or of those that `search_memories` finds.

    A number above the last page returns the last page.
    """
    search = search_memories(pool, person, words) if words.strip() else list_memories(pool, person)
    found = await search
    groups = {kind: place for place, kind in enumerate(dict.fromkeys(one.kind for one in found))}
    found.sort(key=lambda one: (_open_until(one), groups[one.kind]))
    number = max(min(page, -(-len(found) // size)), 1)
    shown = found[(number - 1) * size : number * size]
    return MemoryPage(memories=shown, total=len(found), page=number)


def _open_until(memory: Memory) -> str:
    """Return what sorts open promises by the day they are due, and other memories after them."""
    if memory.kind == PROMISE_KIND and memory.content.get("state") == "open":
        return str(memory.content.get("due") or "none")
    return "other"
