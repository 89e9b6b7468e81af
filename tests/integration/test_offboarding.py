"""A workspace that removes the app is no longer served, and every row of it is deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from bot.conversation.inbox import store_message
from bot.listeners.events import handle_event
from bot.workspaces import Workspaces, purge_due, token_accepted
from memory import Person, Pool
from memory.postgres import execute_statement, transaction
from tests.databases import rows_of
from tests.filled import fill
from tests.integration.app import App
from tests.integration.playground_slack import PlaygroundSlack

pytestmark = pytest.mark.slow

GONE, OTHER, BOT = "T1", "T12", "UBOT"
OF_WORKSPACES = (
    "INSERT INTO conversations (team_id, channel_id, audience, shared)"
    " VALUES (%s, 'D1', '', false)",
    "INSERT INTO listening (team_id, heard_at) VALUES (%s, now())",
)
# What is left of a workspace is that it left.
NOTE = "workspaces"


class Database:
    """The database, seen as its owner sees it."""

    def __init__(self, conninfo: str) -> None:
        self._owner = psycopg.connect(conninfo, row_factory=dict_row, autocommit=True)

    def close(self) -> None:
        """Close the connection."""
        self._owner.close()

    def rows(
        self, statement: str | sql.Composed, *values: object
    ) -> list[dict[str, Any]]:
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

    def tables(self) -> dict[str, set[str]]:
        """Return the names of the columns of every table, by its name."""
        found = self.rows(
            "SELECT table_name AS name, array_agg(column_name::text) AS columns"
            " FROM information_schema.columns JOIN information_schema.tables"
            " USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE' GROUP BY 1"
        )
        return {row["name"]: set(row["columns"]) for row in found}

    def of_workspaces(self) -> set[str]:
        """Return the tables whose rows belong to a workspace, by their columns."""
        marks = {
            "team_id",
            "team",
            "user_id",
            "person",
            "prefix",
            "channel_id",
            "thread",
        }
        return {name for name, columns in self.tables().items() if marks & columns}

    def fill(self, team: str) -> None:
        """Put a row of this workspace into each of these tables."""
        fill(self._owner, Person(team, "U1"))
        for statement in OF_WORKSPACES:
            self.rows(statement, team)

    def dump(self, team: str) -> dict[str, list[str]]:
        """Return every row of a workspace, as text, by table."""
        found = {}
        for table in sorted(self.tables()):
            statement = sql.SQL(
                "SELECT t::text AS row FROM {} t WHERE t::text ~ %s ORDER BY 1"
            )
            found[table] = [
                row["row"]
                for row in self.rows(
                    statement.format(sql.Identifier(table)), rf"\m{team}\M"
                )
            ]
        return {table: rows for table, rows in found.items() if rows}


@pytest.fixture
def owner(database: str) -> Iterator[Database]:
    """The database of one test."""
    opened = Database(database)
    yield opened
    opened.close()


@pytest.fixture
def workspaces(pool: Pool, slack: PlaygroundSlack) -> Workspaces:
    """Workspaces over the test's database, with a day of grace."""
    return Workspaces(pool, slack.api(), grace_hours=24)


async def test_uninstall_deletes_every_row_of_this_workspace(
    owner: Database, workspaces: Workspaces
) -> None:
    """Each table has rows of two workspaces: all of the one are deleted, none of the other."""
    for team in (GONE, OTHER):
        owner.fill(team)
    filled = owner.of_workspaces() - {NOTE}
    empty = {one for one in filled if not owner.count(one, GONE)}
    assert empty == set(), "A new table needs a row in `fill`."
    before = owner.dump(OTHER)
    await workspaces.record_departure(GONE, time.time(), uninstalled=True)
    owner.rows("UPDATE workspaces SET purge_at = now()")
    for _ in range(2):
        await purge_due(workspaces.pool)
        assert set(owner.dump(GONE)) == {NOTE}
        # What was under way when the workspace left.
        owner.fill(GONE)
    assert owner.dump(OTHER) == before


async def test_installation_within_the_grace_period_keeps_the_rows(
    owner: Database, workspaces: Workspaces
) -> None:
    """The workspace is not served and nothing is deleted; then it is as before."""
    owner.fill(GONE)
    before = owner.dump(GONE)
    await workspaces.record_departure(GONE, time.time(), uninstalled=True)
    assert not await workspaces.serves(GONE)
    await purge_due(workspaces.pool)
    assert owner.dump(GONE).keys() == before.keys() | {NOTE}
    async with transaction(workspaces.pool) as connection:
        await token_accepted(connection, GONE, BOT)
    # An event of before that comes late.
    await workspaces.record_departure(GONE, time.time() - 60, uninstalled=True)
    assert await workspaces.serves(GONE)
    await purge_due(workspaces.pool)
    assert owner.dump(GONE).keys() == before.keys() | {NOTE}


