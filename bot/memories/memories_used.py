"""Which memories were in view of a reply, and when each was last in view of any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bot.slack.permalinks import Permalinks
from bot.views.memories import ReplyMemories
from memory import Memory, Person, Pool, list_memories, person_transaction


class UsedMemories:
    """Read from the `turns` table: nothing is written when a memory is used."""

    def __init__(self, pool: Pool, links: Permalinks) -> None:
        self._pool = pool
        self.permalinks = links

    async def of_turn(self, person: Person, turn: str) -> ReplyMemories | None:
        """Return what the reply of a turn had in view; None where it was no reply to `person`."""
        async with person_transaction(self._pool, person) as connection:
            found = await connection.execute(
                "SELECT recalled FROM turns WHERE id = %s AND team_id = %s AND user_id = %s",
                (UUID(turn), person.team_id, person.user_id),
            )
            row = await found.fetchone()
        if row is None:
            return None
        keys = {_key(reference): place for place, reference in enumerate(row["recalled"])}
        memories = [m for m in await list_memories(self._pool, person) if m.key in keys]
        memories.sort(key=lambda memory: keys[memory.key])
        return ReplyMemories(
            memories=tuple(memories),
            links=await self.links(memories),
            last_used=await self._last_used(person, memories),
            forgotten=len(keys) - len(memories),
        )

    async def links(self, memories: Sequence[Memory]) -> dict[str, str]:
        """Return where each memory was last said, by its reference."""
        places = {memory.reference: memory.places[-1] for memory in memories if memory.places}
        links = await self.permalinks.of(places.values())
        return {name: links[place] for name, place in places.items() if place in links}

    async def _last_used(self, person: Person, memories: Sequence[Memory]) -> dict[str, datetime]:
        # A memory that was moved was used under its old reference: the key stays.
        named = {memory.key: memory.reference for memory in memories}
        async with person_transaction(self._pool, person) as connection:
            found = await connection.execute(
                "SELECT split_part(reference, '/', 2) AS key, max(ended_at) AS at"
                " FROM turns, unnest(recalled) AS reference"
                " WHERE team_id = %s AND user_id = %s AND ended_at IS NOT NULL"
                " AND split_part(reference, '/', 2) = ANY(%s) GROUP BY 1",
                (person.team_id, person.user_id, list(named)),
            )
            return {named[row["key"]]: row["at"] for row in await found.fetchall()}


def _key(reference: str) -> str:
    return reference.partition("/")[2]
