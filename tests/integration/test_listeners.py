"""Events, commands and clicks over signed HTTP, as the playground sends them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from bot.listeners.responder import person_of
from bot.locale import say
from memory import InvalidNamespace, Person, Pool
from tests.conftest import Server, owner_rows
from tests.integration.app import MakeApp, eventually, receiving
from tests.integration.playground_slack import PlaygroundSlack

_numbers = itertools.count()


# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


@pytest.fixture
def slack(own_playground: Server) -> PlaygroundSlack:
    """Its Slack."""
    return PlaygroundSlack(own_playground)


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

        return await eventually(answered)

    async def event(self, raw: dict[str, Any]) -> list[dict[str, Any]]:
        """Deliver an event; return how each delivery was answered."""
        sent = await self.control("events", {"raw": raw})
        found = await self.delivered(min(sent["deliveries"]) - 1)
        return [d for d in found if d["number"] in sent["deliveries"]]

    def stored(self, channel: str) -> list[dict[str, Any]]:
        """Return the events stored of a conversation."""
        return owner_rows(
            self.database, "SELECT * FROM inbox_events WHERE channel_id = %s ORDER BY ts", channel
        )

    def remember(self, user: str, *foods: str) -> None:
        """Store memories of a person, the last the newest."""
        prefix = Person(self.slack.team_id, user).namespace("dm").prefix
        with psycopg.connect(self.database) as owner:
            for food in foods:
                value = {"kind": "UserFoodPreference", "content": {"food_name": food}}
                owner.execute(
                    "INSERT INTO store (prefix, key, value, updated_at)"
                    " VALUES (%s, %s, %s, now() + %s * interval '1 second')",
                    (prefix, f"key-{food}", json.dumps(value), next(_numbers)),
                )

    def agree(self, user: str) -> None:
        """Let a person have agreed to be remembered."""
        with psycopg.connect(self.database) as owner:
            owner.execute(
                "INSERT INTO person_settings (team_id, user_id, consent) VALUES (%s, %s, 'agreed')",
                (self.slack.team_id, user),
            )

    async def command(self, user: str, command: str, text: str = "") -> dict[str, Any]:
        """Let a person type a command in a DM; return the private answer they see."""
        seen = {m["ts"] for m in await self.seen(user)}
        await self.enter(user, command, text)
        return await self.answer(user, seen)

    async def enter(self, user: str, command: str, text: str) -> None:
        """Let a person type a command in a DM."""
        typed = {"user": user, "channel": "dm", "command": command, "text": text}
        done = await self.control("commands", typed)
        assert done["ok"], done

    async def seen(self, user: str) -> list[dict[str, Any]]:
        """Return what a person sees in their DM."""
        told = await self.control(f"channels/dm/messages?as={user}")
        return [m for m in told["messages"] if m.get("user") == self.slack.bot_user_id]

    async def answer(self, user: str, seen: set[str]) -> dict[str, Any]:
        """Wait for the next message of the app that was not seen before."""

        async def new() -> list[dict[str, Any]]:
            return [m for m in await self.seen(user) if m["ts"] not in seen]

        [message] = await eventually(new)
        assert message["is_ephemeral"]
        return message

    async def modal(self, user: str, text: str) -> dict[str, Any]:
        """Wait until a person's one open modal has a text; return the modal."""

        async def showing() -> dict[str, Any] | None:
            views = (await self.control(f"views?as={user}"))["views"]
            if text not in json.dumps(views, ensure_ascii=False):
                return None
            [view] = views
            return dict(view)

        return await eventually(showing)


@pytest.fixture
async def client(make_app: MakeApp) -> AsyncIterator[Client]:
    """A playground that delivers to the app, where people are asked before anything is stored."""
    app = await make_app(consent="ask")
    async with receiving(app):
        yield Client(app.slack, app.database)


