"""Conversations that people of another organisation can read, and what those people do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.conversation.backfill import CATCH_UP, READ_MISSED, catch_up
from bot.listeners.interactions import KEEP_FOR_CHANNEL, REMEMBER_THIS
from bot.locale import say
from bot.panel.home import PUBLISH, publish_home
from memory import Person
from tests.integration.app import App, MakeApp, receiving
from tests.integration.playground_slack import PersonThread, PlaygroundSlack
from tests.memories import put_memory

pytestmark = pytest.mark.own_slack

SENTENCE = say("en", "shared_channel")
HIDDEN = {"told": False}
PENDING = {"pending": True}
ORG_SHARED = {"org_shared": True}


def remembered(app: App, person: Person, audience: str, food: str) -> None:
    """Store that the person likes a food, as it was said in an audience."""
    content = {"food_name": food}
    value = {"kind": "UserFoodPreference", "content": content, "sources": []}
    put_memory(app.database, person.namespace(audience), value)


def channel(app: App, kind: str, change: dict[str, bool], *people: str) -> str:
    """Return a new channel of a kind with the app in it, changed as Slack is to have it."""
    made = app.slack.channel(kind, *people)
    if change:
        app.slack.control("channels/update", {"channel": made, **change})
    return made


@pytest.fixture
async def slack_app(app: App) -> AsyncIterator[App]:
    """The app, to which the playground delivers."""
    async with receiving(app):
        yield app


async def do(app: App, path: str, **what: Any) -> Any:
    """Let somebody act in the playground; answer what the app then has to answer."""
    done = await asyncio.to_thread(app.slack.control, path, what)
    await asyncio.to_thread(app.slack.control, "settle", {"seconds": 50})
    waiting = app.rows("SELECT DISTINCT thread FROM messages WHERE ended_at IS NULL")
    for row in waiting:
        await app.answering.drain(row["thread"])
    return done


def from_app(app: App, user: str, place: str) -> list[dict[str, Any]]:
    """Return the app's messages in a conversation, as a person sees them."""
    seen = app.slack.seen(user, place)
    return [one for one in seen if one.get("user") == app.slack.bot_user_id]


def stored_texts(app: App, *words: str) -> list[str]:
    """Return which of the words stand anywhere in the database."""
    tables = app.rows(
        "SELECT format('%I.%I', table_schema, table_name) AS name"
        " FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
        " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
    )
    found: list[str] = []
    for table in tables:
        rows = app.rows(f"SELECT one::text AS row FROM {table['name']} AS one")
        found += [word for word in words if word in str(rows)]
    return found


@pytest.mark.parametrize(
    ("kind", "change", "seen"),
    [
        ("connect", {}, None),
        ("public", PENDING, None),
        ("private", PENDING, None),
        ("public", ORG_SHARED, {"publicstew"}),
        ("private", ORG_SHARED, {"publicstew", "ownstew"}),
        ("public", HIDDEN, {"ownstew"}),
        ("private", HIDDEN, {"ownstew"}),
    ],
)
async def test_what_is_asked_stored_and_seen(
    slack_app: App, kind: str, change: dict[str, bool], seen: set[str] | None
) -> None:
    """A shared channel (`seen` is None) has one sentence a day; others an answer to what they see.

    A channel of several workspaces of one organisation is as any other, and one of unknown kind
    sees its own.
    """
    app = slack_app
    user, _ = app.slack.person()
    person = Person(app.slack.team_id, user)
    place = channel(app, kind, change, user)
    for audience, food in (
        ("dm", "secretstew"),
        ("public", "publicstew"),
        (place, "ownstew"),
    ):
        remembered(app, person, audience, food)
    text = "<@BOT> Which stew do I like? I love Zanzibarstew."
    said = await do(app, "messages", user=user, channel=place, text=text)
    again = await do(app, "messages", user=user, channel=place, text=text)
    prompts = json.dumps(app.prompts())
    if seen is not None:
        shown = {
            food for food in ("secretstew", "publicstew", "ownstew") if food in prompts
        }
        assert shown == seen
        [row] = app.rows(
            "SELECT audience, words FROM messages WHERE ts = %s", said["ts"]
        )
        public = kind == "public" and change == ORG_SHARED
        assert row["audience"] == ("public" if public else place)
        assert "Zanzibarstew" in row["words"]
        return
    assert app.requests() == []
    [sentence] = from_app(app, user, place)
    assert (sentence["text"], sentence["thread_ts"]) == (SENTENCE, said["ts"])
    rows = app.rows(
        "SELECT ts, status, message, question, words, reply FROM messages ORDER BY ts"
    )
    ended = {
        "status": "skipped",
        "message": None,
        "question": "",
        "words": "",
        "reply": None,
    }
    assert rows == [{"ts": one["ts"], **ended} for one in (said, again)]
    assert stored_texts(app, "Zanzibar") == []
    assert app.formations(person) == []
    assert not app.slack.calls("conversations.replies", "conversations.history")


