"""Databases as people have them: those that work, and those that are refused before anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bot.queue.queue import Queue, migrations
from memory import EmbeddedPostgres, Person, create_pool, list_memories, migrate
from memory.model.errors import DatabaseNotReady
from memory.postgres import (
    check_access,
    check_database,
    execute_statement,
    person_transaction,
)
from memory.postgres.requirements import check_server
from tests.databases import SPACE, owner_rows

ANN = Person("T1", "U1")
VECTOR = "CREATE EXTENSION vector"
ELSEWHERE = (
    "CREATE SCHEMA extensions",
    "CREATE EXTENSION vector SCHEMA extensions",
    "GRANT USAGE ON SCHEMA extensions TO PUBLIC",
)
OWN_SCHEMA = 'CREATE SCHEMA "{owner}" AUTHORIZATION "{owner}"'
ON_PATH = 'ALTER DATABASE "{name}" SET search_path = "$user", public, extensions'
LENT = 'GRANT kioku_app, kioku_queue TO "{owner}" WITH ADMIN OPTION'


class Shape:
    """A database of a user who is no superuser, in the cluster of the tests."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self.name = f"Shape {uuid4().hex[:8]}"
        self.user = f"owner-{uuid4().hex[:8]}"
        self.login_user = f"login-{uuid4().hex[:8]}"
        self.root = server.dsn(self.name)
        self.owner = make_conninfo(self.root, user=self.user)
        self.login = make_conninfo(self.root, user=self.login_user)

    def make(
        self, how: str, statements: Sequence[str], *, may: str = "CREATEROLE"
    ) -> None:
        """Create it as `how` says, and execute statements in it as a superuser."""
        owner_rows(self.server.dsn(), f'CREATE ROLE "{self.user}" LOGIN {may}')
        owner_rows(
            self.server.dsn(),
            f'CREATE DATABASE "{self.name}" OWNER "{self.user}" {how}',
        )
        with psycopg.connect(self.root, autocommit=True) as superuser:
            for statement in statements:
                superuser.execute(
                    statement.format(owner=self.user, name=self.name).encode()
                )

    def migrate(self) -> list[str]:
        """Migrate it as `kioku migrate` does."""
        return migrate(self.owner, SPACE, migrations(), login=self.login)

    def state(self) -> tuple[object, ...]:
        """Return the relations that it has, and the roles and their settings of the cluster."""
        with psycopg.connect(self.root, autocommit=True) as superuser:
            superuser.execute("SET client_encoding = 'SQL_ASCII'")
            relations = superuser.execute(
                "SELECT oid FROM pg_class ORDER BY 1"
            ).fetchall()
            roles = superuser.execute("SELECT oid FROM pg_authid ORDER BY 1").fetchall()
            settings = superuser.execute(
                "SELECT setrole FROM pg_db_role_setting"
            ).fetchall()
        return relations, roles, settings

    def drop(self) -> None:
        """Drop it and its users."""
        owner_rows(
            self.server.dsn(), f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)'
        )
        for user in (self.login_user, self.user):
            owner_rows(self.server.dsn(), f'DROP ROLE IF EXISTS "{user}"')


@pytest.fixture
def shape(postgres: EmbeddedPostgres) -> Iterator[Shape]:
    """A database that is still to be made."""
    made = Shape(postgres)
    yield made
    made.drop()


@pytest.mark.parametrize(
    "statements",
    [
        (VECTOR,),
        (VECTOR, OWN_SCHEMA),
        ELSEWHERE,
        (*ELSEWHERE, OWN_SCHEMA),
        (*ELSEWHERE, ON_PATH),
        (VECTOR, OWN_SCHEMA, "REVOKE ALL ON SCHEMA public FROM PUBLIC",
         'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC'),
        (VECTOR, 'CREATE SCHEMA a; ALTER DATABASE "{name}" SET search_path = a, public',
         'GRANT ALL ON SCHEMA a TO "{owner}" WITH GRANT OPTION'),
    ],
    ids=["public", "own", "extensions", "own, extensions", "on the path", "closed", "set"],
)  # fmt: skip
async def test_a_database_of_this_shape_works(
    shape: Shape, statements: Sequence[str]
) -> None:
    """It is migrated once; the user that serves finds tables, vectors, functions and the queue."""
    shape.make("", [*statements, LENT])
    assert len(shape.migrate()) > 1
    assert shape.migrate() == []
    assert await check_access(shape.login)
    async with create_pool(shape.login, min_size=1, max_size=2, timeout=10) as pool:
        await check_database(pool, SPACE, migrations())
        assert await list_memories(pool, ANN) == []
        async with person_transaction(pool, ANN) as transaction:
            distance = "SELECT '[1,0]'::vector <=> '[0,1]'::vector AS far"
            assert await (await transaction.execute(distance)).fetchall() == [
                {"far": 1.0}
            ]
        assert await execute_statement(pool, "SELECT * FROM people_with_due(1)") == []
        queue = Queue(pool)
        await queue.open()
        async with person_transaction(pool, ANN) as transaction:
            await queue.defer(
                transaction.connection, "work", {uuid4().hex: {}}, queue="q"
            )
        await queue.stop()