async def test_a_message_is_stored_before_slack_is_answered(client: Client) -> None:
    """When Slack has its 200 the message is stored; a redelivery changes nothing."""
    user, _ = client.slack.person()
    before = (await client.control("deliveries"))["last"]
    said = await client.control("messages", {"user": user, "channel": "dm", "text": "I like tea"})
    [delivery] = await client.delivered(before)
    assert delivery["outcome"] == "acked"
    [row] = client.stored(said["channel"])
    assert row["message"]["text"] == "I like tea"
    assert row["audience"] == "dm"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "messages"},
        {"type": "tokens_revoked", "tokens": {"bot": ["UBOT"]}},
        {"type": "channel_archive", "channel": "C1", "user": "U1"},
        {"type": "user_change", "user": {"id": "U1"}},
        {"type": "message", "subtype": "channel_join", "channel": "C1", "user": "U1", "ts": "1.1"},
        {"type": "message", "channel": "C1", "user": "U1", "ts": "1.2", "text": "not for the bot"},
        {
            "type": "message",
            "bot_id": "B9",
            "channel": "C1",
            "user": "U9",
            "ts": "1.3",
            "text": "x",
        },
    ],
    ids=lambda e: f"{e['type']} {e.get('subtype', '')}",
)
async def test_every_event_is_acked(client: Client, event: dict[str, Any]) -> None:
    """An event that asks for nothing is acked, and leaves no row."""
    [answered] = await client.event(event)
    assert answered["outcome"] == "acked"
    assert client.stored("C1") == []


async def test_edits_and_deletions_reach_what_waits(client: Client) -> None:
    """An edit changes a waiting message's text, a deletion takes it back."""
    user, _ = client.slack.person()
    last = (await client.control("deliveries"))["last"]
    said = await client.control("messages", {"user": user, "channel": "dm", "text": "old"})
    await client.delivered(last)
    where = {"user": user, "channel": said["channel"], "ts": said["ts"]}
    for path, more, status, text in (
        ("messages/edit", {"text": "new"}, "waiting", "new"),
        ("messages/delete", {}, "withdrawn", None),
    ):
        last = (await client.control("deliveries"))["last"]
        await client.control(path, {**where, **more})
        await client.delivered(last)
        [row] = client.stored(said["channel"])
        assert row["status"] == status
        assert (row["message"] or {}).get("text") == text


async def test_what_cannot_be_stored_is_not_acked(client: Client, pool: Pool) -> None:
    """While the database is away Slack gets no 200, so it sends the event again."""
    await pool.close()
    raw = {
        "type": "message",
        "channel": "D1",
        "channel_type": "im",
        "user": "U1",
        "ts": "1700000002.000100",
        "text": "hi",
    }
    [answered] = await client.event(raw)
    assert answered["outcome"] != "acked"
    assert len(answered["attempts"]) == 2


async def test_a_command_that_loses_the_database_after_its_commit_says_so(client: Client) -> None:
    """What is committed is not called unchanged where its result cannot be read any more."""
    user, _ = client.slack.person()
    client.agree(user)
    with psycopg.connect(client.database) as owner:
        owner.execute(
            "CREATE TABLE committed ();"
            "CREATE FUNCTION cut() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
            " IF EXISTS (SELECT FROM committed)"
            " THEN PERFORM pg_terminate_backend(pg_backend_pid());"
            " END IF; RETURN true; END $$;"
            "CREATE POLICY cut ON memory_versions AS RESTRICTIVE FOR SELECT USING (cut());"
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
            " $$ BEGIN INSERT INTO committed DEFAULT VALUES; RETURN NULL; END $$;"
            "CREATE CONSTRAINT TRIGGER note AFTER INSERT ON memory_versions"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()"
        )
    try:
        answer = await client.command(user, "/memories", "add I love ramen")
    finally:
        owner_rows(client.database, "DROP FUNCTION note CASCADE")
        owner_rows(client.database, "DROP FUNCTION cut CASCADE")
        owner_rows(client.database, "DROP TABLE committed")
    assert answer["text"] == say("en", "command_uncertain")
    assert "ramen" in (await client.command(user, "/memories"))["text"]


async def test_a_command_that_breaks_says_so(client: Client, database: str) -> None:
    """A fault of our own is answered in one sentence too, without its text."""
    user, _ = client.slack.person()
    owner_rows(database, "ALTER TABLE store RENAME TO away")
    try:
        answer = await client.command(user, "/memories")
    finally:
        owner_rows(database, "ALTER TABLE away RENAME TO store")
    assert answer["text"] == say("en", "command_broke")


async def test_a_command_whose_modal_slack_does_not_open_says_so(client: Client) -> None:
    """Where Slack refuses to open a modal the command is answered with a sentence."""
    user, _ = client.slack.person()
    client.slack.fault("views.open", error="expired_trigger_id")
    answer = await client.command(user, "/memories", "settings")
    assert answer["text"] == say("en", "modal_not_opened")


