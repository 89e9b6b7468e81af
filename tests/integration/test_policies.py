"""What operators allow: enforced before anything is read or written, in each workspace."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from bot.locale import say
from bot.pipeline.sources import UPDATE_FROM_MESSAGE, UPDATE_FROM_TURN
from bot.runtime.maintenance import end_what_is_old
from bot.types import Policy
from bot.users.profiles import Policies, policy_of
from memory import PUBLIC, Embedder, Person, Pool, add_memory, list_memories
from tests.conftest import owner_rows
from tests.integration.app import App, MakeApp
from tests.integration.playground_slack import PersonThread, PlaygroundSlack
from tests.kioku_process import ended

# One migrated database for all of these tests; each has people, and mostly a team, of its own.
pytestmark = pytest.mark.one_database


def nothing_is_kept(app: App, person: str) -> None:
    """Check that no text of the person's is stored."""
    assert app.rows("SELECT id FROM turns WHERE user_id = %s", person) == []
    bodies = app.rows("SELECT message FROM inbox_events WHERE user_id = %s", person)
    assert bodies
    assert all(row["message"] is None for row in bodies)


def told(app: App, place: PersonThread) -> list[str]:
    """Return the calls with which a sentence was put in front of somebody, and their texts."""
    made = app.slack.calls("chat.postMessage", "chat.postEphemeral", "chat.startStream")
    return [
        f"{call['method']} {call['args'].get('text', '')}"
        for call in made
        if call["args"]["channel"] == place.channel
    ]


async def test_guests_are_off_by_default(app: App) -> None:
    """A guest is told so for each direct message, and nothing is kept."""
    place = app.slack.place(is_restricted=True)
    for _ in range(2):
        await app.ask(place, "I like ramen")
    assert told(app, place) == [f"chat.postMessage {say('en', 'policy_guest')}"] * 2
    nothing_is_kept(app, place.user)
    assert not any("ramen" in prompt for prompt in app.request_texts())


async def test_guests_can_be_let_in_all_or_one(make_app: MakeApp) -> None:
    """With guests on all of them are answered; with them off, those who are named."""
    opened = await make_app(allow_guests=True)
    place = opened.slack.place(is_restricted=True)
    assert opened.turn(await opened.ask(place, "Hello"))["reply"]
    named = await make_app(allowed_users=frozenset({place.user}))
    assert named.turn(await named.ask(place, "Hello again"))["reply"]


async def test_a_guest_becomes_a_member(app: App) -> None:
    """What Slack reports of a person counts from then on."""
    place = app.slack.place(is_restricted=True)
    await app.ask(place, "Hello")
    member = {"id": place.user, "locale": "en-US", "tz": "UTC", "is_restricted": False}
    await app.wiring.profiles.changed(app.person(place), member)
    assert app.turn(await app.ask(place, "Hello again"))["reply"]


async def test_who_is_not_named_is_not_answered(make_app: MakeApp) -> None:
    """Where people are named, nobody else is answered; in a channel only they see why, once."""
    app = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    place = app.slack.place(channel="public")
    for text in ("<@BOT> hello", "<@BOT> again"):
        await app.ask(place, text)
    assert told(app, place) == [f"chat.postEphemeral {say('en', 'policy_person')}"]
    nothing_is_kept(app, place.user)
    direct = app.slack.place()
    await app.ask(direct, "Hello")
    assert told(app, direct) == [f"chat.postMessage {say('en', 'policy_person')}"]


@pytest.mark.parametrize("in_thread", [False, True], ids=["alone", "in a thread"])
async def test_a_refused_mention_is_seen_by_its_author(make_app: MakeApp, in_thread: bool) -> None:
    """Beside a message without replies, else in its thread; nobody else sees the refusal."""
    app = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    place = app.slack.place(channel="public")
    other, _ = app.slack.person()
    app.slack.control("channels/update", {"channel": place.channel, "add": [other]})
    more = {"thread_ts": place.root} if in_thread else {}
    await app.ask(place, "<@BOT> hello", **more)

    def refusals(user: str) -> list[str | None]:
        seen = app.slack.control(f"channels/{place.channel}/messages?as={user}")["messages"]
        text = say("en", "policy_person")
        return [one.get("thread_ts") for one in seen if one["text"] == text]

    assert refusals(place.user) == [more.get("thread_ts")]
    assert refusals(other) == []


