"""Migrations, readiness and the pool, against a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import psycopg
import pytest

from bot.queue.queue import migrations
from memory import (
    DM,
    PUBLIC,
    Embedder,
    EmbeddingSpace,
    EmbeddingSpaceMismatch,
    Person,
    PersonMessage,
    Pool,
    add_memories,
    create_pool,
    list_memories,
    migrate,
    move_memory,
)
from memory.model.errors import DatabaseNotReady
from memory.postgres import (
    check_database,
    packaged_migrations,
)
from memory.postgres.comparisons import STEP
from memory.postgres.migrate import Migration
from tests.databases import SPACE, owner_rows


@asynccontextmanager
async def opened(conninfo: str, *, max_size: int = 2) -> AsyncIterator[Pool]:
    """Open a small pool."""
    async with create_pool(conninfo, min_size=0, max_size=max_size, timeout=10) as pool:
        yield pool


def schema_name(package: str) -> str:
    """Return the name by which the schema of a package is recorded."""
    return packaged_migrations(package)[0].name


def test_migrations_come_in_order() -> None:
    """The schema of memory is one step; the bot's follows those of the queue."""
    assert [step.name for step in packaged_migrations("memory")] == [
        schema_name("memory")
    ]
    names = [step.name for step in migrations()]
    assert names[0] == "procrastinate/3.10"
    assert names[-1] == schema_name("bot")
    assert all(name.startswith("procrastinate/") for name in names[:-1])


def test_migrate_says_what_it_did_and_does_it_once(empty_database: str) -> None:
    """The first run applies every step and names it; the second applies none."""
    done = migrate(empty_database, SPACE, migrations())
    wanted = [*packaged_migrations("memory"), *migrations()]
    assert done == ["langgraph/store", *(step.name for step in wanted), STEP]
    assert migrate(empty_database, SPACE, migrations()) == []


async def test_what_compares_texts_is_written_again_if_the_comparison_changes(
    pool: Pool, database: str, embedder: Embedder
) -> None:
    """By `kioku migrate`, of what is said and of a removal; before that the app does not start."""
    ann = Person("T1", "UANN")
    typed = [
        ({"fact": fact}, PersonMessage(actor="command"))
        for fact in ("C++", "語" * 2_000)
    ]
    await add_memories(pool, embedder, ann.namespace(DM), "UserFact", typed)
    [_, memory] = await list_memories(pool, ann)
    await move_memory(pool, embedder, ann, memory.key, PUBLIC)
    columns = "SELECT subject AS text FROM statements UNION ALL SELECT plain FROM store ORDER BY 1"
    before = owner_rows(database, columns)
    owner_rows(
        database,
        "WITH said AS (UPDATE statements SET subject = 'old'), old AS (DELETE FROM kioku_migrations"
        " WHERE name LIKE 'memory/sameness-%%') UPDATE store SET plain = 'old' RETURNING 1",
    )
    with pytest.raises(DatabaseNotReady, match="1 step"):
        await check_database(pool, SPACE, migrations())
    assert migrate(database, SPACE, migrations()) == [STEP]
    await check_database(pool, SPACE, migrations())
    assert owner_rows(database, columns) == before


def test_a_migration_waits_for_no_statement_without_end(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds a lock on what it reads, or PostgreSQL is silent; then it goes on."""
    monkeypatch.setattr("memory.postgres.migrate.STATEMENT_SECONDS", 0.3)
    with psycopg.connect(database) as owner:
        owner.execute("LOCK TABLE kioku_migrations")
        with pytest.raises(psycopg.OperationalError):
            migrate(database, SPACE, migrations())
    monkeypatch.undo()
    assert migrate(database, SPACE, migrations()) == []


def test_eight_at_once_migrate_once(empty_database: str) -> None:
    """Of eight that migrate at the same moment one applies the steps, and none fails."""
    with ThreadPoolExecutor(8) as threads:
        runs = [
            threads.submit(migrate, empty_database, SPACE, migrations())
            for _ in range(8)
        ]
    done = sorted(len(run.result()) for run in runs)
    assert done[:7] == [0] * 7
    assert done[7] == 2 + len(packaged_migrations("memory")) + len(migrations())


def test_an_interrupted_migration_may_go_on_with_another_model(
    empty_database: str,
) -> None:
    """The table of vectors was made first, and has the size of the model that is recorded last."""
    interrupted = [Migration("interrupted", "SELECT 1/0")]
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(
            empty_database, EmbeddingSpace("text-embedding-3-small", 1536), interrupted
        )
    migrate(empty_database, SPACE, migrations())
    size = (
        "SELECT atttypmod FROM pg_attribute WHERE attrelid = 'store_vectors'::regclass"
    )
    column = owner_rows(empty_database, size + " AND attname = 'embedding'")
    assert column == [{"atttypmod": SPACE.dimensions}]


def test_tables_of_others_are_not_granted(empty_database: str) -> None:
    """In a database that something else uses, too, the role gets Kioku's tables and no other."""
    closed = (
        "SELECT relname FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
        " AND NOT has_table_privilege('kioku_app', oid, 'SELECT')"
    )
    owner_rows(
        empty_database, "CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY)"
    )
    owner_rows(empty_database, "CREATE VIEW balances AS TABLE accounts")
    migrate(empty_database, SPACE)  # as a program without Slack does
    migrate(empty_database, SPACE, migrations())
    others = {"accounts", "balances"}
    assert {row["relname"] for row in owner_rows(empty_database, closed)} == others


@pytest.mark.parametrize(
    ("space", "todo"),
    [
        (
            EmbeddingSpace("other-model", SPACE.dimensions),
            f"set KIOKU_EMBEDDING_MODEL={SPACE.model}",
        ),
        (
            EmbeddingSpace(SPACE.model, 1536),
            "name the server that has that one in KIOKU_EMBEDDING_BASE_URL",
        ),
    ],
    ids=["model", "size"],
)
async def test_another_embedding_is_refused(
    database: str, space: EmbeddingSpace, todo: str
) -> None:
    """Another model or size than the stored one is refused with what to write instead."""
    sentence = f"{todo}, or embed all memories again with"
    with pytest.raises(EmbeddingSpaceMismatch, match=sentence):
        migrate(database, space, migrations())
    async with opened(database) as pool:
        with pytest.raises(EmbeddingSpaceMismatch, match=sentence):
            await check_database(pool, space, migrations())


async def test_another_schema_is_refused(database: str) -> None:
    """A database made from an earlier or later schema.sql is not used, and is told apart."""
    other = "UPDATE kioku_migrations SET name = 'memory/schema@0' WHERE name = %s"
    owner_rows(database, other, schema_name("memory"))
    sentence = "The database has another version of memory/schema.sql"
    with pytest.raises(DatabaseNotReady, match=sentence):
        migrate(database, SPACE, migrations())
    async with opened(database) as pool:
        with pytest.raises(DatabaseNotReady, match=sentence):
            await check_database(pool, SPACE, migrations())
