"""Which calls of Slack are made again, by the clients that the app uses, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import SLACK_FAULTS, SlackApi, error_code
from bot.slack.messages import Installation
from tests.loopback import serving

TEAM = "T0TEAM"
LIMITED: dict[str, Any] = {"status": 429, "retry_after": "1"}
LIMITED_BY_NAME: dict[str, Any] = {"error": "ratelimited", "retry_after": "1"}
TROUBLE: dict[str, Any] = {"status": 503}
TROUBLE_BY_NAME: dict[str, Any] = {"error": "internal_error"}
PASSING: list[dict[str, Any]] = [
    {"error": name}
    for name in (
        *("internal_error", "fatal_error", "service_unavailable", "request_timeout"),
        *("team_added_to_org", "org_login_required"),
    )
]
PROXY_PAGE: dict[str, Any] = {"status": 502, "text": "<html>Bad gateway</html>"}
LOST: dict[str, Any] = {"lost": True}
REFUSED: dict[str, Any] = {"error": "is_archived"}


@dataclass
class Faulty:
    """A Slack that first answers as it is told, and then that all is well."""

    faults: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a call."""
        self.times.append(asyncio.get_running_loop().time())
        if not self.faults:
            return web.json_response({"ok": True})
        fault = self.faults.pop(0)
        if fault.get("lost"):
            assert request.transport is not None
            request.transport.abort()
        headers = (
            {"Retry-After": fault["retry_after"]} if "retry_after" in fault else {}
        )
        if "text" in fault:
            return web.Response(
                status=fault["status"], text=fault["text"], content_type="text/html"
            )
        body = {"ok": False, "error": fault.get("error", "x")}
        return web.json_response(body, status=fault.get("status", 200), headers=headers)

    def api(self) -> SlackApi:
        """Return the app's installation in this Slack."""
        installation = Installation(
            team_id=TEAM, bot_user_id="UBOT", bot_token="xoxb-1"
        )
        return SlackApi(installation, base_url=f"{self.url}/api/")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause shortly while Slack is in trouble."""
    monkeypatch.setattr("bot.slack.retries.FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
async def slack() -> AsyncIterator[Faulty]:
    """A Slack that fails as told."""
    faulty = Faulty()
    application = web.Application()
    application.router.add_route("*", "/api/{method}", faulty.answer)
    async with serving(application) as url:
        faulty.url = url
        yield faulty


async def call(client: AsyncWebClient, method: str) -> str:
    """Call a method; return the error of the last attempt, "" for none."""
    try:
        if method == "chat.postMessage":
            await client.chat_postMessage(channel="C1", text="Hello")
        else:
            await client.api_call(method, json={"channel": "C1"})
    except SLACK_FAULTS as error:
        return error_code(error) or "unknown"
    return ""


@pytest.mark.parametrize(
    ("method", "patience", "faults", "error", "calls"),
    [
        # A rate limit is waited for, whatever the method: the call was not carried out.
        ("chat.postMessage", 60, [LIMITED], "", 2),
        ("chat.postMessage", 60, [LIMITED_BY_NAME, LIMITED], "", 3),
        ("conversations.replies", 60, [LIMITED], "", 2),
        # Patience ends; without any a call is made once.
        ("chat.postMessage", 1.5, [LIMITED] * 9, "ratelimited", 2),
        ("chat.postMessage", 0, [LIMITED], "ratelimited", 1),
        ("conversations.replies", 0, [TROUBLE], "unknown", 1),
        # What may have been carried out is made again if that does less harm than its loss.
        (
            "conversations.replies",
            60,
            [TROUBLE, *PASSING, PROXY_PAGE, LOST],
            "",
            10,
        ),
        ("chat.delete", 60, [LOST], "", 2),
        ("agents.sessions.setStatus", 60, [TROUBLE], "", 2),
        ("chat.stopStream", 60, [TROUBLE_BY_NAME], "", 2),
        # An ephemeral message twice does less harm than none: the answer may announce its button.
        ("chat.postEphemeral", 60, [TROUBLE], "", 2),
        ("views.update", 60, [TROUBLE, LIMITED_BY_NAME], "", 3),
        ("chat.postMessage", 60, [TROUBLE], "unknown", 1),
        ("chat.postMessage", 60, [TROUBLE_BY_NAME], "unknown", 1),
        ("chat.postMessage", 60, [LOST], "unknown", 1),
        ("chat.postMessage", 60, [LIMITED, LOST], "unknown", 2),
        ("chat.startStream", 60, [PROXY_PAGE], "unknown", 1),
        ("chat.appendStream", 60, [TROUBLE], "unknown", 1),
        ("views.open", 60, [LOST], "unknown", 1),
        # Another refusal is an answer.
        ("chat.postMessage", 60, [REFUSED], "is_archived", 1),
        ("conversations.replies", 60, [TROUBLE, REFUSED], "is_archived", 2),
    ],
)
async def test_a_call_is_made_again_where_that_does_less_harm_than_its_loss(
    slack: Faulty,
    method: str,
    patience: float,
    faults: list[dict[str, Any]],
    error: str,
    calls: int,
) -> None:
    """How a call ends, and how often it was made, follows from method, patience and faults."""
    slack.faults = list(faults)
    client = slack.api().client(TEAM, patience=patience)
    assert await call(client, method) == error
    assert len(slack.times) == calls


async def test_trouble_ends_with_the_patience(
    slack: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that may be repeated is given up after `TROUBLE_SECONDS`, whatever the patience."""
    monkeypatch.setattr("bot.slack.retries.TROUBLE_SECONDS", 0.5)
    slack.faults = [TROUBLE] * 99
    client = slack.api().client(TEAM, patience=600)
    assert await call(client, "users.info") == "unknown"
    assert 1 < len(slack.times) < 10


async def test_other_calls_wait_with_the_refused_one(slack: Faulty) -> None:
    """What Slack refuses one caller is not asked by another before the time that Slack named."""
    slack.faults = [LIMITED]
    api = slack.api()
    refused = asyncio.create_task(call(api.client(TEAM, patience=60), "chat.delete"))
    while not api.limits.wait("chat.delete"):  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0)
    assert await call(api.client(TEAM, patience=30), "chat.delete") == ""
    assert await refused == ""
    first, *later = slack.times
    assert [at - first >= 0.9 for at in later] == [True, True]
    assert api.limits.wait("chat.delete") == 0
