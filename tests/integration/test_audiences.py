"""Every kind of conversation × every way to see memory; nothing leaks."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from bot.acts.kinds import Position
from bot.locale import Localizer
from bot.panel.rows import PanelContent
from bot.panel.views import panel_view
from memory import MemoryTools, Person, PersonMessage, move_memory
from tests.integration.app import App
from tests.integration.messages import seen_at
from tests.integration.playground_slack import PersonThread
from tests.memories import put_memory

ACTS = 150
KINDS = ("dm", "public", "private", "mpim", "unknown")
# Asked in a conversation of this kind: what was said in which kind may be drawn on, wherever else
# it was said, and what in this very conversation.
ELSEWHERE = {
    "dm": set(KINDS),
    "public": {"public"},
    "private": {"public"},
    "mpim": {"public"},
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

    view = await seen_at(app.core, message)
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
    assert [m.audience for m in new] == [turn["audience"]]


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


@dataclass
class Crowd:
    """Forty people, their conversations, and who said which sentence where.

    A sentence is one word that nobody else uses. `heard` has the conversations in which its person
    has said it since they last moved its memory by a click, and where they moved it.
    """

    app: App
    chance: random.Random
    people: list[PersonThread] = field(default_factory=list)
    channels: dict[str, str] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    author: dict[str, str] = field(default_factory=dict)
    heard: dict[str, set[str]] = field(default_factory=dict)

    def places(self, user: PersonThread) -> list[str]:
        """Return where a person may write."""
        inside = [one for one, members in self.members.items() if user.user in members]
        return [user.channel, *inside]

    def place(self, user: PersonThread) -> PersonThread:
        """Return one of a person's conversations."""
        channel = self.chance.choice(self.places(user))
        return PersonThread(user.user, user.team, channel, "1.0", "1.0")

    def may_see(self, word: str, user: str, channel: str) -> bool:
        """Whether a person may be shown a word in a conversation."""
        if self.author[word] != user:
            return False
        kinds = {self.channels.get(one, one) for one in self.heard[word]}
        return (
            channel not in self.channels
            or channel in self.heard[word]
            or "public" in kinds
        )

    def foreign(self, shown: object, user: str, channel: str) -> set[str]:
        """Return the words in a text that must not be shown to a person in a conversation."""
        found = set(re.findall("word[0-9]+", json.dumps(shown, ensure_ascii=False)))
        return {one for one in found if not self.may_see(one, user, channel)}


@pytest.mark.slow
async def test_nobody_of_forty_is_shown_a_word_where_it_was_not_said(app: App) -> None:
    """Random statements, repetitions, moves, forgettings and deletions; prompts and panels."""
    crowd = Crowd(app, random.Random(29))
    for number in range(40):
        member, team = app.slack.person(name=f"Member {number}")
        channel = str(app.slack.say(member)["channel"])
        crowd.people.append(PersonThread(member, team, channel, "1.0", "1.0"))
    for number, kind in enumerate(["public", "private", "mpim"] * 4):
        inside = [
            crowd.people[(number * 3 + step * 7) % 40].user
            for step in range(15 if kind == "public" else 6)
        ]
        channel = app.slack.channel(kind, *inside)
        crowd.channels[channel] = kind
        crowd.members[channel] = set(inside)
    shown = 0
    for _ in range(ACTS):
        user = crowd.chance.choice(crowd.people)
        await _act(crowd, user)
        place = crowd.place(user)
        await app.ask(place, "What can I eat today, and what have I told you?")
        prompt = app.prompts()[-1]
        shown += "word" in json.dumps(prompt)
        assert crowd.foreign(prompt, user.user, place.channel) == set()
    assert shown > ACTS / 4
    for user in crowd.people:
        panel = await app.panel(app.person(user))
        assert (
            crowd.foreign(panel_view(Localizer("en"), panel), user.user, user.channel)
            == set()
        )


async def _act(crowd: Crowd, user: PersonThread) -> None:
    """Let a person say something new, repeat it elsewhere, move it, or delete the message."""
    app = crowd.app
    person = app.person(user)
    own = [word for word, author in crowd.author.items() if author == user.user]
    act = crowd.chance.choice(["say", "say", "say", "repeat", "move", "delete"])
    place = crowd.place(user)
    if act == "say" or not own:
        word = f"word{len(crowd.author)}"
        crowd.author[word] = user.user
        crowd.heard[word] = {place.channel}
    else:
        word = crowd.chance.choice(own)
    if act == "move":
        inside = crowd.places(user)[1:]
        private = [one for one in inside if crowd.channels[one] != "public"]
        target = crowd.chance.choice(["dm", "public", *private])
        for memory in await app.memories(person):
            words = re.findall("word[0-9]+", str(memory.content))
            if word in words and memory.audience != target:
                await move_memory(app.pool, app.embedder, person, memory.key, target)
                crowd.heard[word] = {target}
        return
    crowd.heard[word].add(place.channel)
    message = await app.ask(place, f"I love {word}")
    audience = app.turn(message)["audience"]
    await app.form_words(person.team_id, person.user_id, audience)
    if act == "delete":
        await app.change(message, None)