async def test_the_sentence_is_for_each_person_and_day(slack_app: App) -> None:
    """Each person reads it in their language, in one channel; the next day again."""
    app = slack_app
    ann, _ = app.slack.person()
    aya, _ = app.slack.person(locale="ja-JP", tz="Asia/Tokyo")
    places = [channel(app, "connect", {}, ann, aya) for _ in range(2)]
    for place in places:
        for user in (ann, aya, ann):
            await do(app, "messages", user=user, channel=place, text="<@BOT> hello")
    told = [one["text"] for one in from_app(app, ann, places[0])]
    assert told == [SENTENCE, say("ja", "shared_channel")]
    assert from_app(app, ann, places[1]) == []
    app.rows(
        "UPDATE person_settings SET told_at = told_at - interval '1 day' RETURNING 1"
    )
    await do(app, "messages", user=ann, channel=places[0], text="<@BOT> hello")
    assert len(from_app(app, ann, places[0])) == 3


async def test_an_attempt_after_another_one_says_it_once(slack_app: App) -> None:
    """What was posted before the process died is found, and not posted again."""
    app = slack_app
    user, _ = app.slack.person()
    place = channel(app, "connect", {}, user)
    app.slack.fault("chat.postMessage", drop="after", times=1)
    said = await do(app, "messages", user=user, channel=place, text="<@BOT> hello")
    assert [one["text"] for one in from_app(app, user, place)] == [SENTENCE]
    app.rows(
        "UPDATE messages SET ended_at = NULL, status = 'waiting', failures = 1,"
        " message = %s WHERE ts = %s RETURNING ts",
        json.dumps(_body(app, user, place, said["ts"])),
        said["ts"],
    )
    await app.answering.drain(f"{app.slack.team_id}.{place}.{said['ts']}")
    assert [one["text"] for one in from_app(app, user, place)] == [SENTENCE]


def _body(app: App, user: str, place: str, ts: str) -> dict[str, Any]:
    """Return a message as it is stored."""
    return {
        "team_id": app.slack.team_id,
        "user_id": user,
        "user_team_id": app.slack.team_id,
        "channel_id": place,
        "ts": ts,
        "thread_ts": ts,
        "text": "",
        "audience": None,
        "addressed": True,
        "is_shared": True,
    }


async def test_a_channel_that_is_shared_while_a_message_waits(slack_app: App) -> None:
    """The sentence takes the place of the interim reply; what was written is kept no longer."""
    app = slack_app
    user, _ = app.slack.person()
    place = channel(app, "public", {}, user)
    app.fault(status=500, times=-1)
    text = "<@BOT> I love Zanzibarstew"
    await do(app, "messages", user=user, channel=place, text=text)
    assert [one["text"] for one in from_app(app, user, place)] == [say("en", "held")]
    app.stand_in.call("/_model/faults", method="DELETE")
    asked = app.model_requests()
    await do(app, "channels/update", channel=place, shared=True)
    assert [one["text"] for one in from_app(app, user, place)] == [SENTENCE]
    assert app.model_requests() == asked
    assert stored_texts(app, "Zanzibar") == []


