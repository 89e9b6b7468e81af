"""What one person does beside the rows and the jobs of many others."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import psycopg
import pytest
from psycopg.rows import dict_row

from bot.conversation.turns import FORM_MEMORIES, form_after
from bot.promises.reminders import REMIND
from bot.queue.queue import BACKGROUND
from bot.remembering.formation import form_memories
from memory import (
    DM,
    PUBLIC,
    Embedder,
    Person,
    PersonMessage,
    Pool,
    Selection,
    forget,
    undo_forgetting,
)
from memory.formation.unsaid import take_back
from memory.postgres import (
    PersonTransaction,
    fetch_rows,
    load_statements,
    person_transaction,
    transaction,
)
from memory.postgres.database import ROWS_AT_ONCE, with_pauses
from tests.databases import SPACE, owner_rows
from tests.integration.app import App
from tests.memories import VECTOR, add_memory

ANN = Person("T1", "U1")
OTHERS = 4_000
_FILL = """
WITH others AS (
    INSERT INTO store (prefix, key, value)
    SELECT 'chat.T1.V' || n || '.dm', 'k', '{"kind": "UserFact", "content": {"fact": "x"}}'
    FROM generate_series(1, %s) AS n
    RETURNING prefix, key
)
INSERT INTO store_vectors (prefix, key, field_name, embedding)
SELECT prefix, key, 'content', %s FROM others
"""
_STATEMENTS = """
INSERT INTO statements (id, team_id, user_id, key, audience, kind, act, actor, content, subject,
    evidence, said_at, zone, batch)
SELECT gen_random_uuid(), 'T1', 'V' || n, 'k', 'dm', 'UserFact', 'say', 'formation', '{}', '', 'x',
    now(), 'UTC', gen_random_uuid()
FROM generate_series(1, %s) AS n
"""
_YEARS = """
WITH old AS (
    INSERT INTO messages (team_id, user_id, channel_id, ts, thread, audience, begun_at, ended_at,
        formed_at, question, words)
    SELECT %(team)s, %(user)s, 'D1', (1600000000 + n) || '.0', 'T1.D1.' || n, 'dm', begun_at,
        begun_at, begun_at, 'q', 'w'
    FROM generate_series(1, %(most)s) AS n, to_timestamp(1600000000 + n) AS begun_at
    RETURNING team_id, user_id, channel_id, ts
), forgotten AS (
    INSERT INTO forgotten (id, team_id, user_id, what, channels, times)
    SELECT gen_random_uuid(), team_id, user_id, 'forgetting', array_agg(channel_id), array_agg(ts)
    FROM old GROUP BY team_id, user_id
)
INSERT INTO messages (team_id, user_id, channel_id, ts, thread, audience, begun_at, ended_at,
    question, words)
SELECT %(team)s, %(user)s, 'D1', extract(epoch FROM now())::text, 'T1.D1.0', 'dm', now(), now(),
    'q', 'w'
"""
_FETCHED = (
    "SELECT relname, seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables"
    " WHERE seq_tup_read + idx_tup_fetch >= %s"
)
_READ = "SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables WHERE seq_tup_read >= %s"


async def test_a_change_of_ones_memories_reads_nobody_elses(
    pool: Pool, embedder: Embedder, database: str
) -> None:
    """A forgetting that leaves something of a memory, its Undo, and an edit of the message."""
    said = [
        PersonMessage(text=words, channel="C1", ts=ts)
        for words, ts in (("I like soba", "1.0"), ("soba, still", "2.0"))
    ]
    for preference, words in zip((80, 90), said, strict=True):
        content = {"food_name": "soba", "preference": preference}
        where = ANN.namespace(PUBLIC)
        await add_memory(pool, embedder, where, "UserFoodPreference", content, words)
    owner_rows(database, _FILL, OTHERS, VECTOR)
    owner_rows(database, "ANALYZE")
    read: list[object] = []

    async def note_read(transaction: PersonTransaction, _: object) -> None:
        read.extend(await fetch_rows(transaction.connection, _READ, (OTHERS,)))

    newest = Selection(messages=[("C1", "2.0")])
    forgotten = await forget(pool, ANN, newest, in_commit=note_read)
    assert forgotten.id is not None
    await undo_forgetting(pool, embedder, ANN, forgotten.id, in_commit=note_read)
    message = ("C1", "2.0")
    for is_deleted in (False, True):
        await take_back(
            pool, embedder, ANN, message, is_deleted=is_deleted, in_commit=note_read
        )
    assert read == []


async def test_what_is_due_is_found_by_indexes(pool: Pool, database: str) -> None:
    """The minute's upkeep looks for it among the statements of all people."""
    owner_rows(database, _STATEMENTS, OTHERS)
    owner_rows(database, "ANALYZE")
    async with transaction(pool) as connection:
        due = "SELECT team_id FROM people_with_due(500)"
        assert await fetch_rows(connection, due) == []
        assert await fetch_rows(connection, _READ, (OTHERS,)) == []


