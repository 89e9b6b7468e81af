"""A workspace that removes the app is no longer served, and every row of it is deleted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from bot.conversation.inbox import Inbox
from bot.queue.queue import Queue
from bot.users.offboarding import AGAIN_SECONDS, PURGE, Offboarding, purge_due
from bot.users.workspaces import Workspaces, token_accepted
from memory import Pool, transaction
from tests.conftest import rows_of
from tests.integration.app import App
from tests.integration.messages import message
from tests.integration.playground_slack import PlaygroundSlack

pytestmark = pytest.mark.slow

GONE, OTHER, BOT = "T1", "T12", "UBOT"
OF_NAMESPACES = {"store", "store_vectors", "memory_expiries"}
# What is left of a workspace is that it left.
NOTE = "workspaces"

# Values that constraints ask for; all others are made from the column's type.
_GIVEN: dict[str, Any] = {
    "status": "done",
    "rating": "good",
    "consent": "agreed",
    "language": "en",
    "retention_days": 30,
    "oldest": "1.0",
    "page": 1,
}
_GIVEN_IN: dict[tuple[str, str], Any] = {
    ("turns", "status"): "answered",
    ("memory_changes", "action"): "remembered",
    ("memory_changes", "actor"): "formation",
    ("memory_questions", "kind"): "remove",
}
_BY_TYPE: dict[str, Any] = {
    "text": "text",
    "integer": 1,
    "bigint": 1,
    "double precision": 1.0,
    "numeric": 1,
    "boolean": True,
    "jsonb": "{}",
    "ARRAY": [],
    "bytea": b"",
    "tstzmultirange": "{}",
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
        self.rows("INSERT INTO memory_expiries VALUES (%s, 'k', now() + interval '1 y')", prefix)
        vector = f"[1{',0' * 255}]"
        self.rows(
            "INSERT INTO store_vectors (prefix, key, field_name, embedding)"
            " VALUES (%s, 'k', 'content', %s)",
            prefix,
            vector,
        )
        turn = uuid4()
        self._insert("turns", team, {"id": turn})
        tables = self.of_workspaces() - OF_NAMESPACES - {"turns", NOTE, "procrastinate_jobs"}
        for table in sorted(tables):
            self._insert(table, team, {"turn_id": turn})
        jobs = ({"team": team, "user": "U1"}, {"thread": f"{team}.D1.1.0"})
        for number, arguments in enumerate(jobs):
            self.rows(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)"
                " VALUES ('learning', 'work', %s, %s, %s)",
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
async def offboarding(pool: Pool, slack: PlaygroundSlack) -> Offboarding:
    """Offboarding over the test's database, without workers."""
    queue = Queue(pool)
    await queue.open()
    installations = slack.installations(slack.team_id, GONE, OTHER)
    return Offboarding(pool, queue, installations, Workspaces(pool))


async def test_an_uninstall_leaves_nothing_of_this_workspace(
    owner: Database, offboarding: Offboarding, caplog: pytest.LogCaptureFixture
) -> None:
    """Each table has rows of two workspaces: all of the one are deleted, none of the other."""
    caplog.set_level("INFO")
    for team in (GONE, OTHER):
        owner.fill(team)
    filled = owner.of_workspaces() - {NOTE, "procrastinate_jobs"}
    assert all(owner.count(table, GONE) for table in filled | {"procrastinate_jobs"})
    before = owner.dump(OTHER)
    await offboarding.uninstalled(GONE, time.time())
    [job] = owner.rows(
        "SELECT args, scheduled_at FROM procrastinate_jobs WHERE task_name = %s", PURGE
    )
    assert job == {"args": {"team": GONE}, "scheduled_at": None}
    owner.rows("DELETE FROM procrastinate_jobs WHERE task_name = %s", PURGE)
    await offboarding.purge(GONE)
    again = owner.rows(
        "DELETE FROM procrastinate_jobs WHERE task_name = %s"
        " RETURNING extract(epoch FROM scheduled_at - now())::float AS due_in",
        PURGE,
    )
    assert [round(row["due_in"], -1) for row in again] == [AGAIN_SECONDS]
    # Triggers let the Home of who is erased be published: those jobs end with the second purge.
    owner.rows("UPDATE workspaces SET purge_at = now()")
    await offboarding.purge(GONE)
    assert set(owner.dump(GONE)) <= {NOTE, "procrastinate_jobs"}
    tasks = owner.rows("SELECT task_name FROM procrastinate_jobs WHERE args->>'team' = %s", GONE)
    assert {row["task_name"] for row in tasks} <= {PURGE}
    assert owner.dump(OTHER) == before
    assert "purged workspace T1: catching_up 1, conversations 1" in caplog.text


