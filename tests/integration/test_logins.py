"""The user that serves: created by the migration, bound by row-level security, not the owner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from bot.queue.queue import Queue, migrations
from memory import EmbeddedPostgres, Person, create_pool, list_memories, migrate
from memory.postgres import check_access, transaction
from tests.databases import SPACE, owner_rows

pytestmark = pytest.mark.slow


@pytest.fixture
def name(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The name of a user that does not exist; one created with it is dropped afterwards."""
    made = f"login_{uuid4().hex[:8]}"
    yield made
    owner_rows(postgres.dsn(), f"DROP ROLE IF EXISTS {made}")


@pytest.fixture
def checked(database: str, name: str) -> Iterator[str]:
    """The name, whose password PostgreSQL asks for."""
    rules = Path(one(database, "SHOW hba_file")[0])
    kept = rules.read_text()
    rules.write_text(f"local all {name} scram-sha-256\n{kept}")
    one(database, "SELECT pg_reload_conf()")
    yield name
    rules.write_text(kept)
    one(database, "SELECT pg_reload_conf()")


def address(conninfo: str, user: str, **more: str) -> str:
    """Return where a user finds the database."""
    return psycopg.conninfo.make_conninfo(conninfo, user=user, **more)


def settled(conninfo: str, login: str) -> None:
    """Migrate with a user that serves."""
    migrate(conninfo, SPACE, migrations(), login=login)


def one(conninfo: str, query: str, *values: object) -> tuple[Any, ...]:
    """Return the one row of a query of the owner's."""
    with psycopg.connect(conninfo) as owner:
        [row] = owner.execute(query.encode(), values).fetchall()
        return tuple(row)


async def serves(login: str) -> bool:
    """Use a database as the application does; return whether row-level security binds the user."""
    bound = await check_access(login)
    async with create_pool(login, min_size=1, max_size=2, timeout=10) as pool:
        assert await list_memories(pool, Person("T1", "U1")) == []
        queue = Queue(pool)
        await queue.open()
        async with transaction(pool) as connection:
            await queue.defer(connection, "work", {uuid4().hex: {}}, queue="q")
        queue.start(replies=1, background=1)
        await queue.stop()
    return bound


async def test_the_migration_makes_the_user_that_serves(
    database: str, checked: str
) -> None:
    """With its password, of which only a verifier is stored; a later migration leaves it alone."""
    first = address(database, checked, password='it\'s "first"')
    settled(database, first)
    assert await serves(first)
    second = address(database, checked, password="second")
    settled(database, second)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(second)
    stored = one(
        database, "SELECT rolpassword FROM pg_authid WHERE rolname = %s", checked
    )[0]
    assert str(stored).startswith("SCRAM-SHA-256$")


async def test_an_owner_that_is_no_superuser(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """An owner that may create roles migrates, as on a managed PostgreSQL, and may serve, too."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("managed")) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as superuser:
            superuser.execute("CREATE ROLE boss LOGIN CREATEROLE")
            superuser.execute("CREATE DATABASE kioku OWNER boss")
        owner_rows(server.dsn("kioku"), "CREATE EXTENSION vector")
        boss = address(server.dsn("kioku"), "boss")
        settled(boss, boss)
        assert await serves(boss) is False
        settled(boss, address(boss, "kioku_login"))
        assert await serves(address(boss, "kioku_login"))
        temporary = "SELECT has_database_privilege('kioku_login', 'kioku', 'TEMPORARY')"
        assert one(boss, temporary) == (False,)
