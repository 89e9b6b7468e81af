"""Channels that others share, people of other workspaces, and kinds that Slack does not tell."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from .driver import Driver

FLAGS = ("is_shared", "is_ext_shared", "is_org_shared", "is_pending_ext_shared")


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        ({}, set()),
        ({"shared": True}, {"is_shared", "is_ext_shared"}),
        ({"org_shared": True}, {"is_shared", "is_org_shared"}),
        ({"pending": True}, {"is_pending_ext_shared"}),
        ({"pending": True, "told": False}, None),
    ],
)
async def test_how_a_channel_is_shared(
    client: AsyncWebClient,
    driver: Driver,
    change: dict[str, bool],
    flags: set[str] | None,
) -> None:
    """The channel's object says it, or not even its kind; an event only names other companies."""
    place = await driver.channel("general")
    await driver.post("channels/update", channel=place, **change)
    info = (await client.conversations_info(channel=place))["channel"]
    listed = (await client.users_conversations())["channels"]
    for one in [info, *[one for one in listed if one["id"] == place]]:
        if flags is None:
            assert not {*FLAGS, "is_channel", "is_private", "is_im"} & one.keys()
        else:
            assert {flag for flag in FLAGS if one[flag]} == flags
    await driver.post("messages", user=await driver.user(), channel=place, text="hi")
    [*_, sent] = await driver.deliveries()
    assert sent["body"]["is_ext_shared_channel"] is ("shared" in change)


async def test_people_of_other_workspaces(
    client: AsyncWebClient, driver: Driver
) -> None:
    """Of this organisation, and of another one: Slack tells which, and who wrote from where."""
    await driver.post("settings", enterprise_id="E0HERE")
    assert (await client.auth_test())["enterprise_id"] == "E0HERE"
    sister = await driver.post("users", name="Dora", team="T0SISTER")
    other = await driver.post("users", name="Emil", external=True, team="T0OTHER")
    found: dict[str, Any] = {}
    for one in (sister, other):
        found[one["id"]] = (await client.users_info(user=one["id"]))["user"]
    user = found[sister["id"]]
    assert user["enterprise_user"]["enterprise_id"] == "E0HERE"
    assert user["enterprise_user"]["teams"] == [user["team_id"]] == ["T0SISTER"]
    user = found[other["id"]]
    assert "enterprise_user" not in user
    assert (user["team_id"], user["is_stranger"]) == ("T0OTHER", False)
    members = [sister["id"], other["id"]]
    place = (await driver.post("channels", kind="connect", members=members))["id"]
    for one in (sister, other):
        await driver.post("messages", user=one["id"], channel=place, text="hi")
    said = [one["body"]["event"]["user_team"] for one in await driver.deliveries()]
    assert said[-2:] == ["T0SISTER", "T0OTHER"]