async def test_an_interrupted_purge_continues(owner: Database, offboarding: Offboarding) -> None:
    """Cancelled in the middle of 40,000 turns it leaves the rest, which the next run deletes."""
    owner.rows(
        "INSERT INTO turns (id, team_id, user_id, channel_id, thread, audience, question_ts,"
        " question, words) SELECT gen_random_uuid(), team, 'U1', 'D1', team || '.D1.1', 'dm',"
        " n::text, 'QUESTION', '' FROM generate_series(1, 40000) AS n,"
        " (VALUES ('T1'), ('T12')) AS of (team)"
    )
    await offboarding.uninstalled(GONE, time.time())
    counted = "SELECT count(*) AS n FROM turns WHERE team_id = 'T1'"
    running = asyncio.create_task(purge_due(offboarding.pool, GONE))
    while owner.rows(counted)[0]["n"] == 40_000:
        assert not running.done()
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    rest = owner.rows(counted)[0]["n"]
    assert 0 < rest < 40_000
    assert await purge_due(offboarding.pool) == {GONE: AGAIN_SECONDS}
    assert owner.rows("SELECT team_id, count(*) AS n FROM turns GROUP BY 1") == [
        {"team_id": "T12", "n": 40_000}
    ]


async def test_a_purge_is_finished_when_nothing_more_is_found(
    owner: Database, offboarding: Offboarding, slack: PlaygroundSlack
) -> None:
    """It is repeated until a run ten minutes later finds nothing; events are idempotent."""
    at = time.time()
    await offboarding.uninstalled(GONE, at)
    assert await purge_due(offboarding.pool) == {GONE: AGAIN_SECONDS}
    assert await purge_due(offboarding.pool) == {}
    late = "UPDATE workspaces SET purge_at = now(), purge_started_at = now() - interval '1 h'"
    owner.fill(GONE)  # what was under way when the workspace left
    owner.rows(late)
    assert await purge_due(offboarding.pool) == {GONE: AGAIN_SECONDS}
    owner.rows("DELETE FROM procrastinate_jobs")
    owner.rows(late)
    assert await purge_due(offboarding.pool) == {GONE: None}
    [row] = owner.rows("SELECT purged_at IS NOT NULL AS purged FROM workspaces")
    assert row == {"purged": True}
    await offboarding.uninstalled(GONE, at)
    await offboarding.tokens_revoked(GONE, at, [slack.bot_user_id])
    assert await purge_due(offboarding.pool) == {}
    assert not owner.rows("SELECT 1 FROM procrastinate_jobs")
    assert not await offboarding.workspaces.serves(GONE)


