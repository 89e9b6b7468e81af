"""Events, commands and clicks over signed HTTP, as the playground sends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from psycopg import AsyncConnection

from bot.acts.blocks import button, payload
from bot.acts.kinds import Position
from bot.listeners.origin import person_of
from bot.slack.messages import Installation
from memory import InvalidNamespace
from tests.databases import owner_rows
from tests.integration.app import App, MakeApp, receiving
from tests.integration.person import SlackPerson
from tests.integration.playground_slack import PlaygroundSlack
from tests.person import Place, shown
from tests.waiting import until

pytestmark = pytest.mark.own_slack


@dataclass
class Client:
    """People of a playground that delivers to the app over HTTP; no worker runs."""

    slack: PlaygroundSlack
    database: str

    async def control(self, path: str, body: Any = None) -> Any:
        """Make a control call while the app answers."""
        return await asyncio.to_thread(self.slack.control, path, body)

    async def delivered(self, number: int) -> list[dict[str, Any]]:
        """Wait until everything sent after a delivery's number was answered; return it."""

        async def answered() -> list[dict[str, Any]]:
            told = await self.control(f"deliveries?since={number}")
            return [] if told["waiting"] else list(told["deliveries"])

        return await until(answered)

    def stored(self, channel: str) -> list[dict[str, Any]]:
        """Return the events stored of a conversation."""
        return owner_rows(
            self.database,
            "SELECT * FROM messages WHERE channel_id = %s ORDER BY ts",
            channel,
        )


@pytest.fixture
async def client(make_app: MakeApp) -> AsyncIterator[Client]:
    """A playground that delivers to the app, where people are asked before anything is stored."""
    app = await make_app(consent="ask")
    async with receiving(app):
        yield Client(app.slack, app.database)


@pytest.fixture
async def ann(app: App) -> AsyncIterator[SlackPerson]:
    """A person who types and clicks."""
    async with receiving(app):
        yield SlackPerson(app)


async def test_a_message_is_stored_before_slack_is_answered(client: Client) -> None:
    """When Slack has its 200 the message is stored; a redelivery changes nothing."""
    user, _ = client.slack.person()
    before = (await client.control("deliveries"))["last"]
    said = await client.control(
        "messages", {"user": user, "channel": "dm", "text": "I like tea"}
    )
    [delivery] = await client.delivered(before)
    assert delivery["outcome"] == "acked"
    [row] = client.stored(said["channel"])
    assert row["message"]["text"] == "I like tea"
    assert row["audience"] == "dm"


async def test_a_command_that_breaks_says_so(ann: SlackPerson) -> None:
    """A fault of our own is answered in one sentence too, without its text."""
    owner_rows(ann.app.database, "ALTER TABLE store RENAME TO away")
    try:
        answer = await ann.command("/forget ramen")
        await ann.type("/memories")
        await ann.form_says(ann.sentence("command_broke"))
    finally:
        owner_rows(ann.app.database, "ALTER TABLE away RENAME TO store")
    assert answer["text"] == ann.sentence("command_broke")


async def test_the_panel_is_opened_before_the_database_is_asked(
    ann: SlackPerson,
) -> None:
    """Slack takes a trigger for three seconds: a modal that says *Loading…* is there at once."""
    ann.app.slack.forget_calls()
    async with await AsyncConnection.connect(ann.app.database) as owner:
        await owner.execute("LOCK TABLE person_settings, store")
        await ann.type("/memories")
        await ann.form_says("Loading…")
    assert ann.sentence("panel_on") in shown(await ann.panel_opens())


async def test_an_erasure_that_failed_does_not_stay_at_loading(
    ann: SlackPerson,
) -> None:
    """The form says that something went wrong, and the memories are still there."""
    await ann.remember("ramen")
    panel = await ann.panel()
    await ann.press(panel, "open", form="settings")
    form = await ann.click(await ann.form_opens(), "open", form="delete")
    async with await AsyncConnection.connect(ann.app.database) as owner:
        await owner.execute("LOCK TABLE store")
        await ann.submit(form, word="DELETE")
        await ann.form_says("Loading…")
        await until(partial(_ended_who_waits_for_a_lock, owner))
        await ann.form_says(ann.sentence("command_broke"))
    assert await ann.foods() == ["ramen"]


