"""HTTP mode: what Slack posts to the app's own URL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from slack_playground.slack import SIGNING_SECRET

from .driver import Driver
from .test_interactions import FORGET


class App:
    """A web server in the app's place: keeps what it gets, answers as told."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[dict[str, str], str]] = []
        self.answers: list[web.Response | float] = []
        self.arrived = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer with the next answer; a number means silence for that many seconds."""
        self.got.append((dict(request.headers), await request.text()))
        self.arrived.set()
        answer = self.answers.pop(0) if self.answers else web.Response()
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return web.Response()
        return answer


@pytest.fixture
async def http_app(driver: Driver) -> AsyncIterator[App]:
    """The playground delivers to this server."""
    app = App()
    application = web.Application()
    application.router.add_post("/slack/events", app.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    app.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    await driver.post("delivery", mode="http", url=app.url)
    yield app
    await runner.cleanup()


def verify(headers: dict[str, str], body: str) -> bool:
    """Whether slack_sdk's own verifier takes the signature."""
    return SignatureVerifier(SIGNING_SECRET).is_valid_request(body, headers)


async def test_an_event_is_posted_and_signed(driver: Driver, http_app: App) -> None:
    """An event is JSON with a signature that Slack's verifier takes, and no retry header."""
    await driver.say("hi")
    (delivery,) = await driver.settled()
    ((headers, body),) = http_app.got
    assert verify(headers, body)
    assert not verify(headers, body + " ")
    assert headers["Content-Type"] == "application/json"
    assert "X-Slack-Retry-Num" not in headers
    assert json.loads(body) == delivery["body"]
    assert (delivery["outcome"], delivery["attempts"][0]["status"]) == ("acked", 200)


async def test_a_failed_event_is_retried_three_times(
    driver: Driver, http_app: App
) -> None:
    """Errors and silence are retried with number and reason, then Slack gives up."""
    await driver.post("settings", ack_seconds=1.0)
    http_app.answers = [web.Response(status=500), 3.0, web.Response(status=404), 3.0]
    await driver.say("hi")
    (delivery,) = await driver.settled()
    assert delivery["outcome"] == "failed"
    retries = [
        (headers.get("X-Slack-Retry-Num"), headers.get("X-Slack-Retry-Reason"))
        for headers, _ in http_app.got
    ]
    assert retries == [
        (None, None),
        ("1", "http_error"),
        ("2", "http_timeout"),
        ("3", "http_error"),
    ]
    assert len({json.loads(body)["event_id"] for _, body in http_app.got}) == 1
    assert all(verify(headers, body) for headers, body in http_app.got)


async def test_commands_and_clicks_are_forms(driver: Driver, http_app: App) -> None:
    """Commands are form fields, interactions one payload field, to the same URL."""
    http_app.answers = [
        web.json_response({"text": "page 1"}),
        web.Response(text="hello"),
        web.Response(),
        web.Response(status=500),
    ]
    aya = await driver.user()
    general = await driver.channel()
    listed = await driver.post(
        "commands", user=aya, channel=general, command="/memories"
    )
    assert listed["ack"] == {"text": "page 1"}
    plain = await driver.post(
        "commands", user=aya, channel="dm", command="/forget", text="a & b"
    )
    assert plain["ack"] == {"text": "hello"}
    await driver.post("delivery", mode="http", url=http_app.url)
    said = await driver.say("x", channel=general, blocks=[FORGET])
    await driver.settled()
    click = {
        "user": aya,
        "channel": general,
        "ts": said["ts"],
        "action_id": "forget",
    }
    assert (await driver.post("actions", **click))["reason"] == "http_error"
    forms = [parse_qs(body) for _, body in http_app.got if not body.startswith("{")]
    assert forms[0]["command"] == ["/memories"]
    assert forms[1]["text"] == ["a & b"]
    assert json.loads(forms[2]["payload"][0])["type"] == "block_actions"
    assert all(verify(headers, body) for headers, body in http_app.got)


async def test_commands_may_have_a_url_of_their_own(
    driver: Driver, http_app: App
) -> None:
    """Commands and interactions go there, whichever way events go, until the URL is removed."""
    http_app.answers = [web.Response(text="hello")]
    aya = await driver.user()
    typed = {"user": aya, "channel": "dm", "command": "/memories"}
    await driver.post("delivery", mode="socket", interactivity_url=http_app.url)
    assert (await driver.post("commands", **typed))["ack"] == {"text": "hello"}
    await driver.post("delivery", interactivity_url="")
    assert (await driver.post("commands", **typed))["reason"] == "no_connection"


async def test_only_this_machine_is_delivered_to(driver: Driver) -> None:
    """The playground posts to loopback only."""
    for url in (
        "http://example.com/slack/events",
        "https://127.0.0.1/x",
        "file:///etc/passwd",
        "",
    ):
        status, _ = await driver.try_post("delivery", mode="http", url=url)
        assert status == 400
    status, _ = await driver.try_post(
        "delivery", interactivity_url="http://example.com/slack"
    )
    assert status == 400
