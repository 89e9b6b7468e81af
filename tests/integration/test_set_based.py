"""A person with 5,000 memories and 20,000 turns: the number of statements does not grow with them.

The limits are of statements, not of seconds: a statement takes a network round trip.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from bot.forgetting.forgetting import end_texts, forget_selection
from bot.queue.queue import Queue
from memory import Embedder, Person, Pool, Selection, create_pool, undo_forgetting
from memory.postgres import person_transaction
from memory.store import expire_due
from memory.store.statements import refresh_keys
from tests.databases import owner_rows, printed
from tests.integration.app import app_of
from tests.integration.counted import count_statements, counted

pytestmark = pytest.mark.slow

ANN = Person("T1", "U1")
MEMORIES, TURNS = 5_000, 20_000
MOST = 24
TABLES = ("store", "statements", "messages", "forgotten")
_FILL = """
INSERT INTO statements (id, team_id, user_id, key, audience, kind, act, actor, content, subject,
    evidence, channel, ts, said_at, zone, until, batch)
SELECT gen_random_uuid(), %(team)s, %(user)s, 'k' || n, 'dm', 'UserFact', 'say', 'formation',
    jsonb_build_object('fact', 'fact number ' || n), 'factnumber' || n, 'fact number ' || n, 'D1',
    (1763600000 + n) || '.000100', now() - n * interval '1 second', 'UTC',
    CASE WHEN n %% 10 = 0 THEN timestamptz '2090-01-01' END, gen_random_uuid()
FROM generate_series(1, %(memories)s) AS n;
INSERT INTO messages (id, team_id, user_id, channel_id, thread, audience, ts, question,
    words, reply, status, begun_at, ended_at, formed_at)
SELECT gen_random_uuid(), %(team)s, %(user)s, 'D1', 'T1.D1.' || n, 'dm',
    (1763600000 + n) || '.000100', 'question ' || n, 'words ' || n, 'a reply', 'answered',
    now(), now(), now()
FROM generate_series(1, %(turns)s) AS n;
UPDATE messages SET notice = '1763600000.000100'
WHERE id IN (SELECT id FROM messages LIMIT %(memories)s);
UPDATE statements SET batch = told.id
FROM (SELECT id, row_number() OVER () AS n FROM messages WHERE notice IS NOT NULL) told
JOIN (SELECT id, row_number() OVER () AS n FROM statements) known USING (n)
WHERE statements.id = known.id
"""


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The application's pool, whose statements are counted."""
    opened = create_pool(database, min_size=1, max_size=1, timeout=10)
    count_statements(opened)
    async with opened:
        await opened.wait()
        yield opened


async def fill(pool: Pool, database: str) -> None:
    """Give Ann a long history; its memories are what her statements amount to."""
    values = {"memories": MEMORIES, "turns": TURNS, **ANN.ids}
    with (
        psycopg.connect(database, autocommit=True) as owner,
        psycopg.ClientCursor(owner) as cursor,
    ):
        cursor.execute(_FILL, values)
    async with person_transaction(pool, ANN, locked=True) as transaction:
        await refresh_keys(transaction, [f"k{n}" for n in range(1, MEMORIES + 1)])


def count(database: str, table: str) -> int:
    """Count rows as the owner."""
    [row] = owner_rows(database, f"SELECT count(*) FROM {table}")
    return int(row["count"])


async def test_everything_is_forgotten_and_taken_back(
    pool: Pool, database: str, embedder: Embedder
) -> None:
    """Forgetting everything and its Undo take a few statements each, and restore what was said.

    Vectors are not restored: memories get them afterwards.
    """
    await fill(pool, database)
    app = app_of(pool=pool, queue=Queue(pool))
    before = printed(database, "statements", "messages")
    values = {
        row["key"]: row["value"] for row in owner_rows(database, "SELECT * FROM store")
    }
    with counted() as sent:
        done = await forget_selection(app, ANN, Selection(everything=True))
        assert len(sent) <= MOST, sent
    assert len(done.memories) == MEMORIES
    assert count(database, "store") == count(database, "store_vectors") == 0
    shown = "procrastinate_jobs WHERE task_name = 'show_notice'"
    assert count(database, shown) == MEMORIES
    assert done.id is not None
    with counted() as sent:
        assert len(await undo_forgetting(pool, embedder, ANN, done.id)) == MEMORIES
        assert len(sent) <= MOST, sent
    assert printed(database, "statements", "messages") == before
    assert {
        r["key"]: r["value"] for r in owner_rows(database, "SELECT * FROM store")
    } == values
    await forget_selection(app, ANN, Selection(everything=True))
    owner_rows(
        database,
        "WITH earlier AS (UPDATE messages SET begun_at = begun_at - interval '1 day')"
        " UPDATE forgotten SET at = now() - interval '11 minutes' RETURNING id",
    )
    with counted() as sent:
        await expire_due(pool, end_texts=end_texts)
        assert len(sent) <= MOST, sent
    assert count(database, "statements") == 0
    assert (
        count(
            database,
            "messages WHERE question <> '' OR words <> '' OR reply IS NOT NULL",
        )
        == 0
    )
