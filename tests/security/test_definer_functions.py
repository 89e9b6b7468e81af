"""Functions that run as the owner: objects that a caller creates change nothing in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from bot.queue.queue import migrations
from memory import migrate
from tests.databases import SPACE

# A temporary table that hides the function's own, whose trigger reads everybody's memories with the
# rights of the user that deletes from it.
ATTACK = """
CREATE FUNCTION pg_temp.loot() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
    PERFORM set_config('loot.who', current_user, false);
    PERFORM set_config('loot.data', (SELECT string_agg(value::text, ' ') FROM public.store), false);
    RETURN OLD;
END $f$;
CREATE TEMP TABLE messages (
    id uuid, team_id text, user_id text, channel_id text, ts text, thread text,
    audience text, message jsonb, status text, token uuid, changed_ts text,
    begun_at timestamptz, ended_at timestamptz
);
INSERT INTO pg_temp.messages (id, status, ended_at) VALUES
    ('00000000-0000-4000-8000-000000000001', 'skipped', '2000-01-01');
CREATE TRIGGER loot BEFORE DELETE ON pg_temp.messages
    FOR EACH ROW EXECUTE FUNCTION pg_temp.loot();
"""


@pytest.fixture
def owner(empty_database: str) -> Iterator[psycopg.Connection[Any]]:
    """The owner of a database that was just migrated, with somebody's memory in it."""
    migrate(empty_database, SPACE, migrations())
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO store (prefix, key, value) VALUES ('chat.T1.UVICTIM.dm', 'k',"
            """ '{"kind": "UserFact", "content": {"fact": "VICTIM SECRET"}}')"""
        )
        yield connection


@pytest.fixture
def attacker(owner: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """A login that may act as the application's role, and does."""
    owner.execute("CREATE ROLE attacker LOGIN IN ROLE kioku_app")
    conninfo = psycopg.conninfo.make_conninfo(owner.info.dsn, user="attacker")
    try:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("SET ROLE kioku_app")
            yield connection
    finally:
        name = sql.Identifier(owner.info.dbname)
        owner.execute(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM attacker, kioku_app").format(name)
        )
        owner.execute("DROP ROLE attacker")


def test_the_application_makes_no_temporary_table(
    attacker: psycopg.Connection[Any],
) -> None:
    """Neither the application nor any other user may create a temporary table."""
    for role in ("kioku_app", "attacker"):
        attacker.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        with pytest.raises(
            psycopg.errors.InsufficientPrivilege, match="temporary tables"
        ):
            attacker.execute("CREATE TEMP TABLE messages (id int)")


def test_a_temporary_table_does_not_hide_ours(
    owner: psycopg.Connection[Any], attacker: psycopg.Connection[Any]
) -> None:
    """Even if temporary tables are allowed, a function of the owner reads its own tables."""
    name = sql.Identifier(owner.info.dbname)
    owner.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO kioku_app").format(name))
    attacker.execute(ATTACK)
    attacker.execute("SELECT * FROM clear_away(10)")
    who = "SELECT current_setting('loot.who', true), current_setting('loot.data', true)"
    assert attacker.execute(who).fetchone() in ((None, None), ("", ""))
    assert attacker.execute("SELECT count(*) FROM pg_temp.messages").fetchone() == (1,)


def test_every_function_of_the_owner_looks_for_temporary_tables_last(
    owner: psycopg.Connection[Any],
) -> None:
    """Each SECURITY DEFINER function has a search_path of its own, with pg_temp at its end."""
    found = owner.execute(
        "SELECT oid::regprocedure::text, proconfig FROM pg_proc"
        " WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert len(found) >= 10
    wanted = "search_path=public, pg_temp"
    assert {name: config for name, config in found if wanted not in config} == {}


def test_only_the_application_may_call_functions_of_the_owner(
    owner: psycopg.Connection[Any],
) -> None:
    """A SECURITY DEFINER function may be called by the application's role alone."""
    found = owner.execute(
        "SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        " AND has_function_privilege('public', oid, 'EXECUTE')"
    ).fetchall()
    assert found == []


def test_temporary_tables_are_taken_from_a_database_that_lost_its_rights(
    owner: psycopg.Connection[Any], empty_database: str
) -> None:
    """A restored dump has PostgreSQL's usual rights again: the next migration takes them back."""
    name = sql.Identifier(owner.info.dbname)
    owner.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO PUBLIC").format(name))
    assert migrate(empty_database, SPACE, migrations()) == []
    row = owner.execute(
        "SELECT has_database_privilege('public', current_database(), 'TEMPORARY')"
    ).fetchone()
    assert row == (False,)
