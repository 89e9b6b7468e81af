"""The application's role: data only, and only the person's whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from memory import EmbeddedPostgres, Person, Pool, create_pool, list_memories
from memory.embeddings.embedder import literal
from memory.postgres import (
    execute_statement,
    person_statement,
    person_transaction,
    transaction,
    transaction_timeout,
)
from memory.store.hidden import seeing_states
from tests.databases import SPACE, fresh_database, login_of
from tests.filled import fill

ALICE = Person("T1", "U1")
# Each is next to Alice in some way: by prefix, by team, by letters a pattern would match.
NEIGHBOURS = [
    Person("T1", "U12"),
    Person("T12", "U1"),
    Person("T1", "U"),
    Person("T2", "U1"),
]
PEOPLE = [ALICE, *NEIGHBOURS]
TABLES = [
    "store",
    "store_vectors",
    "messages",
    "person_settings",
    "statements",
    "memory_off",
    "forgotten",
    "people",
    "reminders",
    "kept",
]
_OF_NAMESPACES = ("store", "store_vectors")


class TakenBackError(Exception):
    """Ends a transaction without its changes."""


@pytest.fixture(scope="module")
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """One migrated database for all of these tests: none of them changes it."""
    with fresh_database(postgres) as conninfo:
        yield conninfo


@pytest.fixture(scope="module")
def filled(database: str) -> str:
    """A database with one row in each table for each person, written by the owner."""
    with psycopg.connect(database) as owner:
        for number, person in enumerate(PEOPLE):
            fill(owner, person, number)
    return database


async def owners(connection: psycopg.AsyncConnection[Any], table: str) -> set[str]:
    """Return whose rows a query without WHERE finds, as TEAM.USER."""
    whose = (
        sql.SQL("split_part(prefix, '.', 2) || '.' || split_part(prefix, '.', 3)")
        if table in _OF_NAMESPACES
        else sql.SQL("team_id || '.' || user_id")
    )
    found = await connection.execute(
        sql.SQL("SELECT {} AS whose FROM {}").format(whose, sql.Identifier(table))
    )
    return {row["whose"] for row in await found.fetchall()}


def test_every_table_of_a_person_is_tested(filled: str) -> None:
    """A new table whose policy names the person needs a row in these tests."""
    with psycopg.connect(filled) as owner:
        found = owner.execute(
            "SELECT DISTINCT polrelid::regclass::text FROM pg_policy"
            " WHERE pg_get_expr(polqual, polrelid) LIKE '%kioku.user%'"
        )
        assert {name for (name,) in found} == set(TABLES)


@pytest.mark.parametrize("person", PEOPLE, ids=lambda p: p.scope)
async def test_a_query_without_where_finds_the_persons_own_rows_only(
    filled: str, pool: Pool, person: Person
) -> None:
    """In a person's transaction even SQL that forgets its WHERE sees that person's rows alone."""
    async with person_transaction(pool, person) as own:
        await own.connection.execute("SET LOCAL kioku.forgotten = 'shown'")
        for table in TABLES:
            assert await owners(own.connection, table) == {person.scope}
    assert [m.namespace.person for m in await list_memories(pool, person)] == [person]


async def test_what_does_not_count_is_hidden_from_who_does_not_ask_for_it(
    filled: str, pool: Pool
) -> None:
    """A question is no statement to SQL that forgets the state; the view never has it."""
    count = (
        "SELECT count(*) AS n, (SELECT count(*) FROM counted_statements) AS counted"
        " FROM statements"
    )
    async with person_transaction(pool, ALICE) as own:
        assert await own.fetch(count) == [{"n": 1, "counted": 1}]
        async with seeing_states(own):
            assert await own.fetch(count) == [{"n": 2, "counted": 1}]
        assert await own.fetch(count) == [{"n": 1, "counted": 1}]


async def test_without_a_scope_nothing_is_seen(filled: str, pool: Pool) -> None:
    """A transaction that names nobody sees no row of anybody."""
    async with transaction(pool) as connection:
        for table in TABLES:
            assert await owners(connection, table) == set()


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"kioku.team": "T1"},
        {"kioku.user": "U1"},
        {"kioku.team": "T1", "kioku.user": ""},
        {"kioku.team": "T1", "kioku.user": "%"},
        {"kioku.team": "T1", "kioku.user": "U_"},
        {"kioku.team": "%", "kioku.user": "U1"},
        {"kioku.team": "T1", "kioku.user": "U1.dm"},
        {"kioku.team": "T1", "kioku.user": "U1-T9"},
        {"kioku.team": "T9", "kioku.user": "U1"},
    ],
    ids=str,
)
async def test_settings_that_name_nobody_see_no_rows(
    filled: str, pool: Pool, scope: dict[str, str]
) -> None:
    """Settings that are not a team and a user open nobody's rows: no whole team, no pattern."""
    async with transaction(pool, scope) as connection:
        for table in TABLES:
            assert await owners(connection, table) == set()