async def test_channels_that_are_not_listed_are_closed(
    make_app: MakeApp, slack: PlaygroundSlack
) -> None:
    """In another channel the person alone is told; listed ones and direct messages are open."""
    opened, closed = slack.place(channel="public"), slack.place(channel="private")
    direct = slack.place()
    app = await make_app(allowed_channels=frozenset({opened.channel}))
    for place in (opened, direct):
        assert app.turn(await app.ask(place, "<@BOT> hello"))["reply"]
    asked = await app.ask(closed, "<@BOT> hello")
    assert told(app, closed) == [f"chat.postEphemeral {say('en', 'policy_place')}"]
    nothing_is_kept(app, closed.user)
    assert not app.slack.calls("conversations.replies")
    said = app.slack.say(closed.user, closed.channel, "and more", thread_ts=asked.ts)
    ts, root = said["ts"], asked.thread_ts
    more = app.slack.message(
        closed, event_id="EvMORE", ts=ts, thread_ts=root, text="and more", addressed=False
    )
    assert await app.wiring.inbox.store(more)
    app.rows("UPDATE notices SET expires_at = now() - interval '1 day' RETURNING kind")
    await app.answering.drain(more.thread)
    assert len(told(app, closed)) == 1
    nothing_is_kept(app, closed.user)


async def test_who_waits_for_an_answer_is_told_that_none_comes(make_app: MakeApp) -> None:
    """The refusal takes the place of the interim reply, and what was said is kept no longer."""
    app = await make_app()
    place = app.slack.place(channel="public")
    app.fault(status=500, times=-1)
    asked = await app.ask(place, "<@BOT> I like ramen")
    assert app.replies(asked) == [say("en", "held_down")]
    closed = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    await closed.answering.drain(asked.thread)
    assert app.replies(asked) == [say("en", "policy_person")]
    assert not app.slack.calls("chat.postEphemeral")
    turn = app.turn(asked)
    assert (turn["status"], turn["question"], turn["words"]) == ("answered", "", "")
    assert app.event(asked)["status"] == "done"
    assert app.formations(asked.person) == []


async def test_a_refusal_that_slack_refuses_ends_all_the_same(make_app: MakeApp) -> None:
    """Where the sentence cannot be shown, the message is handled and nothing is kept."""
    app = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    place = app.slack.place()
    app.slack.fault("chat.postMessage", error="is_archived")
    await app.ask(place, "Hello")
    nothing_is_kept(app, place.user)


async def test_what_is_theirs_stays_theirs(make_app: MakeApp, embedder: Embedder) -> None:
    """Whose use has ended can see, export and forget; nothing is added or imported."""
    app = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    person = Person(app.slack.team_id, app.slack.person()[0])
    content = {"food_name": "soba", "preference": 80}
    source = {"kind": "command", "evidence": "soba"}
    await add_memory(
        app.pool, embedder, person.namespace("dm"), "UserFoodPreference", content, source
    )
    commands = app.wiring.slash_commands
    assert "soba" in (await commands.memories(person, "en", "", ""))["text"]
    assert "soba" in (await commands.forget(person, "en", "soba", ""))["text"]
    refusal = say("en", "policy_person")
    assert (await commands.memories(person, "en", "add I live in Osaka", ""))["text"] == refusal
    said = {"user": person.user_id, "ts": "1.0", "text": "I live in Osaka"}
    pointed = app.wiring.slash_commands.adding.pointed_at
    assert (await pointed(person, "en", channel="C1", message=said))["text"] == refusal
    assert len(await list_memories(app.pool, person)) == 1


