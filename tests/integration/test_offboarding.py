"""A workspace that removes the app is no longer served, and every row of it is deleted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from bot.workspaces import Workspaces, purge_due, token_accepted
from memory import Pool
from memory.postgres import transaction
from tests.conftest import rows_of
from tests.integration.app import App
from tests.integration.playground_slack import PlaygroundSlack

pytestmark = pytest.mark.slow

GONE, OTHER, BOT = "T1", "T12", "UBOT"
OF_NAMESPACES = {"store", "store_vectors"}
# What is left of a workspace is that it left.
NOTE = "workspaces"

# Values that constraints ask for; all others are made from the column's type.
_GIVEN: dict[str, Any] = {
    "status": "answered",
    "rating": "good",
    "eagerness": "balanced",
    "language": "en",
    "retention_days": 30,
    "oldest": "1.0",
}
_GIVEN_IN: dict[tuple[str, str], Any] = {
    ("memory_versions", "action"): "remembered",
    ("memory_versions", "actor"): "formation",
    ("memory_questions", "kind"): "remove",
}
_BY_TYPE: dict[str, Any] = {
    "text": "text",
    "integer": 1,
    "bigint": 1,
    "double precision": 1.0,
    "numeric": 1,
    "boolean": True,
    "uuid": "00000000-0000-4000-8000-000000000001",
    "jsonb": "{}",
    "ARRAY": [],
    "bytea": b"",
}


class Database:
    """The database, seen as its owner sees it."""

    def __init__(self, conninfo: str) -> None:
        self._owner = psycopg.connect(conninfo, row_factory=dict_row, autocommit=True)

    def close(self) -> None:
        """Close the connection."""
        self._owner.close()

    def rows(self, statement: str | sql.Composed, *values: object) -> list[dict[str, Any]]:
        """Run a statement."""
        given = statement.encode() if isinstance(statement, str) else statement
        return rows_of(self._owner.execute(given, values or None))

    def count(self, table: str, team: str) -> int:
        """Count the rows of a table that name a workspace anywhere, not those of a longer id."""
        [row] = self.rows(
            sql.SQL("SELECT count(*) AS n FROM {} t WHERE t::text ~ %s").format(
                sql.Identifier(table)
            ),
            rf"\m{team}\M",
        )
        return int(row["n"])

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the columns of every table, by its name."""
        found = self.rows(
            "SELECT columns.table_name AS name, column_name, data_type, udt_name, is_nullable,"
            " column_default, is_identity FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " ORDER BY ordinal_position"
        )
        tables: dict[str, list[dict[str, Any]]] = {}
        for row in found:
            tables.setdefault(row["name"], []).append(row)
        return tables

    def of_workspaces(self) -> set[str]:
        """Return the tables whose rows belong to a workspace, by their columns."""
        marks = {"team_id", "team", "user_id", "person", "prefix", "channel_id", "thread"}
        return {
            name
            for name, columns in self.tables().items()
            if marks & {column["column_name"] for column in columns}
        }

    def fill(self, team: str) -> None:
        """Put a row of this workspace into each of these tables, and jobs into the queue."""
        prefix = f"chat.{team}.U1.dm"
        self.rows("INSERT INTO store (prefix, key, value) VALUES (%s, 'k', '{}')", prefix)
        vector = f"[1{',0' * 255}]"
        self.rows(
            "INSERT INTO store_vectors (prefix, key, field_name, embedding)"
            " VALUES (%s, 'k', 'content', %s)",
            prefix,
            vector,
        )
        turn = uuid4()
        self._insert("messages", team, {"id": turn})
        tables = self.of_workspaces() - OF_NAMESPACES - {"messages", NOTE, "procrastinate_jobs"}
        for table in sorted(tables):
            self._insert(table, team, {"turn_id": turn})
        jobs = ({"team": team, "user": "U1"}, {"thread": f"{team}.D1.1.0"})
        for number, arguments in enumerate(jobs):
            self.rows(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)"
                " VALUES ('background', 'work', %s, %s, %s)",
                *[f"{team}:{number}"] * 2,
                json.dumps(arguments),
            )

    def _insert(self, table: str, team: str, known: dict[str, Any]) -> None:
        names, values = [], []
        for column in self.tables()[table]:
            name, kind = column["column_name"], column["data_type"]
            if column["is_identity"] == "YES":
                continue
            if name in ("created_at", "changed_at") and column["column_default"]:
                continue
            names.append(sql.Identifier(name))
            values.append(
                sql.Literal(known[name]) if name in known else _value(table, team, name, kind)
            )
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table), sql.SQL(", ").join(names), sql.SQL(", ").join(values)
        )
        self.rows(statement)

    def dump(self, team: str) -> dict[str, list[str]]:
        """Return every row of a workspace, as text, by table."""
        found = {}
        for table in sorted(self.tables()):
            statement = sql.SQL("SELECT t::text AS row FROM {} t WHERE t::text ~ %s ORDER BY 1")
            found[table] = [
                row["row"]
                for row in self.rows(statement.format(sql.Identifier(table)), rf"\m{team}\M")
            ]
        return {table: rows for table, rows in found.items() if rows}


