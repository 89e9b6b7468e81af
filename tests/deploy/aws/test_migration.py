"""The migration function, in its own process: a password that is rotated while it connects."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.collector import Collector
from tests.deploy.aws.cloud import Function
from tests.deploy.aws.conftest import Deployed, before_the_first, database_secret


@contextmanager
def owner_with_password(conninfo: str) -> Iterator[tuple[str, str, Callable[[str], None]]]:
    """Yield an owner's name and password, which PostgreSQL asks for, and a way to change it."""
    name, login = f"owner_{uuid4().hex[:8]}", f"login_{uuid4().hex[:8]}"
    with psycopg.connect(conninfo, autocommit=True) as connection:

        def run(statement: str, *values: sql.Composable) -> None:
            connection.execute(sql.SQL(statement).format(*values))

        def change(password: str) -> None:
            run("ALTER ROLE {} PASSWORD {}", sql.Identifier(name), sql.Literal(password))

        rules = Path(connection.execute("SHOW hba_file").fetchall()[0][0])
        kept = rules.read_text()
        rules.write_text(f"local all {name} scram-sha-256\n{kept}")
        run("CREATE ROLE {} LOGIN SUPERUSER", sql.Identifier(name))
        change("first")
        connection.execute("SELECT pg_reload_conf()")
        try:
            yield name, login, change
        finally:
            rules.write_text(kept)
            connection.execute("SELECT pg_reload_conf()")
            run("REASSIGN OWNED BY {} TO CURRENT_USER", sql.Identifier(name))
            for role in (login, name):
                if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).rowcount:
                    run("DROP OWNED BY {}", sql.Identifier(role))
                    run("DROP ROLE {}", sql.Identifier(role))


def migrate(deployed: Deployed, secrets: dict[str, str]) -> dict[str, Any]:
    """Run the migration function once and return its answer to CloudFormation."""
    worker = deployed.cloud.functions["worker"]
    function = Function(
        "migration",
        "deploy.aws.migration.handler",
        {
            **worker.variables,
            "DATABASE_SECRET_ARN": secrets["login"],
            "DATABASE_OWNER_SECRET_ARN": secrets["owner"],
        },
        worker.log,
        60.0,
    )
    ids = {name: name for name in ("StackId", "RequestId", "LogicalResourceId")}
    with closing(Collector()) as stack:
        try:
            function.run({"RequestType": "Create", "ResponseURL": f"{stack.url}/answer", **ids})
        finally:
            function.end_idle()
    assert stack.requests == ["PUT /answer"]
    answer: dict[str, Any] = json.loads(stack.bodies[0])
    return answer


def make_secrets(deployed: Deployed, owner: str, login: str) -> dict[str, str]:
    """Write the two secrets and return their names."""
    found = {}
    for name, conninfo in {"owner": owner, "login": login}.items():
        found[name] = f"{name}-{uuid4().hex[:8]}"
        deployed.secrets.create_secret(
            Name=found[name], SecretString=json.dumps(database_secret(conninfo))
        )
    return found


@pytest.mark.parametrize("told", [True, False])
def test_a_password_that_is_rotated_before_it_connects(
    deployed: Deployed, empty_database: str, told: bool
) -> None:
    """The migration reads the secret again, once; if that is no newer, it says so and fails."""
    with (
        tempfile.TemporaryDirectory(prefix="k") as folder,
        owner_with_password(empty_database) as (name, login, change),
    ):

        def rotate() -> None:
            change("second")
            if told:
                written = make_conninfo(through, user=name, password="second")
                deployed.secrets.put_secret_value(
                    SecretId=secrets["owner"], SecretString=json.dumps(database_secret(written))
                )

        with before_the_first(empty_database, Path(folder), rotate) as through:
            secrets = make_secrets(
                deployed,
                make_conninfo(through, user=name, password="first"),
                make_conninfo(through, user=login, password="of the login"),
            )
            answer = migrate(deployed, secrets)
        with psycopg.connect(empty_database) as connection:
            [[tables]] = connection.execute("SELECT to_regclass('store') IS NOT NULL").fetchall()
            logins = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (login,))
            assert (tables, logins.rowcount == 1) == (told, told)
    assert answer["Status"] == ("SUCCESS" if told else "FAILED")
    refused = "PostgreSQL asked for the password and then refused the connection: check user,"
    assert answer["Reason"].startswith("The database is up to date." if told else refused)