@pytest.mark.parametrize("formed", [False, True])
@pytest.mark.parametrize(
    "policy",
    [{"allowed_users": frozenset({"U0NOBODY"})}, {"allowed_channels": frozenset({"C0NONE"})}],
    ids=["person", "channel"],
)
async def test_an_edit_by_whom_it_is_closed_to_is_not_remembered(
    make_app: MakeApp, policy: dict[str, Any], formed: bool
) -> None:
    """What an earlier message does not say any more goes; its new words are kept nowhere."""
    app = await make_app()
    said = await app.ask(app.slack.place(channel="public"), "I love ramen. I love sushi.")
    if formed:
        assert len(await app.form(said, PUBLIC)) == 2
    closed = await make_app(**policy)
    where = {"user": said.user_id, "channel": said.channel_id, "ts": said.ts}
    text = "I love ramen. I love natto."
    app.slack.control("messages/edit", {**where, "text": text})
    before = {"type": "message", "user": said.user_id, "text": said.text, "ts": said.ts}
    changed: dict[str, Any] = {"message": {**before, "text": text}, "previous_message": before}
    changed |= {"type": "message", "subtype": "message_changed", "channel": said.channel_id}
    event = {**changed, "ts": f"{time.time():.6f}"}
    await closed.changes.note({"team_id": said.team_id, "event_id": "EvEDIT", "event": event})
    updates = closed.wiring.source_updates
    for job in app.take_jobs(UPDATE_FROM_TURN):
        await updates.update_from_turn(**job)
    for job in app.take_jobs(UPDATE_FROM_MESSAGE):
        await updates.update_from_message(**job)
    turn = app.turn(said)
    assert (turn["question"], turn["words"], turn["reply"]) == ("", "", None)
    names = [one["food_name"] for one in await closed.form(said, PUBLIC)]
    assert names == (["ramen"] if formed else [])


async def test_a_workspace_chooses_over_the_settings(pool: Pool) -> None:
    """What a workspace chose takes the place of the settings, one by one, in that one only."""
    installation = Policy(channels=frozenset({"C1"}), retention_days=30)
    policies = Policies(pool, installation)
    chosen = {"channels": [], "guests": True, "web_search": False}
    await policies.choose("TOWN", chosen, by="test")
    assert await policies.applies("TOWN") == Policy(
        guests=True, web_search=False, retention_days=30
    )
    assert await policies.applies("TOTHER") == installation
    assert not await policies.web_search("TOWN")
    await policies.choose("TOWN", {}, by="test")
    assert await policies.applies("TOWN") == installation


