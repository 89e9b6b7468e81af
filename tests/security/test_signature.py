"""The endpoint for Slack's HTTP requests: only what Slack signed, lately, comes in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.logs import StandingWarnings
from bot.queue.pulse import Pulse
from bot.runtime.http import Readiness, create_web_app
from tests.loopback import serving

SECRET = "a signing secret of a test"
MESSAGE = {"type": "message", "channel": "C1", "ts": "1700000000.000100"}
EVENT = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": MESSAGE}
BODY = json.dumps(EVENT).encode()


def signed(
    body: bytes, *, at: str | None = None, secret: str = SECRET
) -> dict[str, str]:
    """Return the headers Slack sends with a body."""
    timestamp = str(int(time.time())) if at is None else at
    base = b"v0:" + timestamp.encode() + b":" + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/json",
    }


@dataclass
class Endpoint:
    """A server whose app only notes what came in."""

    url: str
    session: aiohttp.ClientSession
    app: AsyncApp
    warnings: StandingWarnings
    received: list[dict[str, Any]] = field(default_factory=list)
    problem: str | None = None

    async def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """Send a request as Slack does; return status and text."""
        async with self.session.post(
            f"{self.url}/slack/events", data=io.BytesIO(body), headers=headers
        ) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """The endpoint of the bot, before an app that only notes."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id="T1",
            bot_token="xoxb-1",
            bot_user_id="UBOT",
            bot_id="B1",
        )

    async def note(
        body: dict[str, Any], next_: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        if "event" not in body:
            await next_()
            return None
        opened.received.append(body)
        return BoltResponse(status=200)

    app = AsyncApp(
        client=AsyncWebClient(),
        before_authorize=note,
        authorize=authorize,
        request_verification_enabled=False,
    )

    async def ready() -> str | None:
        return opened.problem

    warnings = StandingWarnings(logging.getLogger("bot.test"))
    served = create_web_app(
        Readiness(ready, seconds=0.0), Pulse(), app, warnings, SECRET
    )
    async with serving(served) as url, aiohttp.ClientSession() as session:
        opened = Endpoint(url, session, app, warnings)
        yield opened


async def test_what_slack_signed_comes_in(endpoint: Endpoint) -> None:
    """A request signed with the secret within the last minutes reaches the app."""
    for age in (0, 290, -290):
        headers = signed(BODY, at=str(int(time.time()) - age))
        assert (await endpoint.post(BODY, headers))[0] == 200
    assert len(endpoint.received) == 3


WRONG: dict[str, Callable[[], dict[str, str]]] = {
    "another secret": lambda: signed(BODY, secret="another"),
    "another body": lambda: signed(BODY + b" "),
    "no signature": lambda: {"X-Slack-Request-Timestamp": str(int(time.time()))},
    "no timestamp": lambda: {"X-Slack-Signature": signed(BODY)["X-Slack-Signature"]},
    "nothing": lambda: {},
    "an empty signature": lambda: {**signed(BODY), "X-Slack-Signature": ""},
    "a signature of its beginning": lambda: {
        **signed(BODY),
        "X-Slack-Signature": "v0=",
    },
    "a signature of another version": lambda: {
        **signed(BODY),
        "X-Slack-Signature": signed(BODY)["X-Slack-Signature"].replace("v0=", "v1="),
    },
    "a signature not in ASCII": lambda: {
        **signed(BODY),
        "X-Slack-Signature": "v0=é" + "0" * 63,
    },
    "a timestamp moved": lambda: {
        **signed(BODY),
        "X-Slack-Request-Timestamp": str(int(time.time()) + 1),
    },
    "a time that is no number": lambda: signed(BODY, at="yesterday"),
    "an empty time": lambda: signed(BODY, at=""),
    "a fraction": lambda: signed(BODY, at=f"{time.time():.3f}"),
    "not a number": lambda: signed(BODY, at="nan"),
    "too old": lambda: signed(BODY, at=str(int(time.time()) - 400)),
    "from the future": lambda: signed(BODY, at=str(int(time.time()) + 700)),
    "long ago": lambda: signed(BODY, at="0"),
    "before all time": lambda: signed(BODY, at="-99999999999"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_slack_did_not_sign_is_refused(
    endpoint: Endpoint, wrong: str
) -> None:
    """Anything else is answered 401 with one sentence, and reaches nobody."""
    status, text = await endpoint.post(BODY, WRONG[wrong]())
    assert (status, text) == (401, "The request is not signed by Slack.\n")
    assert endpoint.received == []


REASONS: list[tuple[str, str]] = [
    (
        "another secret",
        "they are not signed with SLACK_SIGNING_SECRET. If they are Slack's, copy",
    ),
    ("another body", "they are not signed with SLACK_SIGNING_SECRET."),
    (
        "nothing",
        "they are not signed. If they are Slack's, a proxy in front of Kioku removes",
    ),
    ("no timestamp", "they are not signed with SLACK_SIGNING_SECRET."),
    (
        "too old",
        "this machine's clock is 40[0-9] seconds ahead of the time at which Slack signed",
    ),
    (
        "from the future",
        "this machine's clock is [67][0-9]{2} seconds behind the time at which",
    ),
]


async def test_a_refusal_is_a_warning_that_names_the_cause(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The last reason is at /readyz until a request is accepted; the log has one line a minute."""
    for number, (wrong, reason) in enumerate(REASONS, 1):
        await endpoint.post(BODY, WRONG[wrong]())
        status, text = await fetched(endpoint, "/readyz")
        assert status == 200
        sentence = rf"{number} request\(s\) to /slack/events are refused: {reason}.*"
        assert re.fullmatch(rf"ready\nWarning: {sentence}\n", text), text
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "1 request(s) to /slack/events are refused" in caplog.text
    await endpoint.post(BODY, signed(BODY))
    assert await fetched(endpoint, "/readyz") == (200, "ready\n")


async def test_a_body_that_is_no_text_is_refused(endpoint: Endpoint) -> None:
    """Bytes that are no UTF-8 are not signed by Slack."""
    status, _ = await endpoint.post(b"\xff\xfe", signed(b"\xff\xfe"))
    assert status == 401


async def test_a_body_that_is_too_large_is_refused(endpoint: Endpoint) -> None:
    """A body of more than a megabyte is refused, signed or not."""
    body = b" " * (1024 * 1024 + 1)
    assert (await endpoint.post(body, signed(body)))[0] == 413


async def test_the_challenge_is_answered(endpoint: Endpoint) -> None:
    """Slack's url_verification gets its challenge back, if it is signed."""
    body = json.dumps({"type": "url_verification", "challenge": "abc123"}).encode()
    status, text = await endpoint.post(body, signed(body))
    assert status == 200
    assert "abc123" in text
    status, text = await endpoint.post(body, signed(body, secret="another"))
    assert status == 401
    assert "abc123" not in text


async def fetched(endpoint: Endpoint, path: str) -> tuple[int, str]:
    """Return the status and the text that a path is answered with."""
    async with endpoint.session.get(f"{endpoint.url}{path}") as answer:
        return answer.status, await answer.text()


async def test_health_and_readiness(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alive while the workers are; ready only while nothing is missing, else what is."""
    for problem, status, text in (
        (None, 200, "ready\n"),
        ("PostgreSQL cannot be reached.", 503, "PostgreSQL cannot be reached.\n"),
    ):
        endpoint.problem = problem
        assert await fetched(endpoint, "/readyz") == (status, text)
        assert await fetched(endpoint, "/healthz") == (200, "alive\n")
    monkeypatch.setattr("bot.queue.pulse.DEAD_SECONDS", 0.0)
    hang = "The workers hang: restart Kioku.\n"
    assert await fetched(endpoint, "/healthz") == (503, hang)


async def test_readiness_is_checked_once_however_many_ask() -> None:
    """One check answers all who ask meanwhile, and within the next seconds."""
    checks = 0

    async def find_problem() -> str | None:
        nonlocal checks
        checks += 1
        await asyncio.sleep(0)
        return "PostgreSQL cannot be reached."

    readiness = Readiness(find_problem, seconds=3_600.0)
    answers = await asyncio.gather(*(readiness.problem() for _ in range(100)))
    assert set(answers) == {"PostgreSQL cannot be reached."}
    assert checks == 1


async def test_without_a_signing_secret_slacks_endpoint_is_not_served(
    endpoint: Endpoint,
) -> None:
    """Without a signing secret, as with Socket Mode, nothing takes Slack's requests."""

    async def ready() -> str | None:
        return None

    application = create_web_app(
        Readiness(ready), Pulse(), endpoint.app, endpoint.warnings
    )
    async with serving(application) as url:
        endpoint.url = url
        assert (await endpoint.post(BODY, signed(BODY)))[0] == 404