@pytest.mark.failed_calls(
    "auth.test: account_inactive", because="The token is revoked."
)
async def test_a_revoked_token_ends_the_service_if_slack_refuses_it(
    workspaces: Workspaces, slack: PlaygroundSlack, caplog: pytest.LogCaptureFixture
) -> None:
    """An event about a token that works changes nothing; else the service ends, once."""
    team = slack.team_id
    await workspaces.record_departure(team, time.time(), uninstalled=False)
    assert await workspaces.serves(team)
    slack.control("uninstall", {"events": []})
    try:
        # Slack sends both events, in any order, and again.
        for uninstalled in (False, True, False, True):
            await workspaces.record_departure(
                team, time.time(), uninstalled=uninstalled
            )
    finally:
        slack.control("install", {})
    assert not await workspaces.serves(team)
    assert [one.getMessage().partition(" on ")[0] for one in caplog.records] == [
        f"Workspace {team} revoked its bot token",
        f"Workspace {team} uninstalled the app",
    ]


async def test_nothing_is_purged_of_a_workspace_that_is_served(owner: Database) -> None:
    """The function of the database asks for itself: the serving user cannot purge at will."""
    owner.fill(GONE)
    before = owner.dump(GONE)
    owner.rows("SELECT purge_workspace(%s) AS done", GONE)
    assert owner.dump(GONE) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE workspaces SET purge_at = now() WHERE team_id = %s",
        "UPDATE workspaces SET purge_at = now() + interval '59 minutes' WHERE team_id = %s",
        "INSERT INTO workspaces (team_id, purge_at) VALUES (%s, '-infinity')"
        " ON CONFLICT (team_id) DO UPDATE SET purge_at = excluded.purge_at",
    ],
)
async def test_the_serving_user_cannot_shorten_the_grace(
    owner: Database, workspaces: Workspaces, statement: LiteralString
) -> None:
    """An hour is the least, whoever has the password of the user that serves."""
    owner.fill(GONE)
    await workspaces.record_departure(GONE, time.time(), uninstalled=True)
    before = owner.dump(GONE)
    with pytest.raises(
        psycopg.errors.InsufficientPrivilege, match="row-level security"
    ):
        await execute_statement(workspaces.pool, statement, (GONE,))
    await execute_statement(workspaces.pool, "SELECT purge_workspace(%s)", (GONE,))
    assert owner.dump(GONE) == before


async def test_the_events_of_an_uninstall_count_in_either_order(app: App) -> None:
    """The first ends the installation, so that the second is of a workspace without one."""
    events = ("tokens_revoked", "app_uninstalled")
    for team, sent in ((GONE, events), (OTHER, events[::-1])):
        for kind in sent:
            await app.deliver({"type": kind, "tokens": {"bot": [BOT]}}, team_id=team)
    due = app.rows(
        "SELECT team_id FROM workspaces WHERE purge_at IS NOT NULL ORDER BY team_id"
    )
    assert [row["team_id"] for row in due] == [GONE, OTHER]


async def test_a_message_of_a_workspace_that_left_is_passed_over(
    app: App, owner: Database
) -> None:
    """What waited when it left is neither answered nor kept; what comes later is not stored."""
    place = app.slack.place()
    waiting = await app.receive(place, "I love ramen")
    owner.rows(
        "INSERT INTO workspaces (team_id, left_at) VALUES (%s, now())"
        " ON CONFLICT (team_id) DO UPDATE SET left_at = now()",
        place.team,
    )
    await app.answering.drain(waiting.thread)
    assert app.replies(waiting) == []
    assert not await store_message(app.core, app.written(place, "I love soba"))
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
    await workspaces.record_departure(GONE, time.time(), uninstalled=True)
    assert await workspaces.with_message(body) == [OTHER]


async def test_an_event_that_names_a_workspace_that_left_is_stored_for_the_other(
    app: App,
) -> None:
    """Slack names any of the workspaces of a shared channel; the bot of another one is meant."""
    place = app.slack.place(channel="connect")
    async with transaction(app.pool) as connection:
        await token_accepted(connection, place.team, app.slack.bot_user_id)
    text = f"<@{app.slack.bot_user_id}> hello"
    event = {
        "type": "message",
        "user": place.user,
        "channel": place.channel,
        "ts": place.root,
    }
    body = {"team_id": GONE, "event_id": "Ev1", "is_ext_shared_channel": True}
    await handle_event(app.core, {**body, "event": {**event, "text": text}})
    assert [row["team_id"] for row in app.rows("SELECT team_id FROM messages")] == [
        place.team
    ]
