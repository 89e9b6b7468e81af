"""A signed request that is sent again is acknowledged, and not carried out a second time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from tests.databases import owner_rows
from tests.integration.app import App
from tests.integration.interface import Endpoint, served
from tests.integration.person import SlackPerson
from tests.loopback import serving

pytestmark = pytest.mark.own_slack


@dataclass
class Wiretap:
    """Stands between Slack and the app, and keeps what passes."""

    app: App
    endpoint: Endpoint
    session: aiohttp.ClientSession
    kept: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)

    async def pass_on(self, request: web.Request) -> web.Response:
        """Keep a request of Slack's and let the app answer it."""
        body = await request.read()
        names = ("Content-Type", "X-Slack-Signature", "X-Slack-Request-Timestamp")
        headers = {name: request.headers[name] for name in names}
        self.kept.append((body, headers))
        status, text, kind = await self.send(body, headers)
        return web.Response(status=status, text=text, content_type=kind)

    async def send(self, body: bytes, headers: dict[str, str]) -> tuple[int, str, str]:
        """Send a request to the app; return its answer."""
        async with self.session.post(
            self.endpoint.url, data=body, headers=headers
        ) as answer:
            return answer.status, await answer.text(), answer.content_type

    def state(self, ann: SlackPerson) -> list[dict[str, Any]]:
        """Return what is remembered of a person, and where memory is off."""
        statement = (
            "SELECT key AS what, updated_at AS at FROM store WHERE prefix LIKE %s"
            " UNION ALL SELECT scope, until_at FROM memory_off WHERE user_id = %s ORDER BY 1, 2"
        )
        return owner_rows(self.app.database, statement, f"%{ann.user}%", ann.user)


@pytest.fixture
async def wiretap(app: App) -> AsyncIterator[Wiretap]:
    """The app behind its endpoint for signed requests, with somebody who listens in between."""
    middle = web.Application()
    secret = app.slack.info["signing_secret"]
    async with served(app.core, secret) as endpoint, aiohttp.ClientSession() as session:
        tap = Wiretap(app, endpoint, session)
        middle.router.add_post("/", tap.pass_on)
        async with serving(middle) as listening:
            app.slack.control("settings", {"ack_seconds": 30.0})
            app.slack.control("delivery", {"mode": "http", "url": f"{listening}/"})
            try:
                yield tap
            finally:
                app.slack.control("delivery", {"mode": "socket"})


@pytest.mark.failed_calls(
    *("views.open: exchanged_trigger_id", "views.open: expired_trigger_id"),
    because="the panel is opened before it is known as a replay, perhaps three seconds later",
)
async def test_what_was_carried_out_is_not_carried_out_again(wiretap: Wiretap) -> None:
    """A command, shortcut, click and form, undone and then sent again as they were, change nothing.

    Nothing is shown for them either.
    """
    ann = SlackPerson(wiretap.app)
    await ann.command("/memories pause")
    assert len(wiretap.state(ann)) == 1
    await ann.command("/memories resume")
    panel = await ann.panel()
    await ann.press(panel, "open", form="add")
    await ann.submit(await ann.form_opens(), lines="I love udon")
    await ann.remembers("udon")
    panel = await ann.changed(panel)
    panel = await ann.click(panel, "switch", to="off")
    await ann.click(panel, "switch", to="on")
    said = await ann.control(
        "messages", {"user": ann.user, "channel": "dm", "text": "I love tea"}
    )
    shortcut = {"user": ann.user, "callback_id": "remember_this"}
    await ann.control(
        "shortcuts", {**shortcut, "channel": said["channel"], "ts": said["ts"]}
    )
    await ann.remembers("tea", "udon")
    await wiretap.endpoint.interactions.wait_until_idle(30.0)
    owner_rows(wiretap.app.database, "DELETE FROM store RETURNING 1")
    before = wiretap.state(ann)
    seen = await ann.seen()
    for body, headers in wiretap.kept:
        assert (await wiretap.send(body, headers))[0] == 200
    await wiretap.endpoint.interactions.wait_until_idle(30.0)
    assert wiretap.state(ann) == before
    assert await ann.seen() == seen


async def test_a_command_that_names_another_host_is_answered_in_slack(
    wiretap: Wiretap,
) -> None:
    """Who can sign cannot make the app post to an address of their choice."""
    reached: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    ann = SlackPerson(wiretap.app)
    await ann.command("/memories pause")
    other = web.Application()
    other.router.add_post("/inside", elsewhere)
    async with serving(other) as address:
        sent = dict(parse_qsl(wiretap.kept[-1][0].decode()))
        sent |= {"text": "resume", "trigger_id": "7.7.7"}
        body = urlencode({**sent, "response_url": f"{address}/inside"})
        verifier = SignatureVerifier(str(wiretap.app.slack.info["signing_secret"]))
        headers = dict(wiretap.kept[-1][1])
        stamp = headers["X-Slack-Request-Timestamp"]
        signed = verifier.generate_signature(timestamp=stamp, body=body)
        headers["X-Slack-Signature"] = str(signed)
        assert (await wiretap.send(body.encode(), headers))[0] == 200
        await wiretap.endpoint.interactions.wait_until_idle(30.0)
    assert wiretap.state(ann) == []
    assert reached == []
    assert "Memory is on" in str(await ann.seen())