async def test_a_click_whose_modal_slack_does_not_open_says_so(client: Client) -> None:
    """Where Slack refuses to put a modal on top of another, the one below says so and stays."""
    user, _ = client.slack.person()
    client.remember(user, "ramen")
    await client.control("shortcuts", {"user": user, "callback_id": "my_memories"})

    view = await client.modal(user, "ramen")
    client.slack.fault("views.push", error="expired_trigger_id")
    chosen = {"action_id": "memory_menu", "value": "edit key-ramen"}
    click = {"user": user, "view_id": view["id"], **chosen}
    assert (await client.control("actions", click))["ok"]
    assert "ramen" in json.dumps(await client.modal(user, say("en", "modal_not_opened")))


async def test_the_shortcuts(client: Client) -> None:
    """My Memories opens the list, which turns its pages; Remember This answers privately."""
    user, _ = client.slack.person()
    client.remember(user, *(f"food{i:02}" for i in range(25)))
    done = await client.control("shortcuts", {"user": user, "callback_id": "my_memories"})
    assert done["ok"]

    view = await client.modal(user, "food24")
    assert view["title"]["text"] == say("en", "my_memories_title")
    [following] = next(b for b in view["blocks"] if b["type"] == "actions")["elements"]
    click = {"user": user, "view_id": view["id"], "action_id": following["action_id"]}
    assert (await client.control("actions", click))["ok"]
    await client.modal(user, "food00")
    said = await client.control("messages", {"user": user, "channel": "dm", "text": "I like tea"})
    seen = {m["ts"] for m in await client.seen(user)}
    on = {"channel": said["channel"], "message_ts": said["ts"]}
    await client.control("shortcuts", {"user": user, "callback_id": "remember_this", **on})
    # Nobody has agreed to memory here.
    assert say("en", "off_not_agreed") in (await client.answer(user, seen))["text"]


@pytest.mark.parametrize(
    ("typed", "action", "sentence"),
    [("incognito on", "end_incognito", "incognito_off_dm"), ("pause", "resume_memory", "resumed")],
)
async def test_a_button_that_ends_a_state_replaces_its_message(
    client: Client, typed: str, action: str, sentence: str
) -> None:
    """What was switched off is not said to be on, with a button, above the answer."""
    user, _ = client.slack.person()
    client.agree(user)
    card = await client.command(user, "/memories", typed)
    channel = (await client.control(f"channels/dm/messages?as={user}"))["channel"]
    on = {"channel": channel, "message_ts": card["ts"], "action_id": action}
    assert (await client.control("actions", {"user": user, **on}))["ok"]

    async def replaced() -> bool:
        [shown] = [m for m in await client.seen(user) if m["ts"] == card["ts"]]
        return action not in json.dumps(shown) and say("en", sentence) in shown["text"]

    await eventually(replaced)


async def test_nothing_is_added_while_memory_is_off(client: Client) -> None:
    """Who has not agreed to memory is told so instead of being shown an empty form."""
    user, _ = client.slack.person()
    await client.enter(user, "/memories", "add")
    await client.modal(user, say("en", "off_not_agreed"))


@pytest.mark.parametrize("text", ["edit 7", "編集 7番", "編集 #7", "edit", "edit ramen"])
async def test_a_form_that_cannot_be_opened_says_why(client: Client, text: str) -> None:
    """A number that is none of the list, or other words or none, is answered in the modal."""
    user, _ = client.slack.person()
    client.remember(user, "ramen")
    await client.enter(user, "/memories", text)
    sentence = "There is no number 7:" if "7" in text else say("en", "edit_usage").split(":")[0]
    await client.modal(user, sentence)


@pytest.mark.parametrize(
    ("body", "person"),
    [
        ({"user_id": "U1", "team_id": "T1"}, Person("T1", "U1")),
        ({"user": {"id": "U1"}, "team": {"id": "T1"}}, Person("T1", "U1")),
    ],
)
def test_person_of(body: dict[str, Any], person: Person) -> None:
    """Who types or clicks is said by Slack's ids."""
    assert person_of(body) == person


@pytest.mark.parametrize("body", [{}, {"user_id": "U1"}, {"team_id": "T1"}, {"user": {}}])
def test_a_request_without_both_ids_is_refused(body: dict[str, Any]) -> None:
    """Without both ids nobody's memories are touched."""
    with pytest.raises(InvalidNamespace):
        person_of(body)
