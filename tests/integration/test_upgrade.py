"""An upgrade from each schema that main ever had, and the version before on today's schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from bot.queue.migrations import migrations, queue_migrations
from memory import (
    EmbeddedPostgres,
    Login,
    Migration,
    Person,
    create_pool,
    list_memories,
    migrate,
)
from memory.postgres.migrate import _create_langgraph_store, created_tables, memory_migrations
from memory.postgres.roles import grant_rows
from tests.conftest import ROOT, SPACE, fresh_database, login_of
from tests.integration.test_offboarding import Database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DATA = ROOT / "tests" / "data" / "upgrades"
HISTORY = [
    line.split()
    for line in (DATA / "history.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
STEPS: dict[str, Migration] = {step.name: step for step in (*memory_migrations(), *migrations())}
OURS = [name for name in STEPS if name.startswith(("bot/", "memory/"))]
# Tables that a migration drops, because nothing uses them any more.
DROPPED = {"overheard", "slack_budgets"}
CONTENT = {"food_name": "ramen", "preference": 80}
# All that defines a schema. The order of columns and names of types are PostgreSQL's own.
CATALOGUE = {
    "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default"
    " FROM information_schema.columns WHERE table_schema = 'public'",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
    " FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "functions": "SELECT p.proname, pg_get_functiondef(p.oid), p.proacl::text FROM pg_proc p"
    " WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND NOT EXISTS"
    " (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')",
    "policies": "SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies",
    "triggers": "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger"
    " WHERE NOT tgisinternal",
    "rights": "SELECT relname, unnest(relacl)::text FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')",
}


def catalogue(conninfo: str) -> dict[str, set[tuple[Any, ...]]]:
    """Return the schema of a database."""
    with psycopg.connect(conninfo) as owner:
        return {part: set(owner.execute(query).fetchall()) for part, query in CATALOGUE.items()}


def begun(conninfo: str) -> None:
    """Make what each of these schemas begins with: roles, LangGraph's tables and the queue's."""
    names = [step.name for step in queue_migrations()]
    with psycopg.connect(conninfo, autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE kioku_migrations (name text PRIMARY KEY, applied_at"
            " timestamptz NOT NULL DEFAULT now())"
        )
        _create_langgraph_store(conninfo, SPACE)
        owner.execute("INSERT INTO kioku_migrations (name) VALUES ('langgraph/store')")
        applied: set[str] = set()
        for name in names:
            if name not in applied:
                apply(owner, STEPS[name])
                applied |= {name, *STEPS[name].includes}


def apply(owner: psycopg.Connection[Any], step: Migration) -> None:
    """Apply a migration and record it, as `kioku migrate` does."""
    with owner.transaction():
        owner.execute(step.statements.encode())
        for name in (step.name, *step.includes):
            owner.execute("INSERT INTO kioku_migrations (name) VALUES (%s)", (name,))


@pytest.fixture(scope="module")
def schemas(postgres: EmbeddedPostgres) -> Iterator[list[str]]:
    """A database for each line of the history, with rows in every table."""
    names: list[str] = []
    with fresh_database(postgres, "template1") as growing:
        begun(growing)
        for number, line in enumerate(HISTORY):
            with psycopg.connect(growing, autocommit=True, row_factory=dict_row) as owner:
                for name in sorted(line, key=list(STEPS).index):
                    apply(owner, STEPS[name])
                grant_rows(owner, created_tables(STEPS.values()))
            names.append(f"upgrade_{number}")
            copy(postgres, growing, names[-1])
            filled(postgres.dsn(names[-1]))
        yield [postgres.dsn(name) for name in names]
    with psycopg.connect(postgres.dsn(), autocommit=True) as owner:
        for name in names:
            owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def copy(postgres: EmbeddedPostgres, conninfo: str, name: str) -> None:
    """Copy a database."""
    template = str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])
    with psycopg.connect(postgres.dsn(), autocommit=True) as owner:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        owner.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def filled(conninfo: str) -> None:
    """Put a row into every table, and a memory that can be read."""
    owner = Database(conninfo)
    owner.fill("T1")
    value = {"kind": "UserFoodPreference", "content": CONTENT, "sources": []}
    owner.rows("UPDATE store SET value = %s::jsonb", json.dumps(value))
    owner.close()


def counts(conninfo: str) -> dict[str, int]:
    """Return the number of rows of each table."""
    owner = Database(conninfo)
    found = {
        table: owner.rows(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))[0][
            "count"
        ]
        for table in owner.tables()
    }
    owner.close()
    return found


def test_the_history_is_whole() -> None:
    """Every migration is in one line of the history: a new one is appended with its name."""
    named = [name for line in HISTORY for name in line]
    assert sorted(named) == sorted(OURS)


@pytest.mark.parametrize("number", range(len(HISTORY)))
async def test_an_upgrade_keeps_every_row(
    number: int, schemas: list[str], postgres: EmbeddedPostgres, database: str
) -> None:
    """From each schema: no row is lost, the schema is that of a new database, memories are read."""
    conninfo = schemas[number]
    before = counts(conninfo)
    login = Login(login_of(conninfo), ("kioku_queue",))
    done = migrate(conninfo, SPACE, migrations(), login=login)
    assert done == [] or number < len(HISTORY) - 1
    after = counts(conninfo)
    kept = before.keys() - {"kioku_migrations", "kioku_embedding_space"} - DROPPED
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert catalogue(conninfo) == catalogue(database)
    async with create_pool(login_of(conninfo), min_size=1) as pool:
        [memory] = await list_memories(pool, Person("T1", "U1"))
    assert memory.content["food_name"] == "ramen"


def test_the_version_before_finds_what_it_asks_for(database: str) -> None:
    """Each statement of a message, as recorded of former versions, is valid on today's schema."""
    files = sorted(DATA.glob("statements-*.sql"))
    assert files
    with psycopg.connect(database, autocommit=True) as owner:
        for file in files:
            text = re.sub(r"^--.*\n", "", file.read_text("utf-8"), flags=re.MULTILINE)
            statements = text.splitlines()
            assert len(statements) > 20
            for number, statement in enumerate(statements):
                owner.execute(f"PREPARE s{number} AS {statement}".encode())
            owner.execute("DEALLOCATE ALL")