async def test_a_schema_that_is_created_later_moves_nothing(shape: Shape) -> None:
    """The tables stay where they are, though another schema is the first of the path now."""
    shape.make("", [VECTOR, LENT])
    shape.migrate()
    with psycopg.connect(shape.owner, autocommit=True) as owner:
        owner.execute(OWN_SCHEMA.format(owner=shape.user).encode())
    assert shape.migrate() == []
    assert await check_access(shape.login)


TEXTS = "TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'"


ENCODED = (
    "The database has the encoding {encoding}, in which not every message can be stored"
)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A case: the sentence's beginning, and the database.

    `may`: what its owner may. `login`: the user that serves, if it is not a new one. `look`: the
    doctor says the sentence, too.
    """

    why: str
    how: str
    statements: Sequence[str]
    may: str = "CREATEROLE"
    login: str | None = None
    look: bool = False


def refused(why: str, how: str, *statements: str, **more: Any) -> Any:
    """Return a case that is named after its sentence."""
    case = Refused(why=why, how=how, statements=statements, **more)
    return pytest.param(case, id=why[:40])


@pytest.mark.parametrize(
    "case",
    [
        *(
            refused(
                ENCODED.format(encoding=one), TEXTS.format(encoding=one), VECTOR, LENT, look=True
            )
            for one in ("SQL_ASCII", "LATIN1", "EUC_JP")
        ),
        refused(
            "No schema of the search_path exists", "",
            VECTOR, LENT, 'ALTER DATABASE "{name}" SET search_path = nowhere',
        ),
        refused(
            'The user "{user}" may not create tables in the schema "public"', "",
            VECTOR, LENT, 'ALTER DATABASE "{name}" OWNER TO kioku',
        ),
        refused(
            'The user "{user}" may not create pgvector\'s extension: run `CREATE EXTENSION vector`',
            "", LENT,
        ),
        refused(
            "The extension pgvector is 0.6.2 here: Kioku needs 0.7 or newer.",
            "", VECTOR, LENT, "UPDATE pg_extension SET extversion = '0.6.2'"
            " WHERE extname = 'vector'",
        ),
        refused(
            "Another installation in this PostgreSQL server has created Kioku's roles: run"
            ' `GRANT kioku_app, kioku_queue TO "{user}" WITH ADMIN OPTION`',
            "", VECTOR,
        ),
        refused(
            'The user "{user}" may not create the user "{login}" of DATABASE_URL', "",
            VECTOR, LENT, may="",
        ),
        refused(
            'Other users may not use the schema "extensions": run'
            ' `GRANT USAGE ON SCHEMA "extensions" TO PUBLIC`',
            "", *ELSEWHERE[:2], 'GRANT USAGE ON SCHEMA extensions TO "{owner}"', LENT,
        ),
        *(
            refused(
                f'"{role}" is a group role that Kioku grants to its user: write another user into'
                " DATABASE_URL, such as kioku_login.",
                "", VECTOR, LENT, login=role,
            )
            for role in ("kioku_app", "kioku_queue")
        ),
    ],
)  # fmt: skip
async def test_a_database_of_this_shape_is_refused_and_stays_as_it_is(
    shape: Shape, case: Refused
) -> None:
    """One sentence says what to do; no table, role or setting is left of the attempt."""
    shape.make(case.how, case.statements, may=case.may)
    if case.login is not None:
        shape.login = make_conninfo(shape.root, user=case.login)
    before = shape.state()
    with pytest.raises(DatabaseNotReady) as told:
        shape.migrate()
    assert str(told.value).startswith(
        case.why.format(user=shape.user, login=shape.login_user)
    )
    assert shape.state() == before
    if case.look:
        with pytest.raises(DatabaseNotReady) as found:
            await check_access(shape.owner)
        assert str(found.value) == str(told.value)


async def test_a_user_without_the_applications_role_is_told_so(shape: Shape) -> None:
    """A database that is set up, and a user of whom the migration did not know."""
    shape.make("", [VECTOR, LENT])
    shape.migrate()
    owner_rows(
        shape.root,
        f'REVOKE kioku_app FROM "{shape.login_user}" GRANTED BY "{shape.user}"',
    )
    with pytest.raises(
        DatabaseNotReady, match="may not act as kioku_app: run `kioku migrate`"
    ):
        await check_access(shape.login)


def test_an_older_server_is_named() -> None:
    """It knows no grant without inheriting, which the roles need."""
    info = SimpleNamespace(server_version=150_012, parameter_status=lambda _: "UTF8")
    with pytest.raises(
        DatabaseNotReady, match="is PostgreSQL 15: Kioku needs 16 or newer"
    ):
        check_server(cast("psycopg.ConnectionInfo", info))
