"""Injected faults hit the calls they name, and the journal tells the truth about them."""

from __future__ import annotations

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from .driver import Driver


async def test_an_error_on_order(driver: Driver, client: AsyncWebClient) -> None:
    """The next calls of that method fail with that error, then work again."""
    general = await driver.channel()
    await driver.post("faults", method="chat.postMessage", error="fatal_error", times=2)
    await client.auth_test()
    for _ in range(2):
        with pytest.raises(SlackApiError, match="fatal_error"):
            await client.chat_postMessage(channel=general, text="x")
    await client.chat_postMessage(channel=general, text="at last")
    assert [message["text"] for message in await driver.messages(general)] == [
        "at last"
    ]
    calls = await driver.calls("chat.postMessage")
    assert [call["outcome"] for call in calls] == ["fatal_error", "fatal_error", "ok"]
    assert [call["executed"] for call in calls] == [False, False, True]


async def test_a_status_on_order(driver: Driver, client: AsyncWebClient) -> None:
    """A server error carries no JSON and does nothing."""
    await driver.post("faults", method="*", status=503)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 503
    assert (await driver.calls())[-1]["outcome"] == "status 503"


async def test_a_rate_limit_on_order(driver: Driver, client: AsyncWebClient) -> None:
    """ratelimited is a 429 with its Retry-After."""
    await driver.post("faults", method="auth.test", error="ratelimited", retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"


@pytest.mark.parametrize(("drop", "posted"), [("before", 0), ("after", 1)])
async def test_a_dropped_connection(
    driver: Driver, client: AsyncWebClient, drop: str, posted: int
) -> None:
    """The caller loses its connection either before or after the message was posted."""
    general = await driver.channel()
    await driver.post("faults", method="chat.postMessage", drop=drop)
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=general, text="x")
    assert len(await driver.messages(general)) == posted
    call = (await driver.calls("chat.postMessage"))[-1]
    assert (call["outcome"], call["executed"]) == (f"dropped {drop}", bool(posted))


async def test_faults_by_chance_and_their_end(
    driver: Driver, client: AsyncWebClient
) -> None:
    """A fault may last until it is cleared."""
    for lasting in ({"chance": 0}, {"times": None}, {"chance": 1, "times": 1}):
        await driver.post("faults", method="auth.test", error="fatal_error", **lasting)
    for _ in range(3):
        with pytest.raises(SlackApiError):
            await client.auth_test()
    async with driver.session.delete(f"{driver.url}/_playground/faults") as response:
        assert (await response.json()) == {"faults": 0}
    await client.auth_test()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"method": "x"},
        {"method": "x", "error": "a", "status": 500},
        {"method": "x", "status": 200},
        {"method": "x", "error": "a", "times": 0},
        {"method": "x", "delay_ms": -1},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(
    driver: Driver, body: dict[str, object]
) -> None:
    """A bad order gets 400 and one sentence."""
    status, answer = await driver.try_post("faults", **body)
    assert (status, answer["error"].endswith(".")) == (400, True)
