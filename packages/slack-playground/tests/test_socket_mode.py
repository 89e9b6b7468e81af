"""A real Bolt app talks to the playground over Socket Mode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp

from slack_playground.slack import APP_TOKEN, Slack

from .conftest import Connect, keeping, web_client
from .driver import Driver, Json

Next = Callable[[], Awaitable[None]]


async def test_an_unacked_event_is_delivered_again(
    driver: Driver, app: AsyncApp, connect: Connect
) -> None:
    """An event the app fails on is sent again with its number of the retry, until acked."""
    attempts = 0

    @app.use
    async def fail_twice(next_: Next) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise RuntimeError("not yet")
        await next_()

    app.event("message")(keeping([]))

    @app.error
    async def quiet() -> None:
        """Acknowledge without an answer."""

    await driver.post("settings", ack_seconds=1.0)
    await connect(app)
    await driver.say("hi")
    (delivery,) = await driver.settled()
    assert delivery["outcome"] == "acked"
    assert [attempt["retry_num"] for attempt in delivery["attempts"]] == [0, 1, 2]
    assert delivery["attempts"][1]["retry_reason"] == "timeout"


@pytest.mark.parametrize("reason", ["refresh_requested", "drop"])
async def test_the_client_connects_again(
    driver: Driver, app: AsyncApp, connect: Connect, reason: str
) -> None:
    """After a disconnect, polite or not, the real client is back and gets the next event."""
    bodies: list[Json] = []
    app.event("message")(keeping(bodies))
    await connect(app)
    told = await driver.post("socket/disconnect", reason=reason)
    assert told == {"connections": 1}
    await driver.say("still there?")
    await driver.settled()
    assert [body["event"]["text"] for body in bodies] == ["still there?"]


async def test_each_event_goes_to_one_of_several_connections(
    slack: Slack, driver: Driver, app: AsyncApp, connect: Connect
) -> None:
    """Two connections share the events, and no event goes to both."""
    bodies: list[Json] = []
    app.event("message")(keeping(bodies))
    await connect(app)
    other = AsyncApp(client=web_client(slack), process_before_response=True)
    other.event("message")(keeping(bodies))
    await connect(other)
    for number in range(6):
        await driver.say(f"number {number}")
    used = [entry["attempts"][0]["connection"] for entry in await driver.settled()]
    assert sorted(body["event"]["text"] for body in bodies) == [
        f"number {number}" for number in range(6)
    ]
    assert len(set(used)) == 2


async def test_a_lost_connection_gives_its_envelopes_to_another(
    slack: Slack,
    driver: Driver,
    session: aiohttp.ClientSession,
    app: AsyncApp,
    connect: Connect,
) -> None:
    """An event on a connection that dies before its ack is sent again on one that lives."""
    app.event("message")(keeping([]))
    answer = await web_client(slack).apps_connections_open(app_token=APP_TOKEN)
    doomed = await session.ws_connect(answer["url"])
    assert (await doomed.receive_json())["type"] == "hello"
    await driver.say("hi")
    assert (await doomed.receive_json())["type"] == "events_api"
    await doomed.close()
    await connect(app)
    (delivery,) = await driver.settled()
    assert delivery["outcome"] == "acked"
    assert delivery["attempts"][0]["reason"] == "connection_failed"


async def test_a_connection_url_works_once(
    slack: Slack, session: aiohttp.ClientSession
) -> None:
    """A Socket Mode URL cannot be used twice."""
    answer = await web_client(slack).apps_connections_open(app_token=APP_TOKEN)
    async with session.ws_connect(answer["url"]):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(answer["url"])
