"""The Web API refuses what Slack refuses, by Slack's names."""

from __future__ import annotations

import json

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground.slack import APP_TOKEN, BOT_TOKEN, Slack
from slack_playground.web_api.call import HANDLERS
from slack_playground.web_api.methods import load_methods

from .driver import Driver, Json


async def error_of(client: AsyncWebClient, method: str, arguments: Json) -> str:
    """The error of a call that must fail."""
    with pytest.raises(SlackApiError) as caught:
        await client.api_call(method, json=arguments)
    return str(caught.value.response["error"])


def section(length: int) -> Json:
    """A section block with a text of this length."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": "x" * length}}


IN_GENERAL = {"channel": "GENERAL"}
IN_TOP: Json = {"channel_id": "GENERAL", "thread_ts": "TOP"}
# Arguments of each method, and how Slack refuses them. Arguments that all calls of a method share
# come from `arguments_of`; None removes one.
REFUSALS: dict[str, list[tuple[Json, str]]] = {
    "chat.postMessage": [
        ({"channel": None, "text": "x"}, "invalid_arguments"),
        ({"text": "x", "colour": "red"}, "invalid_arguments"),
        ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ({}, "no_text"),
        ({"channel": "OUTSIDE", "text": "x"}, "not_in_channel"),
        ({"channel": "SECRET", "text": "x"}, "channel_not_found"),
        ({"channel": "ARCHIVED", "text": "x"}, "is_archived"),
        ({"text": "x", "thread_ts": "1700000000.000001"}, "thread_not_found"),
        ({"text": "x", "thread_ts": "REPLY"}, "cannot_reply_to_message"),
        ({"text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"text": "x", "username": "Boss"}, "missing_scope"),
        ({"blocks": "[{"}, "invalid_blocks_format"),
        ({"blocks": [section(3001)]}, "invalid_blocks"),
        ({"blocks": [section(2700)] * 5}, "msg_blocks_too_long"),
        ({"text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_schema"),
    ],
    "chat.postEphemeral": [
        ({"user": "UNOBODY", "text": "x"}, "user_not_in_channel"),
        ({"user": "AYA", "text": "x" * 40_001}, "msg_too_long"),
    ],
    "chat.update": [
        ({"ts": "1.1", "text": "x"}, "message_not_found"),
        ({"ts": "TOP", "text": "x"}, "cant_update_message"),
        ({"ts": "OWN", "text": "x" * 4_001}, "msg_too_long"),
        ({"ts": "OWN", "text": "x", "unfurl_links": False}, "invalid_arguments"),
    ],
    "chat.delete": [({"ts": "TOP"}, "cant_delete_message")],
    "chat.getPermalink": [({"message_ts": "1.1"}, "message_not_found")],
    "conversations.history": [
        ({"channel": "OUTSIDE"}, "not_in_channel"),
        ({"cursor": "?"}, "invalid_cursor"),
        ({"oldest": "soon"}, "invalid_ts_oldest"),
    ],
    "conversations.replies": [({"ts": "1.1"}, "thread_not_found")],
    "conversations.info": [({"channel": "SECRET"}, "channel_not_found")],
    "users.conversations": [({"types": "fax"}, "invalid_types")],
    "users.info": [({"user": "UNOBODY"}, "user_not_found"), ({}, "invalid_arguments")],
    "views.open": [
        ({"trigger_id": "1.1.x", "view": {"type": "modal"}}, "invalid_trigger_id")
    ],
    "views.update": [({"view_id": "VNONE", "view": {"type": "modal"}}, "not_found")],
    "agents.sessions.setStatus": [
        ({"status": "busy"}, "invalid_status"),
        ({"thread_ts": None, "status": "active"}, "thread_ts_required"),
        (
            {"channel_id": "OUTSIDE", "thread_ts": "1.1", "status": "active"},
            "not_authorized",
        ),
        (
            {"channel_id": "CNONE", "thread_ts": "1.1", "status": "active"},
            "channel_not_found",
        ),
        ({"status": "active", "initiator_user_id": "UNONE"}, "user_not_found"),
    ],
    "blocks.validate": [
        ({"blocks": [{"type": "header"}]}, "invalid_blocks"),
        ({"view": {"type": "home"}}, "invalid_view"),
    ],
    "chat.teleport": [({}, "unknown_method")],
}


def arguments_of(method: str, given: Json, names: dict[str, str]) -> Json:
    """Return a call's arguments: those of the table, by default in #general and its thread."""
    known = load_methods()[method].args if method in load_methods() else {}
    common = (
        IN_TOP if "channel_id" in known else IN_GENERAL if "channel" in known else {}
    )
    return {
        key: names.get(value, value) if isinstance(value, str) else value
        for key, value in {**common, **given}.items()
        if value is not None
    }


@pytest.fixture
async def names(driver: Driver, client: AsyncWebClient) -> dict[str, str]:
    """What the capital words of the table stand for."""
    aya = await driver.user()
    general = await driver.channel()
    top = (await driver.say("top", channel=general))["ts"]
    reply = (await driver.say("reply", channel=general, thread_ts=top))["ts"]
    own = await client.chat_postMessage(channel=general, text="own")
    outside = await driver.post("channels", kind="public", members=[aya], app=False)
    secret = await driver.post("channels", kind="private", members=[aya], app=False)
    archived = await driver.post("channels", kind="public", members=[aya])
    await driver.post("channels/update", channel=archived["id"], archived=True)
    return {
        "AYA": aya,
        "GENERAL": general,
        "TOP": top,
        "REPLY": reply,
        "OWN": str(own["ts"]),
        "OUTSIDE": outside["id"],
        "SECRET": secret["id"],
        "ARCHIVED": archived["id"],
    }