async def test_a_batch_of_vectors_begins_where_the_one_before_ended(
    database: str,
) -> None:
    """Another model embeds the memories of all people; the batches do not grow with those made."""
    owner_rows(database, _FILL, OTHERS, VECTOR)
    owner_rows(database, "DELETE FROM store_vectors WHERE prefix > 'chat.T1.V9'")
    owner_rows(database, "ANALYZE")
    values = {"low": "chat.T1.V9", "high": "chat/", **asdict(SPACE), "limit": 8}
    with psycopg.connect(database, row_factory=dict_row) as owner:
        missing = owner.execute(
            load_statements("memory", "embedding")["missing"], values
        )
        assert len(missing.fetchall()) == 8
        assert owner.execute(_FETCHED, (OTHERS // 2,)).fetchall() == []


@pytest.mark.parametrize(
    ("folder", "file", "name"),
    [
        ("conversation", "turns", "exchanges_of_direct_messages"),
        ("conversation", "turns", "forgettings"),
        ("remembering", "formation", "unformed"),
    ],
)
async def test_years_of_messages_are_not_read_for_a_turn(
    pool: Pool, database: str, folder: str, file: str, name: str
) -> None:
    """What begins a turn or a formation is of the last day, or of the conversation's thread."""
    owner_rows(database, _YEARS, {"most": OTHERS, **ANN.ids})
    owner_rows(database, "ANALYZE")
    values = {
        "channel": "D1",
        "thread": "T1.D1.9000000000.0",
        "thread_ts": "9000000000.0",
        "ts": "9000000000.0",
        "history_from": 0.0,
        "most_exchanges": 10,
        "audience": DM,
        "dm": DM,
        "most": 20,
    }
    async with person_transaction(pool, ANN) as transaction:
        statement = load_statements(f"bot.{folder}", file)[name]
        assert len(await transaction.fetch(statement, values)) == 1
        assert await fetch_rows(transaction.connection, _FETCHED, (OTHERS,)) == []


async def test_what_is_due_does_not_wait_behind_formations(app: App) -> None:
    """A memory model that hangs holds up no reminder, and nothing that is to be deleted."""
    async with transaction(app.pool) as connection:
        for user in ("U1", "U2"):
            of_user = PersonTransaction(connection, Person("T1", user))
            await form_after(app.core, of_user, DM, 0.0)
        jobs = {f"{REMIND}:T1.U1": ANN.ids}
        await app.core.queue.defer(connection, REMIND, jobs, queue=BACKGROUND)
    manager = app.core.queue.app.job_manager
    worker = await manager.register_worker()
    fetched = [await manager.fetch_job([BACKGROUND], worker) for _ in range(3)]
    names = [job.task_name for job in fetched if job is not None]
    assert names == [REMIND, FORM_MEMORIES, FORM_MEMORIES]


async def test_words_wait_a_minute_for_replies_however_many_formations_do(
    app: App,
) -> None:
    """Each formation that waits for replies has a place of the worker's meanwhile."""
    message = await app.ask(app.slack.place(), "I like soba")
    app.rows(
        "UPDATE messages SET ended_at = now() - interval '2 minutes' WHERE ts = %s RETURNING 1",
        message.ts,
    )
    with app.core.pending_replies.one():
        async with asyncio.timeout(30):
            await form_memories(app.core, message.team_id, message.user_id, DM)
            # A job that has nothing to form does not wait either.
            await form_memories(app.core, message.team_id, message.user_id, DM)
    assert len(await app.memories(message.person)) == 1


@pytest.mark.parametrize("number", [0, 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 1])
async def test_however_many_rows_are_read_whole(pool: Pool, number: int) -> None:
    """They are converted in parts, which nobody sees."""
    async with person_transaction(pool, ANN) as transaction:
        rows = await transaction.fetch(
            "SELECT n FROM generate_series(1, %(most)s) AS n", {"most": number}
        )
    assert [row["n"] for row in rows] == list(range(1, number + 1))


async def test_others_go_on_while_much_of_a_person_is_read() -> None:
    """After each item, or after so many."""
    done: list[object] = []

    async def others() -> None:
        while True:
            done.append("others")
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    async for item in with_pauses([1, 2, 3, 4], every=2):
        done += [item]
    other.cancel()
    assert done == [1, 2, "others", 3, 4, "others"]