async def test_a_followed_thread_is_not_followed_once_it_is_shared(
    slack_app: App,
) -> None:
    """A reply without a mention, which was for the app before, is read by nobody any more."""
    app = slack_app
    user, _ = app.slack.person()
    place = channel(app, "public", {}, user)
    said = await do(app, "messages", user=user, channel=place, text="<@BOT> hello")
    await do(app, "channels/update", channel=place, shared=True)
    thread = {"user": user, "channel": place, "thread_ts": said["ts"]}
    await do(app, "messages", **thread, text="I love Zanzibarstew")
    assert len(app.rows("SELECT ts FROM messages")) == 1
    assert len(from_app(app, user, place)) == 1
    assert stored_texts(app, "Zanzibar") == []


@pytest.mark.parametrize("mentions_before", [True, False])
async def test_an_edit_in_a_shared_channel(
    slack_app: App, mentions_before: bool
) -> None:
    """The new text is not stored, and an edit that mentions the app is told as a mention is."""
    app = slack_app
    user, _ = app.slack.person()
    place = channel(app, "connect", {}, user)
    text = "<@BOT> hello" if mentions_before else "hello"
    said = await do(app, "messages", user=user, channel=place, text=text)
    where = {"user": user, "channel": place, "ts": said["ts"]}
    mention = f"<@{app.slack.bot_user_id}> I love Zanzibarstew"
    await do(app, "messages/edit", **where, text=mention)
    assert [one["text"] for one in from_app(app, user, place)] == [SENTENCE]
    await do(app, "messages/delete", **where)
    assert app.requests() == []
    assert stored_texts(app, "Zanzibar") == []


@pytest.mark.parametrize("text", [None, "<@BOT> I love natto"])
async def test_what_was_said_before_follows_its_message(
    slack_app: App, text: str | None
) -> None:
    """Its memory goes with an edit or deletion in a channel that is shared now; none is formed."""
    app = slack_app
    place = app.slack.place(channel="public")
    # The event comes as Slack sends it, so the message is not stored a second time here.
    words = f"<@{app.slack.bot_user_id}> I love ramen"
    said = await do(app, "messages", user=place.user, channel=place.channel, text=words)
    ts = said["ts"]
    message = app.slack.message(place, ts=ts, thread_ts=ts, text=words)
    assert len(await app.form(message, "public")) == 1
    app.slack.control("channels/update", {"channel": place.channel, "shared": True})
    where = {"user": place.user, "channel": place.channel, "ts": message.ts}
    if text is None:
        await do(app, "messages/delete", **where)
    else:
        edited = text.replace("<@BOT>", f"<@{app.slack.bot_user_id}>")
        await do(app, "messages/edit", **where, text=edited)
    await app.follow_changes()
    assert await app.memories(message.person) == []
    assert stored_texts(app, "natto") == []


async def test_what_is_private_stays_usable_and_nothing_is_kept(
    slack_app: App,
) -> None:
    """The list is shown to its person; shortcuts on a message are refused with the sentence."""
    app = slack_app
    user, team = app.slack.person()
    person = Person(app.slack.team_id, user)
    remembered(app, person, "dm", "ramen")
    for kind, change in (("connect", {}), ("public", PENDING)):
        place = channel(app, kind, change, user)
        words = {"user": user, "channel": place, "text": "I love natto"}
        said = await do(app, "messages", **words)
        where = PersonThread(user, team, place, said["ts"], said["ts"])
        shown = await app.interface.type_command(person, place, "/memories", "")
        assert "ramen" in json.dumps(shown.form)
        for shortcut in (REMEMBER_THIS, KEEP_FOR_CHANNEL):
            refused = await app.interface.point_at(where, person, shortcut)
            assert refused.line == SENTENCE
    assert app.requests() == []
    assert stored_texts(app, "natto") == []


