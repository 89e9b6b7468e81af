"""Events, commands and clicks over signed HTTP, as the playground sends them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from aiohttp import web
from langchain_core.language_models import BaseChatModel
from psycopg.rows import dict_row
from slack_bolt.authorization import AuthorizeResult

from bot.config import Settings
from bot.conversation.callbacks import announce_nothing
from bot.conversation.inbox import ANSWER, Inbox
from bot.conversation.turns import Turns
from bot.delivery.calls import Workspace
from bot.delivery.sessions import Sessions
from bot.delivery.titles import SessionTitles
from bot.home.suggested_prompts import SuggestedPrompts
from bot.listeners.app import create_app
from bot.listeners.change_events import Changes
from bot.listeners.privately import PrivateAnswers, person_of
from bot.locale import say
from bot.memories.actions import MemoryActions
from bot.memories.adding import MemoryAdder
from bot.memories.audience_proposals import AudienceProposals
from bot.memories.commands import SlashCommands
from bot.memories.controls import MemoryControls
from bot.memories.erasing import PersonEraser
from bot.memories.exporting import Exporter
from bot.memories.forget_period import PeriodForgetter
from bot.memories.importing import Importer
from bot.memories.modals import create_modals
from bot.memories.recall_preview import RecallPreviews
from bot.notices.change_notices import ChangeNotices
from bot.pipeline.formation import FormationJobs
from bot.pipeline.sources import Sources
from bot.pipeline.tools.viewing import ViewedChannels
from bot.queue.queue import REPLIES, Queue
from bot.runtime.http_routes import create_web_app
from bot.slack.audiences import Audiences
from bot.slack.files import SlackFiles
from bot.slack.rate_limits import RateLimits
from bot.users.offboarding import Offboarding
from bot.users.profiles import Profiles
from bot.users.workspaces import Workspaces
from memory import Embedder, Former, InvalidNamespace, Person, Pool
from tests.conftest import ROOT, Server, json_server
from tests.integration.homes import homes_of
from tests.integration.playground_slack import PlaygroundSlack

_numbers = itertools.count()


# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


@pytest.fixture(scope="module")
def own_playground() -> Iterator[Server]:
    """A playground of these tests alone: it has nothing to send from other tests."""
    with json_server(
        "playground", "--manifest", str(ROOT / "manifest.yml"), "--no-model"
    ) as server:
        yield server


@pytest.fixture
def slack(own_playground: Server) -> PlaygroundSlack:
    """Its Slack."""
    return PlaygroundSlack(own_playground)


@dataclass
class Door:
    """The app behind its HTTP door, with the playground before it; nobody works."""

    slack: PlaygroundSlack
    database: str

    async def control(self, path: str, body: Any = None) -> Any:
        """Make a control call while the app answers."""
        return await asyncio.to_thread(self.slack.control, path, body)

    async def delivered(self, number: int) -> list[dict[str, Any]]:
        """Wait until everything sent after a delivery's number was answered; return it."""
        async with asyncio.timeout(15):
            while True:
                told = await self.control(f"deliveries?since={number}")
                if told["deliveries"] and not told["waiting"]:
                    return list(told["deliveries"])
                await asyncio.sleep(0.02)

    async def event(self, raw: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        """Deliver an event; return how each delivery was answered."""
        sent = await self.control("events", {"raw": raw, **more})
        found = await self.delivered(min(sent["deliveries"]) - 1)
        return [d for d in found if d["number"] in sent["deliveries"]]

    def stored(self, channel: str) -> list[dict[str, Any]]:
        """Return the events stored of a conversation."""
        with psycopg.connect(self.database, row_factory=dict_row) as owner:
            return owner.execute(
                "SELECT * FROM inbox_events WHERE channel_id = %s ORDER BY ts", (channel,)
            ).fetchall()

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

    def remembered(self, user: str) -> list[str]:
        """Return the keys of a person's memories, as the owner sees them."""
        with psycopg.connect(self.database) as owner:
            found = owner.execute(
                "SELECT key FROM store WHERE prefix = %s ORDER BY key",
                (Person(self.slack.team_id, user).namespace("dm").prefix,),
            ).fetchall()
        return [row[0] for row in found]

    async def command(self, user: str, command: str, text: str = "") -> dict[str, Any]:
        """Let a person type a command in a DM; return the private answer they see."""
        seen = {m["ts"] for m in await self.seen(user)}
        done = await self.control(
            "commands", {"user": user, "channel": "dm", "command": command, "text": text}
        )
        assert done["ok"], done
        return await self.answer(user, seen)

    async def seen(self, user: str) -> list[dict[str, Any]]:
        """Return what a person sees in their DM."""
        told = await self.control(f"channels/dm/messages?as={user}")
        return [m for m in told["messages"] if m.get("user") == self.slack.bot_user_id]

    async def answer(self, user: str, seen: set[str]) -> dict[str, Any]:
        """Wait for the next message of the app that was not seen before."""
        async with asyncio.timeout(15):
            new: list[dict[str, Any]] = []
            while not new:
                await asyncio.sleep(0.02)
                new = [m for m in await self.seen(user) if m["ts"] not in seen]
        [message] = new
        assert message["is_ephemeral"]
        return message


@pytest.fixture
async def door(
    pool: Pool, database: str, slack: PlaygroundSlack, embedder: Embedder
) -> AsyncIterator[Door]:
    """The app, its door, and a playground that sends there."""

    async def nothing(**_: str) -> None:
        raise AssertionError("nobody works in this test")

    client = slack.client()
    queue = Queue(pool)
    await queue.open()
    queue.register(ANSWER, REPLIES, nothing, attempts=1, wait=1)
    inbox, audiences, people = Inbox(pool, queue), Audiences(pool, client), Profiles(pool, client)

    async def no_formation(*_: object) -> None:
        """Form nothing."""

    def no_model() -> BaseChatModel:
        raise AssertionError("nothing is formed in this test")

    own = MemoryActions(pool, embedder, stand_in=False)
    former = Former(pool, embedder, no_model)
    learning = FormationJobs(
        pool=pool,
        queue=queue,
        former=former,
        audiences=audiences,
        mode="background",
        quiet_seconds=20.0,
    )
    controls = MemoryControls(pool, people, learning.schedule_all, consent="ask")
    periods = PeriodForgetter(pool, people)
    adding = MemoryAdder(pool, embedder, former, audiences, consent="ask")
    notices = ChangeNotices(pool, queue, client, people, stand_in=False)
    files = SlackFiles(client)
    homes = homes_of(pool, queue, client, people, embedder, consent="ask")
    modals = create_modals(
        pool,
        embedder,
        client,
        audiences,
        own,
        notices,
        controls,
        Importer(pool, embedder, files, consent="ask"),
        PersonEraser(pool, people, client),
    )
    previews = RecallPreviews(pool, embedder, audiences, stand_in=False)
    workspaces = Workspaces(pool)
    app = create_app(
        client=client,
        identity=AuthorizeResult.from_auth_test_response(
            auth_test_response=await client.auth_test(), bot_token=client.token
        ),
        inbox=inbox,
        changes=Changes(
            inbox=inbox,
            turns=Turns(pool, no_formation),
            audiences=audiences,
            people=people,
            suggesting=SuggestedPrompts(pool, queue, client, people, consent="ask"),
            viewing=ViewedChannels(pool, client, None, slack.bot_user_id),
            homes=homes,
            workspaces=workspaces,
            offboarding=Offboarding(pool, queue, client, workspaces, slack.bot_user_id),
            sessions=Sessions(
                Workspace(client, slack.bot_user_id, RateLimits(pool)), SessionTitles(pool)
            ),
            follow=Sources(
                pool, queue, embedder, announce_nothing, no_formation, client
            ).message_changed,
            bot_user_id=slack.bot_user_id,
        ),
        own=own,
        modals=modals,
        previews=previews,
        placing=AudienceProposals(pool, embedder, audiences),
        own_commands=SlashCommands(
            own,
            controls,
            adding,
            periods,
            more={"history": modals.changes.history_typed, "preview": previews.command},
        ),
        periods=periods,
        controls=controls,
        exporting=Exporter(pool, files, Settings()),
        answers=PrivateAnswers(people, homes),
    )

    async def ready() -> str | None:
        return None

    web_app = create_web_app(ready=ready, app=app, signing_secret=slack.told["signing_secret"])
    runner = web.AppRunner(web_app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.control("settings", {"retry_delays": [0.0]})
    slack.control(
        "delivery",
        {"mode": "http", "url": f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"},
    )
    yield Door(slack, database)
    slack.control("delivery", {"mode": "socket"})
    await runner.cleanup()


async def test_a_message_is_stored_before_slack_is_answered(door: Door) -> None:
    """When Slack has its 200 the message is stored; a redelivery changes nothing."""
    user, _ = door.slack.person()
    before = (await door.control("deliveries"))["last"]
    said = await door.control("messages", {"user": user, "channel": "dm", "text": "I like tea"})
    [delivery] = await door.delivered(before)
    assert delivery["outcome"] == "acked"
    [row] = door.stored(said["channel"])
    assert row["message"]["text"] == "I like tea"
    assert row["audience"] == "dm"


async def test_four_deliveries_are_one_message(door: Door) -> None:
    """The same event four times is acked four times and stored once."""
    raw = {
        "type": "message",
        "channel": f"D{next(_numbers)}",
        "channel_type": "im",
        "user": "U1",
        "ts": "1700000001.000100",
        "text": "hi",
    }
    answered = await door.event(raw, deliveries=4)
    assert [d["outcome"] for d in answered] == ["acked"] * 4
    assert len(door.stored(raw["channel"])) == 1


async def test_what_cannot_be_stored_is_not_acked(door: Door, pool: Pool) -> None:
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
    [answered] = await door.event(raw)
    assert answered["outcome"] != "acked"
    assert len(answered["attempts"]) == 2


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
        {"type": "agent_session_stopped", "channel": "C1", "user": "U1", "thread_ts": "1.1"},
    ],
    ids=lambda e: f"{e['type']} {e.get('subtype', '')}",
)
async def test_every_event_is_acked(door: Door, event: dict[str, Any]) -> None:
    """An event that asks for nothing is acked, and leaves no row."""
    [answered] = await door.event(event)
    assert answered["outcome"] == "acked"
    assert door.stored("C1") == []


async def test_edits_and_deletions_reach_what_waits(door: Door) -> None:
    """An edit changes a waiting message's text, a deletion takes it back."""
    user, _ = door.slack.person()
    last = (await door.control("deliveries"))["last"]
    said = await door.control("messages", {"user": user, "channel": "dm", "text": "old"})
    await door.delivered(last)
    where = {"user": user, "channel": said["channel"], "ts": said["ts"]}
    for path, more, status, text in (
        ("messages/edit", {"text": "new"}, "waiting", "new"),
        ("messages/delete", {}, "withdrawn", None),
    ):
        last = (await door.control("deliveries"))["last"]
        await door.control(path, {**where, **more})
        await door.delivered(last)
        [row] = door.stored(said["channel"])
        assert row["status"] == status
        assert (row["message"] or {}).get("text") == text


async def test_memories_are_listed_to_their_person_alone(door: Door) -> None:
    """The list has the person's own memories, newest first, in their language, for them alone."""
    user, _ = door.slack.person(locale="ja-JP")
    other, _ = door.slack.person()
    assert (await door.command(user, "/memories"))["text"] == say("ja", "memories_none")
    door.remember(user, "ラーメン", "寿司")
    door.remember(other, "SECRET")
    listed = await door.command(user, "/memories")
    assert listed["text"].index("寿司") < listed["text"].index("ラーメン")
    assert "SECRET" not in json.dumps(listed)


async def test_pages_are_turned(door: Door) -> None:
    """A longer list has a button that shows the next page in the same place."""
    user, _ = door.slack.person()
    door.remember(user, *(f"food{i:02}" for i in range(25)))
    listed = await door.command(user, "/memories", "2")
    assert "food04" in listed["text"]
    assert "food05" not in listed["text"]
    await door.control(
        "actions",
        {
            "user": user,
            "channel": "dm",
            "message_ts": listed["ts"],
            "action_id": "memories_page_1",
        },
    )
    async with asyncio.timeout(15):
        while "food24" not in json.dumps(await door.seen(user)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert len(await door.seen(user)) == 1


@pytest.mark.parametrize("number", ["2", "02", "２"])
async def test_forgetting_by_number(door: Door, number: str) -> None:
    """A number of the list, typed wide or narrow, names its memory."""
    user, _ = door.slack.person()
    door.remember(user, "old", "middle", "new")
    asked = await door.command(user, "/forget", number)
    assert "middle" in asked["text"]
    assert "old" not in asked["text"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("", say("en", "forget_usage")),
        ("!!", say("en", "forget_usage")),
        ("0", say("en", "forget_no_number", number="0", count=1)),
        ("2", say("en", "forget_no_number", number="2", count=1)),
        ("9" * 5000, say("en", "forget_no_number", number="9" * 20, count=1)),
        ("pizza <b>", say("en", "forget_no_match", words="pizza &lt;b&gt;")),
    ],
    ids=["nothing", "no words", "zero", "beyond", "enormous", "no match"],
)
async def test_what_cannot_be_forgotten(door: Door, words: str, text: str) -> None:
    """What names no memory is answered with what to write, and nothing is lost."""
    user, _ = door.slack.person()
    door.remember(user, "ramen")
    assert (await door.command(user, "/forget", words))["text"] == text
    assert door.remembered(user) == ["key-ramen"]


async def test_a_click_forgets_and_a_second_does_no_harm(door: Door) -> None:
    """Only the click forgets; it says what; a second click says so beside the first's Undo."""
    user, _ = door.slack.person()
    door.remember(user, "ramen", "sushi")
    asked = await door.command(user, "/forget", "ramen")
    assert door.remembered(user) == ["key-ramen", "key-sushi"]
    [block] = [b for b in asked["blocks"] if "accessory" in b]
    click = {
        "user": user,
        "channel": "dm",
        "message_ts": asked["ts"],
        "action_id": "forget_memory",
        "block_id": block["block_id"],
    }
    await asyncio.gather(door.control("actions", click), door.control("actions", click))
    ends = {say("en", "forgotten", what="Likes ramen"), say("en", "forgotten_already")}
    async with asyncio.timeout(15):
        while not ends <= {m["text"] for m in await door.seen(user)}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert "undo_forget" in json.dumps(await door.seen(user))
    assert door.remembered(user) == ["key-sushi"]


async def test_a_command_while_the_database_is_away(door: Door, pool: Pool) -> None:
    """A command that cannot be done says so in one sentence."""
    user, _ = door.slack.person()
    await pool.close()
    answer = await door.command(user, "/memories")
    assert answer["text"] == say("en", "command_failed")


async def test_a_command_that_breaks_says_so(door: Door, database: str) -> None:
    """A fault of our own is answered in one sentence too, without its text."""
    user, _ = door.slack.person()
    with psycopg.connect(database) as owner:
        owner.execute("ALTER TABLE store RENAME TO away")
    try:
        answer = await door.command(user, "/memories")
    finally:
        with psycopg.connect(database) as owner:
            owner.execute("ALTER TABLE away RENAME TO store")
    assert answer["text"] == say("en", "command_broke")


async def test_a_modal_opens_before_anything_is_looked_up(door: Door, pool: Pool) -> None:
    """While the database is away a modal opens at once, and then says what is the matter."""
    user, _ = door.slack.person(locale="ja-JP")
    await pool.close()
    door.slack.forget_calls()
    done = await door.control(
        "commands", {"user": user, "channel": "dm", "command": "/memories", "text": "edit 1"}
    )
    assert done["ok"]
    async with asyncio.timeout(15):
        while "command_failed" not in await _modal(door, user):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    calls = [call["method"] for call in door.slack.calls()]
    assert calls[0] == "views.open"
    assert calls[-1] == "views.update"


async def _modal(door: Door, user: str) -> list[str]:
    """Return the keys of the sentences that a person's open modal shows."""
    views = (await door.control(f"views?as={user}"))["views"]
    text = json.dumps(views, ensure_ascii=False)
    return [key for key in ("modal_loading", "command_failed") if say("ja", key) in text]


async def test_the_shortcuts(door: Door) -> None:
    """My Memories opens the list, which turns its pages; Remember This answers privately."""
    user, _ = door.slack.person()
    door.remember(user, *(f"food{i:02}" for i in range(25)))
    done = await door.control("shortcuts", {"user": user, "callback_id": "my_memories"})
    assert done["ok"]

    async def shown(text: str) -> dict[str, Any]:
        async with asyncio.timeout(15):
            while True:
                views = (await door.control(f"views?as={user}"))["views"]
                if text in json.dumps(views):
                    [view] = views
                    return dict(view)
                await asyncio.sleep(0.02)

    view = await shown("food24")
    assert view["title"]["text"] == say("en", "my_memories_title")
    [following] = next(b for b in view["blocks"] if b["type"] == "actions")["elements"]
    click = {"user": user, "view_id": view["id"], "action_id": following["action_id"]}
    assert (await door.control("actions", click))["ok"]
    await shown("food00")
    said = await door.control("messages", {"user": user, "channel": "dm", "text": "I like tea"})
    seen = {m["ts"] for m in await door.seen(user)}
    on = {"channel": said["channel"], "message_ts": said["ts"]}
    await door.control("shortcuts", {"user": user, "callback_id": "remember_this", **on})
    # Nobody has agreed to memory here.
    assert say("en", "off_not_agreed") in (await door.answer(user, seen))["text"]


async def test_nothing_is_added_while_memory_is_off(door: Door) -> None:
    """Who has not agreed to memory is told so instead of being shown an empty form."""
    user, _ = door.slack.person()
    await door.control(
        "commands", {"user": user, "channel": "dm", "command": "/memories", "text": "add"}
    )
    async with asyncio.timeout(15):
        while say("en", "off_not_agreed") not in json.dumps(  # noqa: ASYNC110
            await door.control(f"views?as={user}"), ensure_ascii=False
        ):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("text", ["edit 7", "編集 7", "edit", "edit nonsense"])
async def test_a_form_that_cannot_be_opened_says_why(door: Door, text: str) -> None:
    """A number that is none of the list, or none at all, is answered in the modal."""
    user, _ = door.slack.person()
    door.remember(user, "ramen")
    await door.control(
        "commands", {"user": user, "channel": "dm", "command": "/memories", "text": text}
    )
    sentence = say("en", "edit_usage").split(":")[0]
    if text != "edit":
        sentence = f"There is no number {text.split()[1]}"
    async with asyncio.timeout(15):
        while sentence not in json.dumps(await door.control(f"views?as={user}")):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("body", "person"),
    [
        ({"user_id": "U1", "team_id": "T1"}, Person("T1", "U1")),
        ({"user": {"id": "U1"}, "team": {"id": "T1"}}, Person("T1", "U1")),
        (
            {
                "user_id": "U1",
                "team_id": "T1",
                "enterprise_id": "E1",
                "is_enterprise_install": "true",
            },
            Person("E1", "U1"),
        ),
        (
            {
                "user": {"id": "U1"},
                "team": {"id": "T1"},
                "enterprise": {"id": "E1"},
                "is_enterprise_install": True,
            },
            Person("E1", "U1"),
        ),
        (
            {
                "user_id": "U1",
                "team_id": "T1",
                "enterprise_id": "E1",
                "is_enterprise_install": "false",
            },
            Person("T1", "U1"),
        ),
    ],
)
def test_person_of(body: dict[str, Any], person: Person) -> None:
    """Who acts is said by Slack's ids; in an organisation's install, under its enterprise."""
    assert person_of(body) == person


@pytest.mark.parametrize("body", [{}, {"user_id": "U1"}, {"team_id": "T1"}, {"user": {}}])
def test_nobody_is_nobody(body: dict[str, Any]) -> None:
    """Without both ids nobody's memories are touched."""
    with pytest.raises(InvalidNamespace):
        person_of(body)
