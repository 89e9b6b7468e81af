"""The end of an installation, and of its token alone."""

from __future__ import annotations

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from .driver import Driver


async def refusal(client: AsyncWebClient) -> str:
    """Return Slack's error for the app's token."""
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    return str(caught.value.response["error"])


async def test_an_app_that_is_gone_cannot_be_used(
    driver: Driver, client: AsyncWebClient
) -> None:
    """Without the app there is no event, command or click, until it is installed again."""
    await driver.post("uninstall", events=[])
    assert await refusal(client) == "account_inactive"
    assert (await driver.state())["installed"] is False
    await driver.say("hello?")
    aya = await driver.user()
    status, answer = await driver.try_post(
        "commands", user=aya, channel="dm", command="/memories"
    )
    assert (status, answer["error"]) == (
        400,
        "The app is not installed in this workspace.",
    )
    assert await driver.deliveries() == []
    await driver.post("install")
    assert (await client.auth_test())["ok"]


async def test_a_revoked_token_leaves_the_app_installed(
    driver: Driver, client: AsyncWebClient
) -> None:
    """The app is told by an event, and its token is refused, until it is installed again."""
    await driver.post("revoke")
    assert await refusal(client) == "token_revoked"
    assert (await driver.state())["installed"] is True
    [told] = await driver.deliveries()
    assert told["name"] == "tokens_revoked"
    await driver.post("install")
    assert (await client.auth_test())["ok"]
