"""Forgetting everything of one person who has 50,000 memories, and its Undo: seconds of each."""

from __future__ import annotations

import time
from uuid import UUID

import psycopg

from bench.ground import Ground
from memory import Person, Selection, create_pool, forget, undo_forgetting

_FILL = """
INSERT INTO store (prefix, key, value) SELECT 'chat.T1.U1.dm', n, jsonb_build_object(
    'kind', 'UserFact', 'content', jsonb_build_object('fact', 'thing number ' || n), 'sources',
    jsonb_build_array(jsonb_build_object('channel', 'D1', 'ts', 1763600000 + n || '.000100')))
FROM generate_series(1, 50000) AS n;
INSERT INTO store_vectors (prefix, key, field_name, embedding)
SELECT prefix, key, 'content', array_fill(1::real, ARRAY[1536])::vector FROM store;
INSERT INTO memory_versions (id, team_id, user_id, key, audience, kind, value, created_at,
    updated_at, action, actor, batch) SELECT gen_random_uuid(), 'T1', 'U1', key, 'dm', 'UserFact',
    value, created_at, updated_at, 'remembered', 'formation', gen_random_uuid() FROM store;
"""


async def measure(ground: Ground, *_: object) -> dict[str, float]:
    """Forget all memories, each of which comes from a message of its own, and undo that."""
    person, address = Person("T1", "U1"), ground.app_database("forgetting")
    with psycopg.connect(address, autocommit=True) as owner:
        owner.execute(_FILL)
    async with create_pool(address, min_size=1, max_size=1) as pool:
        began = time.perf_counter()
        done = await forget(pool, person, Selection(everything=True))
        forgotten = time.perf_counter()
        await undo_forgetting(pool, person, done.id or UUID(int=0))
        found = {"forget_50k_s": forgotten - began, "undo_50k_s": time.perf_counter() - forgotten}
    return {name: round(seconds, 2) for name, seconds in found.items()}