@pytest.mark.parametrize("enterprise", ["", "E0HERE"])
async def test_nothing_that_people_of_another_organisation_do_is_answered(
    make_app: MakeApp, slack: PlaygroundSlack, enterprise: str
) -> None:
    """Their mentions, direct messages, commands, shortcuts, clicks and Home are acknowledged."""
    slack.belong_to(enterprise)
    app = await make_app()
    async with receiving(app):
        user, _ = app.slack.person(external=True)
        ann, _ = app.slack.person()
        place = channel(app, "connect", {}, user, ann)
        by = {"user": user, "channel": place}
        said = await do(app, "messages", **by, text="<@BOT> I love Zanzibarstew")
        edited = f"<@{app.slack.bot_user_id}> I love Zanzibarsoup"
        await do(app, "messages/edit", **by, ts=said["ts"], text=edited)
        await do(app, "messages", user=ann, channel=place, text="<@BOT> hello")
        if not enterprise:
            await do(
                app, "messages", user=user, channel="dm", text="I love Zanzibarstew"
            )
        [below] = from_app(app, ann, place)
        for command in ("/memories", "/forget"):
            await do(app, "commands", **by, command=command, text="")
        await do(app, "shortcuts", **by, ts=said["ts"], callback_id=REMEMBER_THIS)
        await do(app, "shortcuts", **by, ts=below["ts"], callback_id=REMEMBER_THIS)
        await do(app, "home/open", user=user)
        for job in app.take_jobs(PUBLISH):
            await publish_home(app.core, **job)
        assert app.slack.control(f"home?user={user}")["view"] is None
        assert app.slack.control(f"views?user={user}")["views"] == []
        assert from_app(app, user, "dm") == []
        assert from_app(app, user, place) == [below]
        assert app.requests() == []
        assert app.rows("SELECT 1 FROM messages WHERE user_id = %s", user) == []
        assert app.rows("SELECT 1 FROM person_settings WHERE user_id = %s", user) == []
        assert stored_texts(app, "Zanzibar") == []


async def test_people_of_the_same_enterprise_are_no_others(
    make_app: MakeApp, slack: PlaygroundSlack
) -> None:
    """Somebody of another of its workspaces is answered, clicks, and has a Home."""
    slack.belong_to("E0HERE")
    app = await make_app()
    async with receiving(app):
        user, team = app.slack.person(team="T0SISTER")
        assert team == "T0SISTER"
        place = channel(app, "public", ORG_SHARED, user)
        await do(app, "messages", user=user, channel=place, text="<@BOT> hello")
        [answer] = from_app(app, user, place)
        assert answer["text"] != SENTENCE
        shown = await do(
            app, "commands", user=user, channel=place, command="/memories", text=""
        )
        assert shown["ok"]
        assert app.slack.control(f"views?user={user}")["views"]
        await do(app, "home/open", user=user)
        for job in app.take_jobs(PUBLISH):
            await publish_home(app.core, **job)
        assert app.slack.control(f"home?user={user}")["view"]


async def test_a_group_message_with_somebody_of_another_organisation(
    slack_app: App,
) -> None:
    """It is a shared conversation as any other; so is a direct message that Slack calls so."""
    app = slack_app
    ann, _ = app.slack.person()
    other, _ = app.slack.person(external=True)
    group = channel(app, "mpim", {"shared": True}, ann, other)
    await do(app, "messages", user=ann, channel=group, text="<@BOT> hello")
    await do(app, "messages", user=other, channel=group, text="<@BOT> hello")
    assert [one["text"] for one in from_app(app, other, group)] == [SENTENCE]
    assert app.requests() == []
    aya, _ = app.slack.person()
    direct = app.slack.control(f"channels/dm/messages?user={aya}")["channel"]
    app.slack.control("channels/update", {"channel": direct, "shared": True})
    await do(app, "messages", user=aya, channel=direct, text="hello")
    assert [one["text"] for one in from_app(app, aya, direct)] == [SENTENCE]
    assert app.requests() == []


async def test_after_an_outage_a_shared_channel_is_not_read(app: App) -> None:
    """Whatever was missed there: neither the channel nor a thread of it has a job that reads."""
    user, _ = app.slack.person()
    shared = [channel(app, "connect", {}, user), channel(app, "public", PENDING, user)]
    await catch_up(app.core, app.slack.team_id, "0")
    read = {job["channel"] for job in app.take_jobs(READ_MISSED)}
    assert read.isdisjoint(shared)
    assert not app.take_jobs(CATCH_UP)
