"""Every kind of conversation × every way to see memory; nothing leaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from bot.conversation.audiences import view_of_message
from bot.conversation.inbox import store_message
from bot.listeners.events import handle_event
from bot.listeners.interactions import person_of
from bot.locale import Localizer
from bot.slack.client import SlackApi
from bot.slack.messages import read_message, user_key
from bot.ui.acts import Position
from bot.ui.panel import PanelContent, panel_view
from memory import DM, MemoryTools, Person, PersonMessage, move_memory
from tests.integration.app import App
from tests.integration.messages import LATER
from tests.integration.playground_slack import PersonThread
from tests.memories import put_memory

KINDS = ("dm", "public", "private", "mpim", "connect", "unknown")
# Asked in a conversation of this kind: what was said in which kind may be drawn on, wherever else
# it was said, and what in this very conversation.
ELSEWHERE = {
    "dm": set(KINDS),
    "public": {"public"},
    "private": {"public"},
    "mpim": {"public"},
    "connect": set[str](),
    "unknown": set[str](),
}


@dataclass(frozen=True)
class Case:
    """Somebody with a memory from each kind of conversation asks in one."""

    app: App
    asked: str
    place: PersonThread
    other: PersonThread
    seen: frozenset[str]
    keys: dict[str, str]

    @property
    def person(self) -> Person:
        """Who asks."""
        return Person(self.app.slack.team_id, self.place.user)

    @property
    def bystander(self) -> Person:
        """Somebody else in the same conversation."""
        return Person(self.app.slack.team_id, self.other.user)

    async def panel(
        self, person: Person, position: Position | None = None
    ) -> PanelContent:
        """Return what a person's panel shows."""
        return await self.app.panel(person, position)

    def shows(self, what: object) -> set[str]:
        """Return which of the memories a text or payload tells of, by where each was said."""
        text = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
        return {said for said in self.keys if dish(said) in text}


def dish(said: str) -> str:
    """Return the food that was named in a kind of conversation."""
    return f"{said}stew"


def conversation(app: App, kind: str, user: str, other: str) -> str:
    """Return a new conversation of a kind; Slack will not say what an unknown one is."""
    if kind == "dm":
        return str(app.slack.say(user)["channel"])
    return app.slack.channel("public" if kind == "unknown" else kind, user, other)


def remembered(app: App, person: Person, audience: str, food: str) -> str:
    """Store a memory; return its key."""
    value = {
        "kind": "UserFoodPreference",
        "content": {"food_name": food},
        "sources": [],
    }
    return put_memory(app.database, person.namespace(audience), value)


@pytest.fixture(
    params=[(kind, same) for kind in KINDS for same in (True, False)], ids=str
)
def case(app: App, request: pytest.FixtureRequest) -> Iterator[Case]:
    """Ask where something was said, or in another conversation of that kind."""
    asked, same = request.param
    user, team = app.slack.person()
    other, other_team = app.slack.person()
    person = Person(app.slack.team_id, user)
    channels = {kind: conversation(app, kind, user, other) for kind in KINDS}
    audiences = {**channels, "dm": "dm", "public": "public"}
    keys = {
        kind: remembered(app, person, audiences[kind], dish(kind)) for kind in KINDS
    }
    channel = channels[asked] if same else conversation(app, asked, user, other)
    if asked == "unknown":
        app.slack.fault("conversations.info", error="channel_not_found", times=None)
    place = PersonThread(user, team, channel, "1.0", "1.0")
    elsewhere = PersonThread(other, other_team, channel, "1.0", "1.0")
    if asked == "dm":
        elsewhere = PersonThread(
            other, other_team, conversation(app, "dm", other, user), "1.0", "1.0"
        )
    seen = ELSEWHERE[asked] | ({asked} if same else set())
    yield Case(app, asked, place, elsewhere, frozenset(seen), keys)
    app.slack.clear()


