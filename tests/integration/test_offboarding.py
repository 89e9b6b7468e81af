"""The app is uninstalled: nobody is served, and a day later every row of everybody is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
import pytest
from aiohttp.web import HTTPServiceUnavailable
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import SecretStr

from bot.config import Settings
from bot.runtime import refused_token
from bot.runtime.ask import answer
from bot.runtime.installing import find_installation
from bot.runtime.problems import Problem
from bot.runtime.refused_token import while_token_accepted
from bot.runtime.slack_calls import TokenRefused
from bot.slack.client import SLACK_FAULTS
from memory import Person, Pool
from memory.postgres import execute_statement
from tests.databases import rows_of
from tests.filled import fill
from tests.integration.app import App
from tests.integration.messages import event_of

pytestmark = [pytest.mark.slow, pytest.mark.own_slack]

OTHER = "T0OTHER0001"
LEFT: LiteralString = "SELECT left_at FROM installation"
# Rows that are nobody's, and those of the queue, whose jobs hold ids only.
NOBODYS = {"installation", "interactions"}


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

    def tables(self) -> list[str]:
        """Return the tables whose rows name a person, a conversation or a workspace."""
        found = self.rows(
            "SELECT DISTINCT table_name AS name FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND column_name IN ('team_id', 'prefix', 'channel_id', 'thread') ORDER BY 1"
        )
        return [row["name"] for row in found if row["name"] not in NOBODYS]

    def dump(self) -> dict[str, list[str]]:
        """Return the rows of each of these tables, as text."""
        found = {}
        for table in self.tables():
            statement = sql.SQL("SELECT t::text AS row FROM {} t ORDER BY 1")
            rows = self.rows(statement.format(sql.Identifier(table)))
            found[table] = [row["row"] for row in rows]
        return found

    def fill(self, team: str) -> None:
        """Put rows of two people into each of these tables; callers of POST /ask are in API."""
        fill(self._owner, Person(team, "U1"))
        fill(self._owner, Person("API", "U2"), number=2)
        self.rows(
            "INSERT INTO conversations (team_id, channel_id, audience, shared)"
            " VALUES (%s, 'D1', '', false)",
            team,
        )

    def left_ago(self, hours: float) -> None:
        """Let it be so many hours since the app was uninstalled."""
        self.rows(
            "UPDATE installation SET left_at = now() - make_interval(secs => %s)",
            hours * 3_600,
        )


@pytest.fixture
def owner(database: str) -> Iterator[Database]:
    """The database of one test."""
    opened = Database(database)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
async def installed_again(app: App) -> AsyncIterator[None]:
    """Let the app be installed for the next test."""
    yield
    app.slack.control("install", {})
    app.rows("UPDATE installation SET left_at = NULL RETURNING 1")


async def settle(app: App) -> None:
    """Do the periodic work of an uninstalled app; a failure only waits for the next minute."""
    with suppress(*SLACK_FAULTS):
        await app.core.presence.settle()


@pytest.mark.failed_calls(
    *("auth.test: account_inactive", "auth.test: token_revoked"),
    because="Slack says that the app is gone.",
)
@pytest.mark.parametrize(
    ("slack_answers", "deleted", "stays_uninstalled"),
    [
        ({}, False, False),
        ({"error": "account_inactive"}, True, True),
        ({"error": "token_revoked"}, True, True),
        ({"error": "invalid_auth"}, False, True),
        ({"error": "ratelimited"}, False, True),
        ({"drop": "before"}, False, True),
    ],
    ids=["ok", "inactive", "revoked", "invalid", "limited", "silent"],
)
async def test_a_day_later_slacks_answer_decides_whether_rows_are_deleted(
    app: App,
    owner: Database,
    slack_answers: dict[str, str],
    deleted: bool,
    stays_uninstalled: bool,
) -> None:
    """Only if Slack says that the app is gone; if it accepts the token, the service goes on."""
    owner.fill(app.slack.team_id)
    before = owner.dump()
    assert all(before.values()), "A new table needs a row in `fill`."
    owner.left_ago(hours=25)
    if slack_answers:
        app.slack.fault("auth.test", **slack_answers)
    await settle(app)
    after = owner.dump()
    assert (after == {table: [] for table in before}) is deleted
    assert (after == before) is not deleted
    assert (owner.rows(LEFT)[0]["left_at"] is not None) is stays_uninstalled
    assert (app.core.presence.problem is not None) is stays_uninstalled


async def test_nothing_is_deleted_sooner_than_a_day_later_whoever_asks(
    app: App, owner: Database
) -> None:
    """Neither by the work of each minute, nor by the serving user, nor by the owner."""
    owner.fill(app.slack.team_id)
    before = owner.dump()
    for hours in (None, 23.9):
        if hours is not None:
            owner.left_ago(hours)
        app.slack.fault("auth.test", error="account_inactive")
        await settle(app)
        app.slack.control("faults", method="DELETE")
        statement: LiteralString = "SELECT delete_everybody() AS rows"
        [served] = await execute_statement(app.pool, statement)
        [owned] = owner.rows(statement)
        assert (served["rows"], owned["rows"]) == (0, 0)
        assert owner.dump() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE installation SET left_at = now() - interval '1 day'",
        "UPDATE installation SET left_at = now() - interval '1 second'",
        "UPDATE installation SET left_at = now() + interval '1 second'",
        "DELETE FROM installation",
        "TRUNCATE installation",
    ],
)
async def test_the_serving_user_cannot_say_that_the_app_was_uninstalled_before(
    pool: Pool, app: App, statement: LiteralString
) -> None:
    """So that a day passes, whoever has the password of the user that serves."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await execute_statement(pool, statement)
    with pytest.raises(psycopg.errors.UniqueViolation):
        await execute_statement(
            pool,
            "INSERT INTO installation (team_id, bot_user_id, left_at) VALUES (%s, '', now())",
            (OTHER,),
        )
    assert app.rows(LEFT) == [{"left_at": None}]