async def test_a_policy_is_read_once_in_half_a_minute(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica follows another one's change, but does not ask for each message."""
    here, there = Policies(pool, Policy()), Policies(pool, Policy())
    assert not (await here.applies("TREP")).guests
    await there.choose("TREP", {"guests": True}, by="test")
    assert not (await here.applies("TREP")).guests
    now = time.monotonic()
    monkeypatch.setattr("bot.users.profiles.time.monotonic", lambda: now + 31.0)
    assert (await here.applies("TREP")).guests


async def test_web_search_is_offered_where_it_is_allowed(app: App) -> None:
    """The model is given the search tool in a workspace that allows it, and not in another."""
    place = app.slack.place()
    await app.ask(place, "Hello")
    await app.wiring.policies.choose(app.slack.team_id, {"web_search": False}, by="test")
    try:
        await app.ask(place, "Hello again")
    finally:
        await app.wiring.policies.choose(app.slack.team_id, {}, by="test")
    entries = app.stand_in.call("/_model/journal")["entries"]
    bodies = [e["body"] for e in entries if e["endpoint"] == "responses" and e["kind"] == "reply"]
    first, second = ([tool["name"] for tool in body["tools"]] for body in bodies[-2:])
    assert "search_web" in first
    assert "search_web" not in second


async def test_a_workspace_keeps_things_as_long_as_it_chose(
    pool: Pool, embedder: Embedder, database: str
) -> None:
    """Its own days count in place of the installation's; a person may choose fewer, not more."""
    content = {"food_name": "soba", "preference": 80}
    people = [Person(team, "U1") for team in ("TSHORT", "TLONG", "TUSUAL")]
    for person in people:
        await add_memory(
            pool,
            embedder,
            person.namespace("dm"),
            "UserFoodPreference",
            content,
            {"kind": "command", "evidence": "soba"},
        )
    owner_rows(
        database,
        "UPDATE store SET updated_at = now() - interval '50 days'"
        " WHERE prefix ~ '^chat.T(SHORT|LONG|USUAL)'",
    )
    assert (Policy().retention_days_for(None), Policy().retention_days_for(5)) == (None, 5)
    month = Policy(retention_days=30)
    assert (
        month.retention_days_for(None),
        month.retention_days_for(5),
        month.retention_days_for(90),
    ) == (30, 5, 30)
    policies = Policies(pool, Policy())
    await policies.choose("TSHORT", {"retention_days": 40}, by="test")
    await policies.choose("TLONG", {"retention_days": 100}, by="test")
    await end_what_is_old(pool, None)
    assert [len(await list_memories(pool, person)) for person in people] == [0, 1, 1]
    await end_what_is_old(pool, 30)
    assert [len(await list_memories(pool, person)) for person in people] == [0, 1, 0]


async def test_the_command_shows_sets_and_clears(pool: Pool, database: str, tmp_path: Path) -> None:
    """`kioku policy` prints what applies and where from; what is not named stays."""
    team = ("--team", "TCLI")

    def kioku(*words: str) -> tuple[int, list[str]]:
        done = ended(tmp_path, "policy", *words, DATABASE_URL=database, KIOKU_ALLOW_GUESTS="on")
        return done.code, (done.out or done.err).splitlines()

    assert kioku("show", *team) == (
        0,
        [
            "Channels:    direct messages and every channel (the settings)",
            "People:      everybody (the settings)",
            "Guests:      on (the settings)",
            "Web search:  on (the settings)",
            "Kept for:    as long as people keep it (the settings)",
        ],
    )
    kioku("set", *team, "--channels", "C0999,C0123", "--guests", "off")
    code, lines = kioku("set", *team, "--web-search", "off", "--retention-days", "90")
    assert (code, lines[0], lines[2:]) == (
        0,
        "Channels:    direct messages and C0123, C0999 (this workspace)",
        [
            "Guests:      off (this workspace)",
            "Web search:  off (this workspace)",
            "Kept for:    90 days at most (this workspace)",
        ],
    )
    code, lines = kioku("set", *team, "--guests", "default", "--channels", "all")
    assert lines[0] == "Channels:    direct messages and every channel (this workspace)"
    assert lines[2] == "Guests:      on (the settings)"
    assert kioku("set", *team)[0] == kioku("show", "--team", "x")[0] == 2
    assert kioku("set", *team, "--people", "@ann") == (
        2,
        [
            "kioku: --people takes ids of people, such as U0123ABCD,U0456EFGH; `all`, `default`.",
        ],
    )
    kioku("clear", *team)
    assert await Policies(pool, Policy()).chosen("TCLI") == {}


def test_the_settings_are_the_policy_of_all() -> None:
    """Each of them is a setting."""
    settings = Settings(
        allowed_channels=frozenset({"C1"}),
        allowed_users=frozenset({"U1"}),
        allow_guests=True,
        web_search=False,
        retention_days=7,
    )
    assert policy_of(settings) == Policy(
        channels=frozenset({"C1"}),
        people=frozenset({"U1"}),
        guests=True,
        web_search=False,
        retention_days=7,
    )


async def test_settings_tell_how_long_things_are_kept_in_fact(make_app: MakeApp) -> None:
    """Where the operator keeps things for less than a person chose, their settings say so."""
    app = await make_app(retention_days=30)
    person = Person(app.slack.team_id, app.slack.person()[0])
    await app.wiring.controls.choose(person, retention_days=90)
    shown = await app.wiring.controls.settings_shown(person, "en")
    period = say("en", "settings_kept_days", count=30)
    assert say("en", "settings_kept", period=period) in str(shown)