async def test_the_prompt_and_the_tools_of_a_reply(case: Case) -> None:
    """They see just the same."""
    app = case.app
    message = await app.ask(
        case.place, "What can I eat today, and what have I told you?"
    )
    prompt = app.prompts()[-1]
    assert case.shows(prompt) == case.seen

    view = await view_of_message(app.core, message)
    words = PersonMessage(
        text="forget all the stews", channel=case.place.channel, ts=message.ts
    )
    tools = MemoryTools(app.core.former, view, words)
    found = await tools.call("memory_search", {"query": "stew"})
    assert case.shows(found) == case.seen
    for said, key in case.keys.items():
        given = {"action": "delete", "evidence": "forget all the stews", "id": key}
        deleted = await tools.call("memory_change", given)
        assert ("error" in deleted) == (said not in case.seen)


async def test_formation_sees_and_writes_no_more(case: Case) -> None:
    """What forms memories is shown what a reply there sees, and writes to its own audience."""
    app = case.app
    message = await app.ask(case.place, "I love goulash")
    turn = app.turn(message)
    app.stand_in.call("/_model/journal", method="DELETE")
    await app.form_words(case.person.team_id, case.person.user_id, turn["audience"])
    requests = app.stand_in.call("/_model/journal")["entries"]
    shown = [entry["body"] for entry in requests if entry["kind"] != "reply"]
    assert "goulash" in json.dumps(shown)
    assert case.shows(shown) == case.seen
    new = [m for m in await app.memories(case.person) if "goulash" in str(m.content)]
    elsewhere = () if turn["audience"] == DM else (turn["audience"],)
    assert [m.audiences for m in new] == [elsewhere]


async def test_lists_notices_and_history_are_for_one(case: Case) -> None:
    """What shows everything is for the person alone, wherever they ask; nobody else gets it."""
    app = case.app
    mine = panel_view(Localizer("en"), await case.panel(case.person))
    assert case.shows(mine) == set(KINDS)
    for position in (Position(), Position(of="stew"), Position(list="changes")):
        theirs = await case.panel(case.bystander, position)
        assert (list(theirs.memories), list(theirs.changes)) == ([], [])

    message = await app.ask(case.place, "I love goulash")
    await app.form(message, app.turn(message)["audience"])
    notice = "Remembered: "
    seen = await _seen(app, case.place)
    assert [m for m in seen if notice in m]
    assert case.shows("\n".join(m for m in seen if notice in m)) <= case.seen
    if case.asked != "dm":
        assert not [m for m in await _seen(app, case.other) if notice in m]

    turn = app.turn(message)["id"]
    shown = Position(list="changes")
    made = (await case.panel(case.person, shown)).changes
    assert [one.batch for one in made].count(turn) == 1
    assert list((await case.panel(case.bystander, shown)).changes) == []


async def _seen(app: App, place: PersonThread) -> list[str]:
    messages = app.slack.seen(place.user, place.channel)
    return [json.dumps(m) for m in messages if m.get("user") == app.slack.bot_user_id]


async def test_a_person_widens_and_narrows(app: App) -> None:
    """What is moved is drawn on where its person said, Slack Connect included, and nowhere else."""
    user, team = app.slack.person()
    person = Person(app.slack.team_id, user)
    partner, secret = (
        app.slack.channel("connect", user),
        app.slack.channel("private", user),
    )
    general = app.slack.channel("public", user)
    key = remembered(app, person, "dm", dish("dm"))
    for audience, seen in (
        (partner, {partner}),
        ("public", {general, secret}),
        (secret, {secret}),
        ("dm", set[str]()),
    ):
        await move_memory(app.pool, app.embedder, person, key, audience)
        for channel in (partner, secret, general):
            await app.ask(
                PersonThread(user, team, channel, "1.0", "1.0"), "What can I eat?"
            )
            assert (dish("dm") in json.dumps(app.prompts()[-1])) == (channel in seen)