async def test_the_scope_ends_with_its_transaction(filled: str) -> None:
    """The next user of the same connection sees nothing of the one before, after errors too."""
    single = create_pool(login_of(filled), min_size=1, max_size=1, timeout=10)
    async with single:
        async with person_transaction(single, ALICE) as own:
            connection = own.connection
            pid = connection.info.backend_pid
            assert await owners(connection, "store") == {ALICE.scope}
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with person_transaction(single, ALICE) as own:
                await own.connection.execute("SELECT 1/0")
        with pytest.raises(RuntimeError):
            async with transaction(single, {"kioku.thread": "T1.D0.1.0"}):
                raise RuntimeError
        async with transaction(single) as connection:
            assert connection.info.backend_pid == pid
            for table in TABLES:
                assert await owners(connection, table) == set()
        async with person_transaction(single, NEIGHBOURS[0]) as own:
            connection = own.connection
            assert await owners(connection, "store") == {NEIGHBOURS[0].scope}


async def test_scopes_of_people_at_once_do_not_mix(filled: str, pool: Pool) -> None:
    """People whose turns run at the same moment each see their own rows alone."""

    async def seen(person: Person) -> bool:
        async with person_transaction(pool, person) as own:
            connection = own.connection
            first = await owners(connection, "store")
            await asyncio.sleep(0)
            return first == await owners(connection, "messages") == {person.scope}

    assert all(await asyncio.gather(*(seen(person) for person in PEOPLE * 10)))


CHANGES = [
    "UPDATE store SET ttl_minutes = 1",
    "DELETE FROM store",
    "DELETE FROM store_vectors",
    "UPDATE messages SET reply = 'x'",
    "DELETE FROM messages",
    "UPDATE messages SET status = 'answered'",
    "DELETE FROM messages",
]


@pytest.mark.parametrize("statement", CHANGES)
async def test_changes_without_where_touch_the_persons_own_rows_only(
    filled: str, pool: Pool, statement: str
) -> None:
    """An UPDATE or DELETE that forgets its WHERE changes one row: the person's."""
    touched = -1
    with suppress(TakenBackError):
        async with person_transaction(pool, ALICE) as own:
            connection = own.connection
            touched = (await connection.execute(statement.encode())).rowcount
            raise TakenBackError
    assert touched == 1


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO store (prefix, key, value) VALUES ('chat.T1.U12.dm', 'n', '{}')",
        "UPDATE store SET prefix = 'chat.T1.U12.dm'",
        "UPDATE messages SET user_id = 'U12'",
        "INSERT INTO messages (team_id, user_id, channel_id, ts, thread)"
        " VALUES ('T1', 'U12', 'D9', '9.0', 'T1.D9.9.0')",
        "INSERT INTO store_vectors (prefix, key, field_name, embedding)"
        f" VALUES ('chat.T1.U12.dm', 'k', 'other', '{literal([0.0] * SPACE.dimensions)}')",
    ],
)
async def test_nothing_is_written_into_another_persons_name(
    filled: str, pool: Pool, statement: str
) -> None:
    """A row cannot be written for, or moved to, another person, nor a vector hung on theirs."""
    with pytest.raises(
        psycopg.errors.InsufficientPrivilege, match="row-level security"
    ):
        async with person_transaction(pool, ALICE) as own:
            await own.connection.execute(statement.encode())


@pytest.mark.parametrize("name", ["team", "user", "low", "high"])
async def test_no_value_takes_the_place_of_a_parameter_of_the_person(
    pool: Pool, name: str
) -> None:
    """What a statement gets besides names nobody else, and is not replaced without notice."""
    values = {name: "U12"}
    with pytest.raises(TypeError, match=name):
        await person_statement(pool, ALICE, "SELECT 1", values)
    with pytest.raises(TypeError, match=name):
        async with person_transaction(pool, ALICE) as own:
            await own.execute("SELECT 1", values)


