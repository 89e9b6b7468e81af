"""Every event shape that Slack publishes, and mutations of them, at the app's HTTP endpoint."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import aiohttp
import pytest

from tests.event_shapes import PUBLISHED, TEAM, encoded, filled, mutated
from tests.integration.app import App, MakeApp
from tests.integration.interface import served

pytestmark = pytest.mark.slow

SECRET = "a signing secret of a test"


SENDERS = 4
MUTATED = 1_000


@dataclass(frozen=True)
class Endpoint:
    """The app's web server, as Slack sees it."""

    url: str
    session: aiohttp.ClientSession

    async def post(self, body: bytes) -> int:
        """Deliver a signed body as Slack does; return the status of the response."""
        at = str(int(time.time()))
        signed = hmac.new(
            SECRET.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256
        )
        headers = {
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": f"v0={signed.hexdigest()}",
            "Content-Type": "application/json",
        }
        async with self.session.post(
            self.url, data=io.BytesIO(body), headers=headers
        ) as answer:
            await answer.read()
            return answer.status

    async def statuses(
        self, bodies: Iterable[tuple[str, bytes]]
    ) -> dict[str, Counter[int]]:
        """Deliver bodies, a few at a time; return the statuses by name."""
        found: dict[str, Counter[int]] = {}
        waiting = iter(bodies)

        async def send() -> None:
            for name, body in waiting:
                status = await self.post(body)
                found.setdefault(name, Counter())[status] += 1

        await asyncio.gather(*(send() for _ in range(SENDERS)))
        return found


@pytest.fixture
async def app(make_app: MakeApp) -> App:
    """The app, installed in the workspace of the shapes."""
    return await make_app(team=TEAM)


@pytest.fixture
async def endpoint(app: App) -> AsyncIterator[Endpoint]:
    """The app behind aiohttp's server, with PostgreSQL; no worker runs."""
    async with aiohttp.ClientSession() as session, served(app.core, SECRET) as at:
        yield Endpoint(at.url, session)


def faults(records: Iterable[logging.LogRecord]) -> list[str]:
    """Return every line at ERROR, and every traceback."""
    return [
        record.getMessage()
        for record in records
        if record.levelno >= logging.ERROR or record.exc_info
    ]


async def test_all_96_published_shapes_are_acknowledged(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """Each published shape is answered 200 without an exception, blank and filled in."""
    assert len(PUBLISHED) == 96
    blank = [(name, json.dumps(shape).encode()) for name, shape in PUBLISHED.items()]
    whole = [
        (name, json.dumps(filled(name, number)).encode())
        for number, name in enumerate(sorted(PUBLISHED))
    ]
    found = await endpoint.statuses([*blank, *whole])
    assert {name: counts for name, counts in found.items() if counts != {200: 2}} == {}
    assert faults(caplog.records) == []


@pytest.mark.failed_calls(
    "agents.sessions.setStatus: channel_not_found",
    because="On a slow machine the app shows that messages of invented channels wait.",
)
async def test_mutated_events_are_answered_without_an_error(
    endpoint: Endpoint, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """A field that is left out, repeated, of another type, huge or deep is no error of the app."""
    chance = random.Random(14)
    names = [chance.choice([*PUBLISHED]) for _ in range(MUTATED)]
    bodies = [
        (name, encoded(mutated(filled(name, number), chance)))
        for number, name in enumerate(names, 1_000)
    ]
    found = await endpoint.statuses(bodies)
    assert {status for counts in found.values() for status in counts} <= {200, 400}
    assert faults(caplog.records) == []
    last = filled("MessagePayload", 99_999)
    assert await endpoint.post(json.dumps(last).encode()) == 200
    assert app.rows("SELECT 1 FROM messages WHERE ts = %s", last["event"]["ts"])


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'"xylophone"',
        b'{"type": "event_callback"',
        b'{"type": "event_callback"}',
        b'{"type": "block_actions", "actions": [7]}',
        b'{"type": "block_actions", "user": {"id": "U1"}, "actions": "of an older version"}',
        b'{"type": "view_submission", "view": {"state": {"values": {"b": []}}}}',
        b'{"type": "view_closed", "view": {"private_metadata": "["}}',
        b'{"command": "/memories", "text": "xylophone"}',
        b'{"type": "of_the_future", "event": {"type": "of_the_future"}}',
    ],
)
async def test_a_signed_body_that_is_no_payload_is_acknowledged(
    endpoint: Endpoint, body: bytes
) -> None:
    """Slack would send again what is answered otherwise."""
    assert await endpoint.post(body) == 200