async def test_what_a_new_installation_writes_stays(
    owner: Database, offboarding: Offboarding
) -> None:
    """Delivered after the app was installed again, an uninstall deletes what is older than it."""
    at = time.time() - 60
    owner.fill(GONE)
    for table in owner.of_workspaces() - {NOTE, "procrastinate_jobs"}:
        dates = [
            column["column_name"]
            for column in owner.tables()[table]
            if column["data_type"] in ("timestamp with time zone", "date")
        ]
        owner.rows(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for date in dates:
            owner.rows(f"UPDATE {table} SET {date} = {date} - interval '2 d'")
        owner.rows(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    owner.rows("UPDATE procrastinate_events SET at = at - interval '2 d'")
    async with transaction(offboarding.pool) as connection:
        await token_accepted(connection, GONE, BOT)
    owner.rows("INSERT INTO store (prefix, key, value) VALUES ('chat.T1.U1.dm', 'new', '{}')")
    await Inbox(offboarding.pool, offboarding.queue).store(message())
    await offboarding.uninstalled(GONE, at)
    assert await offboarding.workspaces.serves(GONE)
    await purge_due(offboarding.pool)
    assert owner.rows("SELECT key FROM store") == [{"key": "new"}]
    assert [row["status"] for row in owner.rows("SELECT status FROM inbox_events")] == ["waiting"]
    assert owner.rows("SELECT 1 FROM turns") == owner.rows("SELECT 1 FROM person_settings") == []
    owner.rows("UPDATE workspaces SET purge_at = now(), purge_started_at = now() - interval '1 h'")
    assert await purge_due(offboarding.pool) == {GONE: None}
    [row] = owner.rows("SELECT left_at, purge_at, returned_at FROM workspaces")
    assert set(row.values()) == {None}


async def test_installed_again_it_is_served_at_once(
    owner: Database, offboarding: Offboarding
) -> None:
    """While older rows are still to be purged, a workspace with a working token is served."""
    owner.fill(GONE)
    await offboarding.uninstalled(GONE, time.time())
    assert not await offboarding.workspaces.serves(GONE)
    assert "uninstalled the app" in str(await offboarding.problem([GONE]))
    async with transaction(offboarding.pool) as connection:
        await token_accepted(connection, GONE, BOT)
    offboarding.workspaces.invalidate(GONE)
    assert await offboarding.workspaces.serves(GONE)
    owner.rows("INSERT INTO store (prefix, key, value) VALUES ('chat.T1.U1.dm', 'new', '{}')")
    await purge_due(offboarding.pool)
    assert owner.rows("SELECT key FROM store") == [{"key": "new"}]


@pytest.mark.failed_calls("auth.test: account_inactive", because="The token is revoked.")
@pytest.mark.parametrize("order", ["together", "late"])
async def test_a_revoked_token_stops_the_work_and_waits(
    owner: Database,
    offboarding: Offboarding,
    slack: PlaygroundSlack,
    caplog: pytest.LogCaptureFixture,
    order: str,
) -> None:
    """The operator is alerted; the rows are purged after 14 days, or at once after an uninstall."""
    team, bot = slack.team_id, slack.bot_user_id
    owner.rows(
        "INSERT INTO store (prefix, key, value) VALUES (%s, 'k', '{}')", f"chat.{team}.U1.dm"
    )
    await offboarding.tokens_revoked(team, time.time(), ["USOMEBODY"])
    assert await offboarding.workspaces.serves(team)
    assert not caplog.records
    offboarding.workspaces.invalidate(team)
    slack.control("uninstall", {"events": []})
    try:
        await offboarding.tokens_revoked(team, time.time(), [bot])
        assert not await offboarding.workspaces.serves(team)
        [alert] = [record for record in caplog.records if record.levelname == "ERROR"]
        assert alert.getMessage().startswith(
            f"ALERT: Slack revoked the bot token of workspace {team}"
        )
        if order == "together":
            await offboarding.uninstalled(team, time.time())
        for days, left_over in ((13.9, 1), (14.1, 0)):
            shift = (
                "UPDATE workspaces SET purge_at = left_at + interval '14 d' - %s * interval '1 d'"
            )
            if order == "late":
                owner.rows(shift, days)
            owner.rows("DELETE FROM procrastinate_jobs")
            await offboarding.purge(team)
            rows = owner.rows("SELECT count(*) AS n FROM store")
            assert rows == [{"n": 0 if order == "together" else left_over}]
    finally:
        slack.control("install", {})


async def test_a_token_that_works_again_cancels_the_purge(
    owner: Database, offboarding: Offboarding, slack: PlaygroundSlack
) -> None:
    """Asked before the purge, Slack accepts the token: nothing is deleted, the workspace served."""
    team, bot = slack.team_id, slack.bot_user_id
    owner.rows(
        "INSERT INTO store (prefix, key, value) VALUES (%s, 'k', '{}')", f"chat.{team}.U1.dm"
    )
    await offboarding.tokens_revoked(team, time.time() - 15 * 86_400, [bot])
    await offboarding.purge(team)
    assert await offboarding.workspaces.serves(team)
    assert owner.rows("SELECT key FROM store") == [{"key": "k"}]
    await offboarding.tokens_revoked(team, time.time() - 15 * 86_400, [bot])
    assert await offboarding.workspaces.serves(team)


async def test_a_lost_purge_gets_a_job(owner: Database, offboarding: Offboarding) -> None:
    """The upkeep finds a purge that is due and has no job."""
    await offboarding.uninstalled(GONE, time.time())
    owner.rows("DELETE FROM procrastinate_jobs")
    for _ in range(2):
        await offboarding.schedule_due()
    assert owner.rows("SELECT task_name, args FROM procrastinate_jobs") == [
        {"task_name": PURGE, "args": {"team": GONE}}
    ]


async def test_work_of_a_workspace_that_left_is_passed_over(offboarding: Offboarding) -> None:
    """Jobs of that workspace do nothing, and its messages are claimed as not to be answered."""
    done: list[dict[str, str]] = []

    async def work(**arguments: str) -> None:
        done.append(arguments)

    waiting, inbox = message(), Inbox(offboarding.pool, offboarding.queue)
    await inbox.store(waiting)
    await offboarding.uninstalled(GONE, time.time())
    served = offboarding.while_served(work)
    await served(team=GONE, user="U1")
    await served(thread=f"{GONE}.D1.1.0")
    await served(team=OTHER, user="U1")
    assert done == [{"team": OTHER, "user": "U1"}]
    claimed = await inbox.claim(waiting.thread)
    assert claimed is not None
    assert claimed.unserved


async def test_a_message_of_a_workspace_that_left_is_passed_over(app: App, owner: Database) -> None:
    """A message that waited when the workspace left is neither answered nor kept."""
    place = app.slack.place()
    waiting = await app.receive(place, "I love ramen")
    owner.rows(
        "INSERT INTO workspaces (team_id, reason, left_at, purge_at)"
        " VALUES (%s, 'token_revoked', now(), now() + interval '14 d')",
        place.team,
    )
    await app.answering.drain(waiting.thread)
    assert app.replies(waiting) == []
    row = app.event(waiting)
    assert (row["status"], row["message"]) == ("done", None)
    assert app.find("turns", waiting) is None


async def test_an_event_of_a_workspace_that_left_is_dropped(app: App, owner: Database) -> None:
    """Slack may deliver again what it could not deliver before: nothing of it is stored."""
    place = app.slack.place()
    earlier, later = (
        {
            "type": "message",
            "channel_type": "im",
            "channel": place.channel,
            "user": place.user,
            "text": "I love ramen",
            "ts": ts,
            "event_ts": ts,
        }
        for ts in (f"{int(time.time())}.000100", f"{int(time.time())}.000200")
    )
    assert await app.deliver(earlier) == 200
    await app.wiring.offboarding.uninstalled(place.team, time.time())
    assert await app.deliver(later) == 200
    stored = owner.rows("SELECT ts FROM inbox_events WHERE user_id = %s", place.user)
    assert stored == [{"ts": earlier["ts"]}]