async def test_what_slack_refuses_is_refused(
    driver: Driver, client: AsyncWebClient, names: dict[str, str]
) -> None:
    """Each mistake gets Slack's own error name, and changes nothing."""
    before = await driver.messages(names["GENERAL"])
    errors = []
    for method, refusals in REFUSALS.items():
        for given, error in refusals:
            answered = await error_of(
                client, method, arguments_of(method, given, names)
            )
            assert answered == error, (method, given)
            errors.append(error)
    assert await driver.messages(names["GENERAL"]) == before
    recorded = [call["outcome"] for call in await driver.calls()][-len(errors) :]
    assert recorded == errors


async def test_an_error_says_where(
    client: AsyncWebClient, names: dict[str, str]
) -> None:
    """Refused blocks and arguments come with messages that point at the place."""
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(
            channel=names["GENERAL"], text="x", blocks=[section(3001)]
        )
    messages = caught.value.response["response_metadata"]["messages"]
    assert messages == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]
    with pytest.raises(SlackApiError) as caught:
        await client.api_call("chat.postMessage", json={"text": "x", "colour": "red"})
    messages = caught.value.response["response_metadata"]["messages"]
    assert messages == [
        "[ERROR] missing required field: channel",
        "[ERROR] unknown argument: colour",
    ]


@pytest.mark.parametrize(
    ("method", "token", "error"),
    [
        ("auth.test", "", "not_authed"),
        ("auth.test", "xoxb-stolen", "invalid_auth"),
        ("auth.test", APP_TOKEN, "not_allowed_token_type"),
        ("apps.connections.open", BOT_TOKEN, "not_allowed_token_type"),
        ("apps.connections.open", "xapp-stolen", "invalid_auth"),
    ],
)
async def test_a_wrong_token_is_refused(
    slack: Slack, session: aiohttp.ClientSession, method: str, token: str, error: str
) -> None:
    """Only the app's own token of the right kind is taken."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with session.post(f"{slack.url}/api/{method}", headers=headers) as response:
        assert (await response.json())["error"] == error


async def test_form_query_and_json_mean_the_same(
    slack: Slack, session: aiohttp.ClientSession, driver: Driver
) -> None:
    """Arguments may come as JSON, as a form with JSON inside, or in the query."""
    general = await driver.channel()
    blocks = [section(3)]
    url = f"{slack.url}/api/chat.postMessage"
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    form = {"channel": general, "blocks": json.dumps(blocks), "mrkdwn": "1"}
    answers = [
        await session.post(
            url, headers=headers, json={"channel": general, "blocks": blocks}
        ),
        await session.post(url, data={**form, "token": BOT_TOKEN}),
        await session.post(url, headers=headers, params=form),
    ]
    assert [(await answer.json())["ok"] for answer in answers] == [True, True, True]
    texts = [
        message["blocks"][0]["text"]["text"]
        for message in await driver.messages(general)
    ]
    assert texts == ["xxx"] * 3


async def test_history_is_paged_newest_first(
    driver: Driver, client: AsyncWebClient
) -> None:
    """conversations.history shows top-level messages, newest first, in pages."""
    general = await driver.channel()
    stamps = [(await driver.say(f"m{n}", channel=general))["ts"] for n in range(3)]
    await driver.say("reply", channel=general, thread_ts=stamps[0])
    first = await client.conversations_history(channel=general, limit=2)
    assert [message["text"] for message in first["messages"]] == ["m2", "m1"]
    cursor = first["response_metadata"]["next_cursor"]
    rest = await client.conversations_history(channel=general, limit=2, cursor=cursor)
    assert ([m["text"] for m in rest["messages"]], rest["has_more"]) == (["m0"], False)
    later = await client.conversations_history(channel=general, oldest=stamps[1])
    assert [message["text"] for message in later["messages"]] == ["m2"]


@pytest.mark.parametrize(
    ("method", "a_minute"),
    [
        ("chat.startStream", 20),
        ("chat.update", 50),
    ],
)
async def test_rate_limits_are_slacks_when_asked_for(
    driver: Driver, client: AsyncWebClient, method: str, a_minute: int
) -> None:
    """With rate limits on, a method's tier is what a workspace has each minute, then 429."""
    await driver.post("settings", rate_limits=True)

    async def refused() -> SlackApiError:
        with pytest.raises(SlackApiError) as caught:
            await client.api_call(method)
        return caught.value

    for _ in range(a_minute):
        assert (await refused()).response["error"] == "invalid_arguments"
    response = (await refused()).response
    assert (response.status_code, response["error"]) == (429, "ratelimited")
    assert 0 < int(response.headers["Retry-After"]) <= 60
    await client.auth_test()
    await driver.post("settings", rate_limits=False)
    assert (await refused()).response["error"] == "invalid_arguments"


def test_every_method_of_the_reference_is_served() -> None:
    """Every method has a handler and the other way round."""
    assert HANDLERS.keys() == load_methods().keys()