@pytest.mark.failed_calls(
    "chat.startStream: team_not_found",
    because="The playground has the id in one organisation.",
)
async def test_the_same_id_in_two_organisations_is_two_people(app: App) -> None:
    """Messages and clicks of a person of another organisation reach no row of the local one."""
    place = app.slack.place()
    local = await app.ask(place, "I love ramen")
    assert [one["food_name"] for one in await app.form(local)] == ["ramen"]
    channel, home = app.slack.channel("connect", place.user), "T0OTHER0001"
    posted = app.slack.say(place.user, channel, "<@BOT> I love natto")
    event = {
        "type": "app_mention",
        "user": place.user,
        "channel": channel,
        "ts": posted["ts"],
    }
    event |= {
        "text": f"<@{app.slack.bot_user_id}> I love natto",
        "team": home,
        "user_team": home,
    }
    app.slack.forget_calls()
    body = {
        "type": "event_callback",
        "team_id": app.slack.team_id,
        "event_id": "EvOther",
        "is_ext_shared_channel": True,
        "event": event,
    }
    here = await app.core.slack.get(app.slack.team_id)
    foreign = read_message(body, here)
    assert foreign is not None
    assert await store_message(app.core, foreign)
    await app.answering.drain(foreign.thread)
    assert "ramen" not in json.dumps(app.prompts()[-1])
    assert [one["food_name"] for one in await app.form(foreign, channel)] == ["natto"]
    assert [one.content["food_name"] for one in await app.memories(local.person)] == [
        "ramen"
    ]
    [*_, streamed] = app.slack.calls("chat.startStream", "chat.postMessage")
    assert streamed["args"].get("recipient_user_id", place.user) == place.user
    user, team = {"id": place.user}, {"id": app.slack.team_id}
    for home_team, person in (
        (home, foreign.person),
        (app.slack.team_id, local.person),
    ):
        assert (
            person_of({"user": {**user, "team_id": home_team}, "team": team}, here)
            == person
        )
    assert (
        person_of({"user_id": place.user, "team_id": app.slack.team_id}, here)
        == local.person
    )


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.failed_calls(
    "auth.teams.list: internal_error", because="Slack names no workspace."
)
async def test_only_the_workspaces_that_slack_names_are_of_the_organisation(
    app: App, fails: bool
) -> None:
    """A click from a workspace of another organisation, or of one not known, is another person's.

    Slack is asked once, and not by an installation that is of no organisation.
    """
    app.slack.control("settings", {"organisation": ["T0SISTER"]})
    slack = app.core.slack
    local = await slack.get(app.slack.team_id)
    assert local.organisation == frozenset()
    app.slack.forget_calls()
    if fails:
        app.slack.fault("auth.teams.list", error="internal_error")
    grid = SlackApi(replace(local, enterprise_id="E1"), base_url=slack.base_url)
    for _ in range(3):
        here = await grid.get(local.team_id)
    assert len(app.slack.calls("auth.teams.list")) == 1
    homes = ("", local.team_id, "E1", "T0SISTER", "T0OTHER", "E0OTHER")
    keys = [user_key("U1", home, here) for home in homes]
    assert keys[:3] == ["U1"] * 3
    assert keys[3] == ("U1-T0SISTER" if fails else "U1")
    assert keys[4:] == ["U1-T0OTHER", "U1-E0OTHER"]


@pytest.mark.failed_calls(
    "chat.startStream: team_not_found", because="The playground has no enterprise."
)
async def test_in_an_enterprise_an_edit_while_memory_is_off_is_not_kept(
    app: App,
) -> None:
    """A message and its edit are of one person: the enterprise is known of the installation."""
    place, wired = app.slack.place(channel="connect"), app.core
    here = replace(await wired.slack.get(app.slack.team_id), enterprise_id="E1")
    grid = replace(
        wired,
        slack=SlackApi(here, base_url=wired.slack.base_url),
    )
    body = {
        "type": "event_callback",
        "team_id": here.team_id,
        "is_ext_shared_channel": True,
    }
    said = {
        "type": "message",
        "channel": place.channel,
        "user": place.user,
        "user_team": "E1",
    }
    said |= {"ts": place.root, "text": f"<@{here.bot_user_id}> I love ramen"}
    await handle_event(grid, {**body, "event_id": "Ev1", "event": said})
    [row] = app.rows("SELECT user_id, thread FROM messages")
    assert row["user_id"] == place.user
    await app.answering.drain(row["thread"])
    await app.off(place)
    edit = {
        "type": "message",
        "subtype": "message_changed",
        "channel": place.channel,
        "ts": LATER,
    }
    now = {
        "message": {**said, "text": f"{said['text']} and natto"},
        "previous_message": said,
    }
    await handle_event(grid, {**body, "event_id": "Ev2", "event": {**edit, **now}})
    [row] = app.rows("SELECT question, words FROM messages")
    assert "natto" not in f"{row}"