def _value(table: str, team: str, name: str, kind: str) -> sql.Composable:
    plain = {"team_id": team, "user_id": "U1", "channel_id": "D1", "thread": f"{team}.D1.1.0"}
    if name in plain:
        return sql.Literal(plain[name])
    given = _GIVEN_IN.get((table, name), _GIVEN.get(name))
    if given is not None:
        return sql.Literal(given)
    if kind == "uuid":
        return sql.SQL("gen_random_uuid()")
    if kind.startswith("timestamp"):
        return sql.SQL("now()")
    if kind == "date":
        return sql.SQL("current_date")
    if kind == "USER-DEFINED":
        return sql.SQL("NULL")
    return sql.Literal(_BY_TYPE[kind])


@pytest.fixture
def owner(database: str) -> Iterator[Database]:
    """The database of one test."""
    opened = Database(database)
    yield opened
    opened.close()


@pytest.fixture
def workspaces(pool: Pool, slack: PlaygroundSlack) -> Workspaces:
    """Workspaces over the test's database, with a day of grace."""
    return Workspaces(pool, slack.installations(slack.team_id, GONE, OTHER), grace_hours=24)


async def test_uninstall_deletes_every_row_of_this_workspace(
    owner: Database, workspaces: Workspaces
) -> None:
    """Each table has rows of two workspaces: all of the one are deleted, none of the other."""
    for team in (GONE, OTHER):
        owner.fill(team)
    filled = owner.of_workspaces() - {NOTE, "procrastinate_jobs"}
    assert all(owner.count(table, GONE) for table in filled | {"procrastinate_jobs"})
    before = owner.dump(OTHER)
    await workspaces.left(GONE, time.time(), uninstalled=True)
    owner.rows("UPDATE workspaces SET purge_at = now()")
    for _ in range(2):
        await purge_due(workspaces.pool)
        assert set(owner.dump(GONE)) == {NOTE}
        # What was under way when the workspace left.
        owner.fill(GONE)
    assert owner.dump(OTHER) == before


async def test_installation_within_the_grace_period_keeps_the_rows(
    owner: Database, workspaces: Workspaces, caplog: pytest.LogCaptureFixture
) -> None:
    """The workspace is not served and nothing is deleted; then it is as before."""
    owner.fill(GONE)
    before = owner.dump(GONE)
    # Slack sends both events, in any order, and again.
    for uninstalled in (False, True, False, True):
        await workspaces.left(GONE, time.time(), uninstalled=uninstalled)
    assert not await workspaces.serves(GONE)
    assert [one.getMessage().partition(" on ")[0] for one in caplog.records] == [
        f"ALERT: Slack revoked the bot token of workspace {GONE}",
        f"Workspace {GONE} uninstalled the app",
    ]
    await purge_due(workspaces.pool)
    assert owner.dump(GONE).keys() == before.keys() | {NOTE}
    async with transaction(workspaces.pool) as connection:
        await token_accepted(connection, GONE, BOT)
    # An event of before that comes late.
    await workspaces.left(GONE, time.time() - 60, uninstalled=True)
    assert await workspaces.serves(GONE)
    await purge_due(workspaces.pool)
    assert owner.dump(GONE).keys() == before.keys() | {NOTE}


async def test_nothing_is_purged_of_a_workspace_that_is_served(owner: Database) -> None:
    """The function of the database asks for itself: the serving user cannot purge at will."""
    owner.fill(GONE)
    before = owner.dump(GONE)
    owner.rows("SELECT purge_workspace(%s) AS done", GONE)
    assert owner.dump(GONE) == before


async def test_a_message_of_a_workspace_that_left_is_passed_over(app: App, owner: Database) -> None:
    """A message that waited when the workspace left is neither answered nor kept."""
    place = app.slack.place()
    waiting = await app.receive(place, "I love ramen")
    owner.rows(
        "INSERT INTO workspaces (team_id, left_at) VALUES (%s, now())"
        " ON CONFLICT (team_id) DO UPDATE SET left_at = now()",
        place.team,
    )
    await app.answering.drain(waiting.thread)
    assert app.replies(waiting) == []
    row = app.event(waiting)
    assert (row["status"], row["message"]) == ("skipped", None)
    assert app.find_turn(waiting) is None


async def test_a_workspace_that_left_gets_no_event_of_a_shared_channel(
    workspaces: Workspaces, pool: Pool
) -> None:
    """An event that mentions its bot, or is of its thread, is for the others alone."""
    event = {"type": "message", "channel": "C1", "ts": "1.0", "text": f"<@{BOT}> hello"}
    body = {"team_id": OTHER, "event": event}
    async with transaction(pool) as connection:
        await token_accepted(connection, GONE, BOT)
    assert await workspaces.with_message(body) == [OTHER, GONE]
    await workspaces.left(GONE, time.time(), uninstalled=True)
    assert await workspaces.with_message(body) == [OTHER]