@pytest.mark.parametrize("first", ["tokens_revoked", "app_uninstalled"])
async def test_the_events_of_an_uninstall_count_in_either_order(
    app: App, first: str
) -> None:
    """Delivered again they change nothing; those of another workspace do nothing."""
    kinds = sorted(("tokens_revoked", "app_uninstalled"), key=lambda one: one != first)
    for kind in kinds:
        event = {"type": kind, "tokens": {"bot": [app.slack.bot_user_id]}}
        assert await app.deliver(event, team_id=OTHER) == 200
    assert app.rows(LEFT) == [{"left_at": None}]
    for kind in kinds:
        event = {"type": kind, "tokens": {"bot": [app.slack.bot_user_id]}}
        assert await app.deliver(event) == 200
    [left] = app.rows(LEFT)
    assert left["left_at"] is not None
    assert await app.deliver({"type": "app_uninstalled"}) == 200
    assert app.rows(LEFT) == [left]


async def test_while_the_app_is_uninstalled_nothing_is_answered_and_what_waits_stays(
    app: App,
) -> None:
    """Every request gets one sentence and a 503, until Slack accepts the token again."""
    place = app.slack.place()
    waiting = await app.receive(place, "I love ramen")
    await app.deliver({"type": "app_uninstalled"})
    later = app.written(place, "I love soba")
    assert await app.deliver(event_of(later)) == 503
    assert await app.deliver({"type": "user_change", "user": {"id": place.user}}) == 503
    with pytest.raises(HTTPServiceUnavailable) as told:
        await answer(app.core, "U1", "hello")
    assert str(told.value.text).startswith("Kioku was uninstalled from workspace")
    assert app.rows("SELECT 1 FROM messages WHERE ts = %s", later.ts) == []
    await app.core.queue.run_until_empty()
    assert app.replies(waiting) == []
    assert app.event(waiting)["status"] == "waiting"
    await settle(app)
    await app.answering.drain(waiting.thread)
    assert app.replies(waiting) != []


@pytest.mark.failed_calls(
    *("auth.test: token_revoked", "auth.test: account_inactive"),
    because="The token is refused.",
)
@pytest.mark.parametrize("uninstalled", [False, True])
async def test_a_refused_token_ends_the_process_unless_the_app_was_uninstalled(
    app: App,
    owner: Database,
    monkeypatch: pytest.MonkeyPatch,
    uninstalled: bool,
) -> None:
    """It ends with one sentence and deletes nothing, so another process can do its work."""
    monkeypatch.setattr(refused_token, "_EVENT_SECONDS", 0.0)
    owner.fill(app.slack.team_id)
    before = owner.dump()
    settings = _settings(app)
    app.slack.control("uninstall" if uninstalled else "revoke", {})
    if uninstalled:
        await app.core.presence.leave()
    core = replace(app.core, settings=settings)
    core.slack.token_refused.set()

    async def serve() -> None:
        async with while_token_accepted(core):
            while core.slack.token_refused.is_set():  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            await asyncio.sleep(0.2 if uninstalled else 3_600)

    if uninstalled:
        await serve()
    else:
        with pytest.raises(Problem, match=r"Slack refuses SLACK_BOT_TOKEN \(token_rev"):
            await serve()
        assert app.rows(LEFT) == [{"left_at": None}]
    assert owner.dump() == before


@pytest.mark.failed_calls(
    "auth.test: account_inactive", because="The app is uninstalled."
)
async def test_a_start_asks_slack_whose_token_it_has(app: App, owner: Database) -> None:
    """A token of another workspace, or one that Slack refuses, ends it with one sentence."""
    settings = _settings(app)
    ours = app.slack.team_id
    owner.left_ago(hours=30)
    assert (await find_installation(settings, app.pool)).team_id == ours
    assert app.rows(LEFT) == [{"left_at": None}]

    app.slack.control("uninstall", {"events": []})
    with pytest.raises(TokenRefused, match="install the app again"):
        await find_installation(settings, app.pool)
    owner.left_ago(hours=1)
    assert (await find_installation(settings, app.pool)).team_id == ours
    assert app.rows(LEFT) != [{"left_at": None}]

    app.slack.control("install", {})
    owner.rows("UPDATE installation SET team_id = %s", OTHER)
    try:
        with pytest.raises(Problem, match=f"belongs to workspace {OTHER}, .* {ours}:"):
            await find_installation(settings, app.pool)
    finally:
        owner.rows("UPDATE installation SET team_id = %s", ours)


def _settings(app: App) -> Settings:
    """Return the settings of a process that serves the playground."""
    info = app.slack.info
    return Settings(
        slack_bot_token=SecretStr(info["bot_token"]),
        slack_api_url=info["slack_api_url"],
    )
