"""A person with 5,000 memories and 20,000 turns: the number of statements does not grow with them.

The limits are of statements, not of seconds: a statement takes a network round trip.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from bot.memories.forgetting import forget_all_of
from bot.queue.queue import Queue
from memory import (
    DM,
    Pool,
    Selection,
    create_pool,
    undo_forgetting,
)
from memory.model.namespace import Person
from tests.databases import owner_rows, printed
from tests.integration.app import app_of
from tests.integration.counted import count_statements, counted

pytestmark = pytest.mark.slow

ANN = Person("T1", "U1")
MEMORIES, TURNS = 5_000, 20_000
MOST = 20
TABLES = ("store", "memory_versions", "change_notices", "forgotten_sources")
_FILL = """
INSERT INTO store (prefix, key, value, created_at, updated_at)
SELECT %(prefix)s, 'k' || n, jsonb_build_object(
    'kind', 'UserFact', 'content', jsonb_build_object('fact', 'fact number ' || n, 'topic', null),
    'sources', jsonb_build_array(jsonb_build_object('kind', 'message', 'channel', 'D1', 'ts',
        (1763600000 + n) || '.000100', 'evidence', 'fact number ' || n)),
    'confirmed_at', '2026-11-01T00:00:00+00:00'),
    now() - n * interval '1 second', now() - n * interval '1 second'
FROM generate_series(1, %(memories)s) AS n;
INSERT INTO store_vectors (prefix, key, field_name, embedding)
SELECT %(prefix)s, 'k' || n, 'content', (SELECT array_agg(((n * j) %% 997)::real / 997)
    FROM generate_series(1, 256) AS j)::vector
FROM generate_series(1, %(memories)s) AS n;
UPDATE store SET expires_at = '2090-01-01' WHERE right(key, 1) = '0';
INSERT INTO memory_versions (id, team_id, user_id, audience, key, kind, action, actor, value,
    expires_at, created_at, updated_at, batch)
SELECT gen_random_uuid(), %(team)s, %(user)s, 'dm', key, 'UserFact', 'remembered', 'formation',
    value, expires_at, created_at, updated_at, gen_random_uuid() FROM store;
INSERT INTO messages (id, team_id, user_id, channel_id, thread, audience, ts, question,
    words, reply, status, received_at, begun_at, ended_at, formed_at)
SELECT gen_random_uuid(), %(team)s, %(user)s, 'D1', 'T1.D1.' || n, 'dm',
    (1763600000 + n) || '.000100', 'question ' || n, 'words ' || n, 'a reply', 'answered',
    now() - interval '1 hour', now(), now(), now()
FROM generate_series(1, %(turns)s) AS n;
INSERT INTO change_notices (turn_id, team_id, user_id, ts)
SELECT id, %(team)s, %(user)s, '1763600000.000100' FROM messages LIMIT %(memories)s;
UPDATE memory_versions v SET batch = told.turn_id
FROM (SELECT turn_id, row_number() OVER () AS n FROM change_notices) told
JOIN (SELECT id, row_number() OVER () AS n FROM memory_versions) known USING (n)
WHERE v.id = known.id
"""


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The application's pool, whose statements are counted."""
    opened = create_pool(database, min_size=1, max_size=1, timeout=10)
    count_statements(opened)
    async with opened:
        await opened.wait()
        yield opened


def fill(database: str, memories: int = MEMORIES, turns: int = TURNS) -> None:
    """Give Ann a long history."""
    values = {"prefix": ANN.namespace(DM).prefix, "memories": memories, "turns": turns, **ANN.ids}
    with psycopg.connect(database, autocommit=True) as owner, psycopg.ClientCursor(owner) as cursor:
        cursor.execute(_FILL, values)


def count(database: str, table: str) -> int:
    """Count rows as the owner."""
    [row] = owner_rows(database, f"SELECT count(*) FROM {table}")
    return int(row["count"])


async def test_everything_is_forgotten_and_taken_back(pool: Pool, database: str) -> None:
    """Forgetting everything and its Undo take 20 statements each, and restore every byte.

    Vectors are not restored: memories get them afterwards.
    """
    fill(database)
    app, before = app_of(pool=pool, queue=Queue(pool)), printed(database, *TABLES)
    with counted() as sent:
        done = await forget_all_of(app, ANN, Selection(everything=True))
        assert len(sent) <= MOST, sent
    assert done.count == MEMORIES
    assert count(database, "store") == count(database, "store_vectors") == 0
    assert count(database, "messages WHERE question <> '' OR words <> '' OR reply IS NOT NULL") == 0
    shown = "procrastinate_jobs WHERE task_name = 'show_notice'"
    assert count(database, shown) == MEMORIES
    assert done.id is not None
    with counted() as sent:
        assert await undo_forgetting(pool, ANN, done.id) == MEMORIES
        assert len(sent) <= MOST, sent
    assert printed(database, *TABLES) == before
    assert count(database, "store_vectors") == 0