async def test_a_thread_shows_its_own_rows_only(filled: str, pool: Pool) -> None:
    """Who answers in a thread sees that thread's turns and messages, and no memory."""
    async with transaction(pool, {"kioku.thread": "T1.D1.1.0"}) as connection:
        assert await owners(connection, "messages") == {"T1.U12"}
        assert await owners(connection, "messages") == {"T1.U12"}
        assert await owners(connection, "store") == set()
        assert await owners(connection, "store_vectors") == set()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE loot (x int)",
        "CREATE SCHEMA loot",
        "CREATE INDEX loot ON store (key)",
        "CREATE FUNCTION loot() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE loot",
        "DROP EXTENSION vector CASCADE",
        "ALTER TABLE store DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE store ADD COLUMN loot int",
        "ALTER TABLE messages OWNER TO kioku_app",
        "DROP TABLE store",
        "DROP POLICY own_memories ON store",
        "CREATE POLICY everyone ON store USING (true)",
        "TRUNCATE store",
        "ALTER ROLE kioku_app BYPASSRLS",
        "ALTER SYSTEM SET log_statement = 'all'",
        "COPY store TO PROGRAM 'cat'",
        "INSERT INTO kioku_migrations (name) VALUES ('x')",
        "DELETE FROM kioku_migrations",
        "UPDATE kioku_embedding_space SET dimensions = 3",
    ],
)
async def test_the_application_changes_no_schema(pool: Pool, statement: str) -> None:
    """Neither the application's role nor the user that serves can create, alter or drop."""
    refused = (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.ActiveSqlTransaction,
    )
    with pytest.raises(refused):
        await _execute(pool, statement)
    async with pool.connection() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement.encode())


async def test_row_security_cannot_be_switched_off(filled: str, pool: Pool) -> None:
    """With row_security off a query is refused; it does not see everything."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await _execute(pool, "SET LOCAL row_security = off", "SELECT * FROM store")


async def _execute(pool: Pool, *statements: str) -> None:
    async with transaction(pool) as connection:
        for statement in statements:
            await connection.execute(statement.encode())


async def test_every_table_of_people_is_protected(pool: Pool) -> None:
    """Each table with a person's id or prefix has row-level security, and a policy."""
    async with transaction(pool) as connection:
        found = await connection.execute(
            "SELECT DISTINCT c.relname, c.relrowsecurity,"
            " EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid) AS has_policy"
            " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
            " AND a.attname IN ('user_id', 'prefix')"
        )
        rows = await found.fetchall()
    assert {row["relname"] for row in rows} >= set(TABLES)
    assert [
        row["relname"]
        for row in rows
        if not (row["relrowsecurity"] and row["has_policy"])
    ] == []


_RIGHTS = (
    "SELECT current_user AS name, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin"
    " FROM pg_roles WHERE rolname = current_user"
)
_NONE = dict.fromkeys(
    ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb"), False
)


async def test_a_transaction_acts_as_the_application(pool: Pool) -> None:
    """Within a transaction the role is the application's, before and after it the user's."""
    async with transaction(pool) as connection:
        row = await (await connection.execute(_RIGHTS)).fetchone()
    assert row == {"name": "kioku_app", "rolcanlogin": False, **_NONE}
    async with pool.connection() as connection:
        row = await (await connection.execute(_RIGHTS)).fetchone()
    assert row == {"name": "kioku_login", "rolcanlogin": True, **_NONE}


async def test_the_user_that_serves_reads_no_table_of_people(
    filled: str, pool: Pool
) -> None:
    """Outside of a transaction the connection reads the queue's tables, and no other one."""
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace AND has_table_privilege(oid,"
            " 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') ORDER BY relname"
        )
        readable = [row["relname"] for row in await found.fetchall()]
        owned = await connection.execute(
            "SELECT relname FROM pg_class WHERE relowner = current_user::regrole"
        )
        assert await owned.fetchall() == []
        # An SQL injection could set any person.
        await connection.execute(
            "SELECT set_config('kioku.team', 'T1', false), set_config('kioku.user', 'U1', false)"
        )
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute("SELECT * FROM store")
        finally:
            await connection.execute(
                "SELECT set_config('kioku.team', '', false), set_config('kioku.user', '', false)"
            )
    assert readable == [
        *("procrastinate_events", "procrastinate_jobs"),
        *("procrastinate_periodic_defers", "procrastinate_workers"),
    ]


@asynccontextmanager
async def one_connection(conninfo: str) -> AsyncIterator[Pool]:
    """A pool of one connection, so that consecutive uses share it."""
    async with create_pool(
        login_of(conninfo), min_size=1, max_size=1, timeout=10
    ) as single:
        yield single


