"""Commands, clicks, shortcuts and modals, with a real Bolt app."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground import interactions
from slack_playground.slack import Slack

from .conftest import Connect, keeping
from .driver import Driver, Json

FORGET: Json = {
    "type": "actions",
    "block_id": "ask",
    "elements": [
        {
            "type": "button",
            "action_id": "forget",
            "value": "42",
            "text": {"type": "plain_text", "text": "Forget"},
            "style": "danger",
        },
        {
            "type": "overflow",
            "action_id": "more",
            "options": [
                {"text": {"type": "plain_text", "text": "Keep"}, "value": "keep"}
            ],
        },
    ],
}


MODAL: Json = {
    "type": "modal",
    "callback_id": "edit",
    "title": {"type": "plain_text", "text": "Edit"},
    "submit": {"type": "plain_text", "text": "Save"},
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "words",
            "label": {"type": "plain_text", "text": "Words"},
            "element": {"type": "plain_text_input", "action_id": "typed"},
        }
    ],
}


def modal(title: str = "Edit", **more: Any) -> Json:
    """A modal with one input."""
    return {**MODAL, "title": {"type": "plain_text", "text": title}, **more}


async def test_a_click_reaches_the_app(
    driver: Driver, app: AsyncApp, connect: Connect
) -> None:
    """A click brings the element, the message, a trigger and a response URL that replaces it."""
    bodies: list[Json] = []

    @app.action("forget")
    async def forget(ack: Any, body: Json, respond: Any) -> None:
        await ack()
        bodies.append(body)
        await respond(text="Forgotten.", replace_original=True)

    await connect(app)
    general = await driver.channel()
    posted = await app.client.chat_postMessage(
        channel=general, text="Forget?", blocks=[FORGET]
    )
    aya = await driver.user()
    click = {
        "user": aya,
        "channel": general,
        "ts": posted["ts"],
        "action_id": "forget",
    }
    assert (await driver.post("actions", **click))["ok"] is True
    (body,) = bodies
    assert (body["user"]["id"], body["channel"]["id"]) == (aya, general)
    assert body["actions"][0]["value"] == "42"
    assert body["actions"][0]["block_id"] == "ask"
    assert body["message"]["ts"] == posted["ts"]
    assert body["container"]["is_ephemeral"] is False
    shown = (await driver.messages(general))[-1]
    assert (shown["text"], "blocks" in shown) == ("Forgotten.", False)
    status, answer = await driver.try_post("actions", **click)
    assert (status, answer["error"]) == (
        400,
        "There is no element 'forget' to click there.",
    )


async def test_an_ephemeral_is_its_persons_alone(
    driver: Driver, app: AsyncApp, connect: Connect
) -> None:
    """Only who sees an ephemeral message can click it; the app can delete it by response URL."""
    containers: list[Json] = []

    @app.action("forget")
    async def forget(ack: Any, body: Json, respond: Any) -> None:
        await ack()
        containers.append({**body["container"], "message": body.get("message")})
        await respond(delete_original=True)

    await connect(app)
    general = await driver.channel()
    aya = await driver.user()
    ben = await driver.user("Ben")
    sent = await app.client.chat_postEphemeral(
        channel=general, user=aya, text="Forget?", blocks=[FORGET]
    )
    click = {
        "channel": general,
        "ts": sent["message_ts"],
        "action_id": "forget",
    }
    assert (await driver.try_post("actions", user=ben, **click))[0] == 403
    assert await driver.messages(general, "Ben") == []
    assert (await driver.messages(general))[0]["is_ephemeral"] is True
    await driver.post("actions", user=aya, **click)
    assert (containers[0]["is_ephemeral"], containers[0]["message"]) == (True, None)
    assert await driver.messages(general) == []


async def test_a_command_answers_by_its_response_url(
    slack: Slack,
    driver: Driver,
    session: aiohttp.ClientSession,
    app: AsyncApp,
    connect: Connect,
) -> None:
    """A response URL takes five answers, in the channel too, and then no more."""
    commands: list[Json] = []
    app.command("/memories")(keeping(commands))
    await connect(app)
    aya = await driver.user()
    general = await driver.channel()
    answer = await driver.post(
        "commands", user=aya, channel=general, command="/memories"
    )
    assert (answer["ok"], answer["ack"]) == (True, None)
    in_channel = {"text": "for all", "response_type": "in_channel"}
    bodies: list[Json] = [
        {"text": "for you"},
        in_channel,
        in_channel,
        in_channel,
        in_channel,
    ]
    url = commands[0]["response_url"]
    for body in bodies:
        async with session.post(url, json=body) as response:
            assert (response.status, await response.text()) == (200, "ok")
    async with session.post(url, json=in_channel) as response:
        assert (response.status, (await response.json())["error"]) == (404, "used_url")
    async with session.post(
        f"{slack.url}/commands/T1/none", json=in_channel
    ) as response:
        assert (await response.json())["error"] == "expired_url"
    for wrong in ({}, {"text": "x", "colour": "red"}, {"blocks": [{"type": "blink"}]}):
        other = await driver.post(
            "commands", user=aya, channel=general, command="/memories"
        )
        assert other["ok"] is True
        async with session.post(commands[-1]["response_url"], json=wrong) as response:
            assert response.status == 400
    assert [message["text"] for message in await driver.messages(general, "Ben")] == [
        "for all"
    ] * 4
    assert len(await driver.messages(general)) == 5
    assert (await driver.calls("response_url"))[0]["args"] == {"text": "for you"}


async def test_a_modal_from_opening_to_submission(
    driver: Driver, app: AsyncApp, connect: Connect
) -> None:
    """A trigger opens a modal; a submission with errors keeps it, a good one closes it."""
    typed: list[str] = []

    @app.command("/memories")
    async def edit(ack: Any, command: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=command["trigger_id"], view=modal())

    @app.view("edit")
    async def save(ack: Any, view: Json) -> None:
        value = view["state"]["values"]["words"]["typed"]["value"]
        typed.append(value)
        if value == "bad":
            await ack(
                response_action="errors", errors={"words": "Write something else."}
            )
        else:
            await ack()

    await connect(app)
    aya = await driver.user()
    await driver.post("commands", user=aya, channel="dm", command="/memories")
    (view,) = (await driver.get("views", user=aya))["views"]
    assert (await driver.get("views", user=await driver.user("Ben")))["views"] == []
    submit = {"view_id": view["id"], "user": aya}
    assert (await driver.try_post("views/submit", **submit))[0] == 400
    assert (await driver.try_post("views/submit", **submit, values={"no": "x"}))[
        0
    ] == 400
    refused = await driver.post("views/submit", **submit, values={"words": "bad"})
    assert refused["ack"]["errors"] == {"words": "Write something else."}
    assert len((await driver.get("views", user=aya))["views"]) == 1
    await driver.post("views/submit", **submit, values={"words": {"typed": "good"}})
    assert (await driver.get("views", user=aya))["views"] == []
    assert typed == ["bad", "good"]
    assert (await driver.try_post("views/submit", **submit, values={"words": "x"}))[
        0
    ] == 400


async def test_a_stack_of_modals(
    driver: Driver, app: AsyncApp, connect: Connect
) -> None:
    """A submission may push, update or clear the stack; closing is told."""
    answers: list[Json] = [
        {"response_action": "push", "view": modal("Second")},
        {"response_action": "update", "view": modal("Second, changed")},
        {"response_action": "clear"},
    ]
    closed: list[bool] = []

    @app.command("/memories")
    async def edit(ack: Any, command: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=command["trigger_id"], view=modal())

    @app.view("edit")
    async def save(ack: Any) -> None:
        await ack(**answers.pop(0))

    @app.view_closed("edit")
    async def gone(ack: Any, body: Json) -> None:
        await ack()
        closed.append(body["is_cleared"])

    await connect(app)
    aya = await driver.user()

    async def titles() -> list[str]:
        views = (await driver.get("views", user=aya))["views"]
        return [view["title"]["text"] for view in views]

    async def submit() -> None:
        top = (await driver.get("views", user=aya))["views"][-1]
        await driver.post(
            "views/submit", view_id=top["id"], user=aya, values={"words": "x"}
        )

    await driver.post("commands", user=aya, channel="dm", command="/memories")
    await submit()
    assert await titles() == ["Edit", "Second"]
    await submit()
    assert await titles() == ["Edit", "Second, changed"]
    await submit()
    assert await titles() == []
    await driver.post("commands", user=aya, channel="dm", command="/memories")
    (view,) = (await driver.get("views", user=aya))["views"]
    await driver.post("views/close", user=aya, view_id=view["id"])
    assert (closed, await titles()) == ([False], [])


async def test_a_trigger_is_used_once_and_grows_old(
    slack: Slack, driver: Driver, app: AsyncApp, connect: Connect
) -> None:
    """A trigger_id opens one view within three seconds; views.update minds the hash."""
    commands: list[Json] = []
    app.command("/memories")(keeping(commands))
    await connect(app)
    aya = await driver.user()
    client = app.client
    for _ in range(2):
        await driver.post("commands", user=aya, channel="dm", command="/memories")
    triggers = [command["trigger_id"] for command in commands]
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await client.views_open(trigger_id=triggers[0], view=modal("x" * 25))
    opened = await client.views_open(trigger_id=triggers[0], view=modal())
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await client.views_open(trigger_id=triggers[0], view=modal())
    with pytest.raises(SlackApiError, match="not_found"):
        await client.views_push(trigger_id=triggers[1], view=modal())
    view_id = opened["view"]["id"]
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_update(view_id=view_id, hash="0.0", view=modal())
    changed = await client.views_update(
        view_id=view_id, hash=opened["view"]["hash"], view=modal("Changed")
    )
    assert changed["view"]["id"] == view_id
    slack.triggers[triggers[1]].born -= interactions.TRIGGER_SECONDS + 1
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        await client.views_open(trigger_id=triggers[1], view=modal())
