"""Socket Mode: the connection is made in the end, and what comes by it is acknowledged or not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, LiteralString

import pytest
from aiohttp import web
from pydantic import SecretStr
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.config import Settings
from bot.listeners.bolt_app import create_bolt_app
from bot.listeners.interactions import Interactions
from bot.runtime.service import socket_mode
from bot.slack.client import SlackClient
from tests.integration.app import App
from tests.integration.messages import says
from tests.loopback import serving
from tests.waiting import until

NOWHERE = "ws://127.0.0.1:1/"


@dataclass
class Slack:
    """A Slack whose every address is good once; the first `dead` of them lead nowhere."""

    url: str = ""
    dead: int = 0
    given: int = 0
    open: list[web.WebSocketResponse] = field(default_factory=list)
    acknowledged: dict[str, Any] = field(default_factory=dict)

    async def connections_open(self, request: web.Request) -> web.Response:
        """Answer ``apps.connections.open``."""
        del request
        self.given += 1
        dead, self.dead = self.dead, max(self.dead - 1, 0)
        url = NOWHERE if dead else f"{self.url}/link?ticket={self.given}"
        return web.json_response({"ok": True, "url": url})

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        """Be connected until the client goes, or `cut`; an old ticket is of no use."""
        if request.query["ticket"] != str(self.given):
            raise web.HTTPForbidden
        line = web.WebSocketResponse()
        await line.prepare(request)
        await line.send_json({"type": "hello", "num_connections": 1})
        self.open.append(line)
        async for answer in line:
            acknowledged = answer.json()
            self.acknowledged[acknowledged["envelope_id"]] = acknowledged.get("payload")
        self.open.remove(line)
        return line

    async def deliver(self, envelope: str, payload: dict[str, Any]) -> None:
        """Send a request; its answer is awaited by nobody."""
        request = {"type": "events_api", "envelope_id": envelope, "payload": payload}
        await self.open[0].send_json(request)


@pytest.fixture
async def double() -> AsyncIterator[Slack]:
    """Such a Slack, served."""
    made = Slack()
    application = web.Application()
    application.router.add_post("/api/apps.connections.open", made.connections_open)
    application.router.add_get("/link", made.link)
    async with serving(application, shutdown_timeout=0.1) as made.url:
        yield made


def bolt_app(double: Slack) -> AsyncApp:
    """Return an app that nothing is expected of."""
    return AsyncApp(
        client=SlackClient(token="xoxb-1", base_url=f"{double.url}/api/"),
        authorize=_nobody,
        request_verification_enabled=False,
    )


def settings_of(double: Slack) -> Settings:
    """Return the settings that lead to this Slack."""
    return Settings(
        slack_app_token=SecretStr("xapp-1"), slack_api_url=f"{double.url}/api/"
    )


async def _nobody() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-1")


async def test_a_lost_connection_is_opened_again_at_another_address(
    double: Slack,
) -> None:
    """An address that leads nowhere is dropped, at the start and after a connection was lost."""
    double.dead = 1
    async with socket_mode(
        bolt_app(double), settings_of(double), ping_seconds=0.5
    ) as connection:
        assert await connection.is_connected()
        assert double.given >= 2
        [line] = double.open
        double.dead = 2
        await line.close()
        await until(lambda: double.open and line not in double.open)
        assert double.given >= 5
    assert not await connection.is_connected()


def direct_message(app: App, text: str, ts: str) -> dict[str, Any]:
    """Return the event of a direct message."""
    team = app.slack.team_id
    event = {"type": "message", "channel_type": "im", "channel": "D1", "user": "U1"}
    return {
        "type": "event_callback",
        "team_id": team,
        "event_id": f"Ev{ts}",
        "authorizations": [{"team_id": team, "is_bot": True}],
        "event": {**event, "text": text, "ts": ts},
    }


UNREADABLE: dict[str, dict[str, Any]] = {
    "Bolt cannot read it": {"team": 7},
    "an event that is none": {"type": "event_callback", "event": 7},
    "a message without a time": {
        "type": "event_callback",
        "event": {
            "type": "message",
            "channel_type": "im",
            "channel": "D1",
            "user": "U1",
        },
    },
    "a click that is none": {"type": "block_actions", "actions": [7]},
    "nothing listens to it": {"type": "of_the_future"},
    "events were left out": {
        "type": "app_rate_limited",
        "minute_rate_limited": 1518467820,
    },
}
# What PostgreSQL says of a statement while it shuts down.
SHUTTING_DOWN: LiteralString = """
CREATE FUNCTION shutting_down() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'shutting down' USING ERRCODE = 'admin_shutdown'; END $$;
CREATE TRIGGER shutting_down BEFORE INSERT ON messages EXECUTE FUNCTION shutting_down()
"""
STORED: LiteralString = (
    "SELECT message->>'text' AS text FROM messages WHERE channel_id = 'D1'"
)


@pytest.mark.failed_calls(
    "agents.sessions.setStatus: channel_not_found",
    because="Who waits is shown that, and this message is in no channel of the playground.",
)
async def test_only_what_slack_is_to_send_again_is_not_acknowledged(
    double: Slack, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """An event that PostgreSQL does not take comes again; what cannot be read does not."""
    bolt = create_bolt_app(app.core, Interactions(app.core))
    first = direct_message(app, "I like tea", "1700000000.000100")
    second = direct_message(app, "I like ramen", "1700000000.000200")
    async with socket_mode(bolt, settings_of(double)):
        for name, payload in UNREADABLE.items():
            await double.deliver(name, payload)
        await double.deliver("first", first)
        await until(lambda: double.acknowledged.keys() == {*UNREADABLE, "first"})
        app.rows(SHUTTING_DOWN)
        await double.deliver("second", second)
        await until(lambda: "AdminShutdown" in caplog.text)
        app.rows("DROP TRIGGER shutting_down ON messages")
        await double.deliver("second again", second)
        await until(lambda: "second again" in double.acknowledged)
    assert "second" not in double.acknowledged
    assert {row["text"] for row in app.rows(STORED)} == {"I like tea", "I like ramen"}


async def test_a_form_of_another_version_says_so(double: Slack, app: App) -> None:
    """What it would do cannot be read: it becomes one sentence, and does nothing."""
    view = {
        "id": "V1",
        "type": "modal",
        "callback_id": "memory",
        "private_metadata": '{"key": "a-key"}',
    }
    submission = {
        "type": "view_submission",
        "team": {"id": app.slack.team_id},
        "user": {"id": app.slack.place().user},
        "trigger_id": "1.2.abc",
        "view": {**view, "state": {"values": {}}},
    }
    bolt = create_bolt_app(app.core, Interactions(app.core))
    async with socket_mode(bolt, settings_of(double)):
        await double.deliver("form", submission)
        await until(lambda: "form" in double.acknowledged)
    answer = double.acknowledged["form"]
    assert answer["response_action"] == "update"
    assert says(answer["view"], "old_button")