async def commit(pool: Pool) -> None:
    """Commit a change of Alice's."""
    async with person_transaction(pool, ALICE) as own:
        await own.connection.execute(
            "UPDATE person_settings SET notices = true WHERE user_id = 'U1'"
        )


async def roll_back(pool: Pool) -> None:
    """Roll back explicitly, within the transaction."""
    async with person_transaction(pool, ALICE) as own:
        await own.connection.execute("SELECT 1")
        await own.connection.rollback()


async def raise_an_error(pool: Pool) -> None:
    """Leave by an exception of ours."""
    with suppress(TakenBackError):
        async with person_transaction(pool, ALICE):
            raise TakenBackError


async def fail_in_sql(pool: Pool) -> None:
    """Leave by an error of PostgreSQL's."""
    with suppress(psycopg.errors.DivisionByZero):
        async with person_transaction(pool, ALICE) as own:
            await own.connection.execute("SELECT 1/0")


async def fail_at_the_commit(pool: Pool) -> None:
    """Leave by an error that only the COMMIT raises."""
    with suppress(psycopg.errors.ForeignKeyViolation):
        async with person_transaction(pool, ALICE) as own:
            await own.connection.execute(
                "INSERT INTO store_vectors (prefix, key, field_name, embedding)"
                " VALUES ('chat.T1.U1.dm', 'none', 'x', %s)",
                (literal([0.0] * SPACE.dimensions),),
            )


async def cancel(pool: Pool) -> None:
    """Be cancelled in the middle of a statement."""
    begun = asyncio.Event()

    async def sleep() -> None:
        async with person_transaction(pool, ALICE) as own:
            connection = own.connection
            begun.set()
            await connection.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(sleep())
    await begun.wait()
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def run_out_of_time(pool: Pool) -> None:
    """Exceed the time of the transaction."""
    with suppress(psycopg.OperationalError), transaction_timeout(0.2):
        async with transaction(pool, ALICE.settings) as connection:
            await connection.execute("SELECT pg_sleep(60)")


async def lose_the_connection(pool: Pool) -> None:
    """Lose the connection in the middle."""
    with suppress(psycopg.OperationalError):
        async with person_transaction(pool, ALICE) as own:
            connection = own.connection
            connection.pgconn.finish()
            await connection.execute("SELECT 1")


async def one_statement(pool: Pool) -> None:
    """Execute one statement alone, which needs the application's role."""
    rows = await execute_statement(
        pool, "SELECT current_user AS name, count(*) AS n FROM store"
    )
    assert rows == [{"name": "kioku_app", "n": 0}]


async def fail_in_one_statement(pool: Pool) -> None:
    """Fail in a statement that is executed alone."""
    with suppress(psycopg.errors.DivisionByZero):
        await execute_statement(pool, "SELECT 1/%(zero)s", {"zero": 0})


WAYS_OUT = (
    *(commit, roll_back, raise_an_error, fail_in_sql, fail_at_the_commit, cancel),
    *(run_out_of_time, lose_the_connection, one_statement, fail_in_one_statement),
)


@pytest.mark.parametrize("leave", WAYS_OUT, ids=lambda leave: leave.__name__)
async def test_after_a_transaction_the_connection_has_neither_role_nor_person(
    filled: str, leave: Callable[[Pool], Awaitable[None]]
) -> None:
    """However a transaction ends, the next use of its connection has no role and no person."""
    async with one_connection(filled) as single:
        await leave(single)
        async with single.connection() as connection:
            found = await connection.execute(
                "SELECT current_user = session_user AS alone, current_user AS name,"
                " COALESCE(current_setting('kioku.user', true), '') AS person"
            )
            row = await found.fetchone()
    assert row == {"alone": True, "name": "kioku_login", "person": ""}


@pytest.mark.parametrize("locked", [False, True])
async def test_role_and_person_are_set_in_one_message(
    filled: str, tmp_path: Path, locked: bool
) -> None:
    """A transaction begins with one message: BEGIN, the role, the person, and a lock."""
    with (tmp_path / "sent.txt").open("w+") as sent:
        async with one_connection(filled) as single:
            async with single.connection() as connection:
                connection.pgconn.trace(sent.fileno())
            async with person_transaction(single, ALICE, locked=locked) as own:
                connection = own.connection
                connection.pgconn.untrace()
        sent.seek(0)
        *_, begun = sent.read().split("\tF\t")
    for value in ("Query", "BEGIN;", "kioku_app", ALICE.team_id, ALICE.user_id):
        assert value in begun
    assert (ALICE.prefix in begun) == locked