async def _ended_who_waits_for_a_lock(owner: AsyncConnection[Any]) -> bool:
    ended = await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return ended.rowcount > 0


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429, "retry_after": 1}])
async def test_the_panel_does_not_stay_at_loading_for_one_failed_call(
    ann: SlackPerson, fault: dict[str, Any]
) -> None:
    """The call that fills the modal is made again: nothing else would say what happened."""
    ann.app.slack.fault("views.update", **fault)
    assert ann.sentence("panel_on") in shown(await ann.panel())


async def test_a_form_is_acknowledged_in_time_while_the_database_does_not_answer(
    ann: SlackPerson,
) -> None:
    """A search keeps the list that it has; another form closes, and its result is shown later."""
    await ann.remember("ramen")
    panel = await ann.panel()
    await ann.press(panel, "open", form="add")
    form = await ann.form_opens()
    async with await AsyncConnection.connect(ann.app.database) as owner:
        await owner.execute("LOCK TABLE person_settings, store")
        added = await ann.submit(form, lines="I love udon")
        searched = await ann.submit(panel, **{"search-": "zebras"})
    assert added["ok"]
    assert ann.sentence("command_failed") in shown(searched["ack"]["view"])


@pytest.mark.parametrize(
    "fault",
    [{"error": "expired_trigger_id"}, {"error": "ratelimited", "retry_after": 5}],
    ids=["expired", "limited"],
)
async def test_a_form_that_slack_does_not_open_is_said(
    ann: SlackPerson, fault: dict[str, Any]
) -> None:
    """A command is answered with a sentence; a panel stays, with the sentence in it.

    A rate limit that outlasts the trigger is not waited for.
    """
    for typed in ("/memories settings", "/memories"):
        ann.app.slack.fault("views.open", **fault)
        answer = await ann.command(typed)
        assert answer["text"] == ann.sentence("modal_not_opened")
    await ann.remember("ramen")
    panel = await ann.panel()
    ann.app.slack.fault("views.push", **fault)
    after = await ann.click(panel, "edit")
    assert ann.sentence("modal_not_opened") in shown(after)
    assert "ramen" in shown(after)


async def test_what_a_form_did_is_said_however_long_it_was_open(
    ann: SlackPerson,
) -> None:
    """Slack takes the answer to a command for half an hour; after that it is a message."""
    await ann.type("/memories settings")
    form = await ann.form_opens()
    ann.app.slack.fault("response_url", status=404)
    await ann.submit(form)

    async def answer() -> Place | None:
        return next(iter(await ann.seen("dm")), None)

    assert (await until(answer))["text"] == ann.sentence("settings_saved")


async def test_a_click_in_a_modal_of_another_version_is_answered_in_it(
    ann: SlackPerson,
) -> None:
    """What the modal is cannot be read, so the panel is shown in its place, with the answer."""
    opened = await ann.panel()
    blocks = payload("Memories", {**button("Next", Position()), "value": "page 2"})[
        "blocks"
    ]
    title = {"type": "plain_text", "text": "Memories"}
    view = {
        "type": "modal",
        "title": title,
        "private_metadata": "page 1",
        "blocks": blocks,
    }
    ann.app.slack.as_app("views.update", view_id=opened["id"], view=view)
    [*_, block] = (await ann.form())["blocks"]
    [element] = block["elements"]
    names = {
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "value": "page 2",
    }
    await ann.control("actions", {"user": ann.user, "view_id": opened["id"], **names})
    await ann.form_says(ann.sentence("old_button"))


@pytest.mark.parametrize(
    ("team", "body"),
    [("", {}), ("", {"user_id": "U1"}), ("T1", {}), ("T1", {"user": {}})],
)
def test_a_request_without_both_ids_is_refused(team: str, body: dict[str, Any]) -> None:
    """Without both ids nobody's memories are touched."""
    with pytest.raises(InvalidNamespace):
        person_of(body, Installation(team_id=team, bot_user_id="UBOT"))
