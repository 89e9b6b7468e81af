"""Memory switched off: no read and no write, by the prompt sent to the model and by the tables."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from bot.acts.kinds import Forget, Open, Switch
from bot.answering.edits import follow_change
from bot.answering.tools import Toolbox
from bot.conversation.channels import change_channel
from bot.conversation.inbox import take_message
from bot.conversation.turns import begin_turn
from bot.data.person import erase_person
from bot.forgetting.forgetting import forget_selection
from bot.listeners.interactions import KEEP_FOR_CHANNEL
from bot.locale import Localizer, say
from bot.off.switches import change_settings, turn_off, turn_on
from bot.people import Choices
from bot.runtime.ask import answer
from bot.slack.messages import Message
from memory import Person, Selection, list_changes
from memory.postgres import person_statement
from tests.integration.app import App, MakeApp
from tests.integration.messages import change_of, elements, pressable, says
from tests.integration.playground_slack import PersonThread
from tests.waiting import until

# The name and the arguments of a tool that the model calls.
Call: TypeAlias = tuple[str, dict[str, Any]]

LIKES_NATTO = {
    "action": "create",
    "evidence": "I love natto",
    "content": {"kind": "UserFoodPreference", "food_name": "natto", "preference": 90},
}
REMEMBER: Call = ("memory_change", LIKES_NATTO)
"""The call by which a model remembers a liking."""


def footer(app: App, message: Message) -> str:
    """Return what is shown below the answer to a message."""
    return "\n".join(one["text"] for one in elements(app.shown(message), "context"))


def nothing_kept(app: App, message: Message) -> bool:
    """Say whether no table holds any text of a message."""
    turn = app.turn(message)
    [event] = app.rows("SELECT message FROM messages WHERE ts = %s", message.ts)
    texts = (turn["question"], turn["words"], turn["reply"], event["message"])
    return texts == ("", "", None, None)


@pytest.mark.parametrize("how", ["off", "off here", "forgets", "erased"])
@pytest.mark.parametrize("work", ["formation", "add", "keep"])
async def test_nothing_is_stored_of_what_a_model_was_asked_before(
    app: App, work: str, how: str
) -> None:
    """What it found while the person switched memory off, forgot or was erased is thrown away."""
    place = app.slack.place(channel="public", text="I love okonomiyaki")
    person = app.person(place)
    kind = "verdict" if work == "keep" else "formation"
    fault = {"endpoint": "responses", "kind": kind, "hold": True, "times": 1}
    begun: Coroutine[Any, Any, Any]
    match work:
        case "formation":
            said = await app.ask(place, "<@BOT> I love okonomiyaki")
            begun = app.form(said, "public")
        case "add":
            opened = await app.click(person, Open(form="add"))
            begun = app.submit(person, opened, lines="I love okonomiyaki")
        case _:
            begun = app.interface.point_at(place, person, KEEP_FOR_CHANNEL)
    app.stand_in.call("/_model/faults", fault)
    running = asyncio.create_task(begun)
    # It has read the words, and waits for the model.
    await until(lambda: app.stand_in.call("/_model/journal")["held"])
    match how:
        case "erased":
            await erase_person(app.pool, person)
        case "forgets":
            await forget_selection(app.core, person, Selection(everything=True))
        case _:
            await app.off(place, place.channel if how == "off here" else "")
    app.stand_in.call("/_model/release", {})
    await running
    await turn_on(app.core, person)
    assert await app.memories(person) == []
    assert await list_changes(app.pool, person) == []
    assert app.rows("SELECT 1 FROM kept WHERE user_id = %s", place.user) == []
    if work == "formation":
        assert await app.form(said, "public") == []


async def test_off_follows_the_new_id_of_a_conversation(app: App) -> None:
    """What is off in another stays as it is."""
    for scope in ("C1", "C2", ""):
        app.rows(f"{_OFF} RETURNING 1", scope, None)
    await change_channel(app.core, "T1", "C1", "C9")
    found = {row["scope"] for row in app.rows("SELECT scope FROM memory_off")}
    assert found == {"C9", "C2", ""}


async def test_what_was_said_off_stays_so_when_it_is_answered_later(app: App) -> None:
    """A message that waited, and one edited meanwhile, are not remembered after memory is on."""
    place = app.slack.place()
    formed = await app.ask(place, "I love ramen")
    assert await app.form(formed)
    edited = await app.receive(place, "I love soba")
    answered = await app.ask(place, "I love udon")
    waiting = await app.receive(place, "I love mochi")
    await app.off(place, place.channel)
    queued = await app.receive(place, "I love tempura. What shall I eat?")
    for message in (edited, answered):
        await app.edit(message, "I love natto")
    assert nothing_kept(app, answered)
    await follow_change(app.core, change_of(answered, "I love natto"))
    await turn_on(app.core, formed.person)
    for message in (edited, answered, waiting, queued):
        await app.answering.drain(message.thread)
        assert nothing_kept(app, message)
        assert "Memory is off" not in footer(app, message)
    assert [content["food_name"] for content in await app.form(queued)] == ["ramen"]


_OFF = "INSERT INTO memory_off (team_id, user_id, scope, until_at) VALUES ('T1', 'U1', %s, %s)"
_SETTINGS = (
    "INSERT INTO person_settings (team_id, user_id, {}) VALUES ('T1', 'U1', now())"
)


@pytest.mark.parametrize(
    ("rows", "person", "must_agree", "expected"),
    [
        ([], "U1", False, True),
        ([], "U1", True, False),
        ([(_OFF, "", None)], "U1", False, False),
        ([(_OFF, "", "2099-01-01")], "U1", False, False),
        ([(_OFF, "", "2020-01-01")], "U1", False, True),
        ([(_OFF, "C1", None)], "U1", False, False),
        ([(_OFF, "C2", None)], "U1", False, True),
        ([(_OFF, "C1", "2020-01-01"), (_OFF, "", None)], "U1", False, False),
        ([(_SETTINGS.format("told_at"),)], "U1", True, False),
        ([(_SETTINGS.format("agreed_at"),)], "U1", True, True),
        ([(_SETTINGS.format("agreed_at"),), (_OFF, "C1", None)], "U1", True, False),
        ([(_SETTINGS.format("deactivated_at"),)], "U1", False, False),
        # Of a colleague's switches a transaction knows nothing, so nothing of theirs is kept.
        ([], "U2", False, False),
        ([(_OFF, "", None)], "U2", False, False),
    ],
)
async def test_what_is_on_the_record(
    app: App, rows: list[tuple[str, ...]], person: str, must_agree: bool, expected: bool
) -> None:
    """What a person writes while memory is on there, by a transaction of that very person."""
    for statement, *values in rows:
        app.rows(f"{statement} RETURNING 1", *values)
    found = await person_statement(
        app.pool,
        Person("T1", "U1"),
        "SELECT on_record('T1', %(person)s, 'C1', %(asks)s) AS kept",
        {"person": person, "asks": must_agree},
    )
    assert found == [{"kept": expected}]


@pytest.mark.parametrize(
    "words",
    [
        "Don't remember this: I love natto. What goes with it?",
        "I love natto. What goes with it? But don't remember this.",
        "これは覚えないで。納豆（natto）が好きです。何と合いますか？",
    ],
)
async def test_a_message_is_not_remembered_when_its_author_says_so(
    app: App, words: str
) -> None:
    """It is answered, with memories, and stored as while memory is off; no tool writes of it.

    Neither does an edit that takes the request away.
    """
    place = app.slack.place()
    await app.form(await app.ask(place, "I love okonomiyaki"))
    app.script_calls(REMEMBER, text="Rice.")
    said = await app.ask(place, words)
    assert "okonomiyaki" in app.context()
    [refused] = app.outputs()
    assert "error" in refused
    assert nothing_kept(app, said)
    [answer] = app.replies(said)
    assert answer == f"Rice.\n\n{say('en', 'not_remembered')}"
    await app.edit(said, "I love natto")
    assert nothing_kept(app, said)
    assert [one["food_name"] for one in await app.form(said)] == ["okonomiyaki"]
    await app.ask(place, "What shall I eat?")
    assert "natto" not in app.request_texts()[-1]


async def test_the_message_before_is_taken_back(app: App) -> None:
    """What it taught is undone, it and its answer are blanked, and nothing else changes.

    The receipt quotes it. Said again, nothing more is taken back. No model is asked.
    """
    place = app.slack.place()
    earlier = await app.ask(place, "I love okonomiyaki")
    await app.form(earlier)
    said = await app.ask(place, "I love natto")
    await app.form(said)
    asks = app.model_requests()
    for key in ("taken_back", "taken_back_already"):
        asked = await app.ask(place, "forget that")
        [told] = app.shown(asked)
        assert told["text"] == say("en", key, words="I love natto")
        assert nothing_kept(app, said)
        assert nothing_kept(app, asked)
    assert app.model_requests() == asks
    await app.show_notices()
    change = say("en", "change_remembered", what="Likes natto very much")
    undone = say("en", "change_undone", line=change)
    assert says(app.shown(said), "change_undone", line=change), undone
    assert app.turn(earlier)["words"] == "I love okonomiyaki"
    foods = [one["food_name"] for one in await app.form(said)]
    assert foods == ["okonomiyaki"]
    await app.ask(place, "What shall I eat?")
    assert "natto" not in app.request_texts()[-1]
    assert "okonomiyaki" in app.request_texts()[-1]


@pytest.mark.parametrize("words", ["undo", "Undo that, please", "元に戻して"])
async def test_undo_alone_undoes_what_was_done_last(app: App, words: str) -> None:
    """It is a forgetting, or else what the message before taught."""
    place = app.slack.place()
    who = app.person(place)
    await app.form(await app.ask(place, "I love natto"))
    asked = await app.ask(place, "forget natto")
    [forget] = pressable(app.shown(asked), Forget)
    await app.click(who, forget)
    assert await app.memories(who) == []
    await app.ask(place, words)
    assert [one.content["food_name"] for one in await app.memories(who)] == ["natto"]
    said = await app.ask(place, "I love okonomiyaki")
    await app.form(said)
    await app.ask(place, words)
    assert nothing_kept(app, said)
    assert [one.content["food_name"] for one in await app.memories(who)] == ["natto"]


@pytest.mark.parametrize("how", ["formed", "being answered", "edited"])
async def test_words_that_wait_are_taken_back_before_they_are_formed(
    app: App, how: str
) -> None:
    """Also those of a message that is only being answered, or that is edited afterwards."""
    place = app.slack.place()
    if how == "being answered":
        said = await app.receive(place, "I love natto")
    else:
        said = await app.ask(place, "I love natto")
    await app.ask(place, "don't remember this")
    await app.answering.drain(said.thread)
    if how == "edited":
        await app.change(said, "I love natto a lot")
    assert await app.form(said) == []
    assert nothing_kept(app, said)


async def test_without_a_message_of_the_last_hour_here_the_person_is_asked_which(
    app: App,
) -> None:
    """What they said elsewhere, or long ago, stays."""
    place = app.slack.place()
    said = await app.ask(place, "I love natto")
    await app.form(said)
    channel = app.slack.channel("public", place.user)
    here = PersonThread(place.user, place.team, channel, "", "")
    asked = await app.ask(here, "<@BOT> forget that")
    assert say("en", "taken_back_none") in str(app.shown(asked))
    app.rows(
        "UPDATE messages SET ts = '1700000000.000100' WHERE ts = %s RETURNING 1",
        said.ts,
    )
    asked = await app.ask(place, "forget that")
    assert say("en", "taken_back_none") in str(app.shown(asked))
    assert len(await app.memories(said.person)) == 1


async def test_nothing_is_heard_in_quotes_or_code(app: App) -> None:
    """Such a message is answered and remembered like any other."""
    place = app.slack.place()
    said = await app.ask(place, "I love natto")
    for words in (
        "`forget that`",
        "```forget that```",
        "&gt; forget that",
        '"forget that"',
    ):
        await app.ask(place, words)
    assert len(app.requests()) == 5
    assert app.turn(said)["words"] == "I love natto"


@pytest.mark.parametrize(
    ("words", "hours"),
    [("pause your memory for 2 hours", 2), ("30分間、記憶を停止して", 0.5)],
)
@pytest.mark.parametrize("by", ["message", "command"])
async def test_a_pause_takes_the_time_that_is_said(
    app: App, words: str, hours: float, by: str
) -> None:
    """It is said until when, with the button that ends it."""
    place = app.slack.place(tz="Asia/Tokyo")
    if by == "message":
        asked = await app.ask(place, words)
        assert nothing_kept(app, asked)
        assert pressable(app.shown(asked), Switch) == [Switch(to="on")]
        line = app.shown(asked)[-1]["text"]
    else:
        channel = app.slack.channel("public", place.user)
        who = app.person(place)
        answer = await app.interface.type_command(who, channel, "/memories", words)
        line = answer.line
    [row] = app.rows("SELECT until_at FROM memory_off WHERE user_id = %s", place.user)
    left = row["until_at"] - datetime.now(UTC)
    assert timedelta() < timedelta(hours=hours) - left < timedelta(minutes=1)
    until_at = Localizer("en", ZoneInfo("Asia/Tokyo")).minute(row["until_at"])
    assert say("en", "off_until", until=until_at) in line


async def test_a_pause_counts_where_memory_is_off_for_less(app: App) -> None:
    """Off in one conversation, or until a time, is no reason not to switch it off everywhere."""
    place = app.slack.place()
    root = await app.ask(place, "incognito mode")
    for words in ("pause your memory for 2 hours", "pause your memory"):
        await app.ask(place, words, thread_ts=root.ts)
    everywhere = "SELECT until_at FROM memory_off WHERE user_id = %s AND scope = ''"
    assert app.rows(everywhere, place.user) == [{"until_at": None}]


async def test_words_that_name_more_than_one_button_forgets_say_so(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question says how many there are, and how many the button forgets."""
    monkeypatch.setattr("bot.forgetting.forgetting.MAX_KEYS", 2)
    place = app.slack.place()
    for food in ("miso ramen", "shio ramen", "tonkotsu ramen"):
        await app.form(await app.ask(place, f"I love {food}"))
    asked = await app.ask(place, "forget what I said about ramen")
    assert says(app.shown(asked), "forget_part", total=3, count=2)


@pytest.mark.parametrize("channel", ["dm", "public"])
async def test_nothing_before_the_person_agrees(
    make_app: MakeApp, channel: str
) -> None:
    """With KIOKU_CONSENT=ask nothing is read or written until the person has clicked Yes."""
    app = await make_app(consent="ask")
    place = app.slack.place(channel=channel)
    who, audience = app.person(place), "dm" if channel == "dm" else "public"
    mention = "" if channel == "dm" else "<@BOT> "
    first = await app.ask(place, f"{mention}I love ramen")
    assert pressable(app.shown(first), Switch) == [Switch(to="on"), Switch(to="off")]
    question = app.shown(first)[-1]
    assert question["text"] == say("en", "consent_ask")
    assert bool(question.get("is_ephemeral")) is (channel == "public")
    second = await app.ask(place, f"{mention}I love sushi")
    assert pressable(app.shown(second), Switch) == []
    assert say("en", "off") in footer(app, second)
    assert nothing_kept(app, first)
    assert nothing_kept(app, second)
    assert await app.form(second, audience) == []
    assert "memory_change" not in app.request_texts()[-1]
    # In one conversation alone it is not switched on: that is no consent.
    await app.click(who, Switch(to="on", scope=place.channel))
    assert nothing_kept(app, await app.ask(place, f"{mention}I love udon"))
    waiting = await app.receive(place, f"{mention}I love mochi")
    assert (await app.click(who, Switch(to="on"))).line.startswith(
        say("en", "panel_on")
    )
    await app.answering.drain(waiting.thread)
    assert nothing_kept(app, waiting)
    third = await app.ask(place, f"{mention}I love tempura")
    foods = [one["food_name"] for one in await app.form(third, audience)]
    assert foods == ["tempura"]


async def test_a_caller_of_ask_is_answered_although_nobody_can_agree(
    make_app: MakeApp,
) -> None:
    """The question whether to remember has buttons, which POST /ask does not show."""
    app = await make_app(consent="ask")
    assert await answer(app.core, "MZ0001", "\x07") == say("en", "nothing_said")


async def test_the_question_whether_to_remember_is_no_answer(make_app: MakeApp) -> None:
    """A model that sends none has failed, although the person is shown that question."""
    app = await make_app(consent="ask")
    place = app.slack.place()
    app.script("")
    asked = await app.ask(place, "How high is Mount Fuji?")
    texts = [one["text"] for one in app.shown(asked)]
    assert texts == [say("en", "model_empty"), say("en", "consent_ask")]


async def test_words_do_not_agree_for_a_person(make_app: MakeApp) -> None:
    """With KIOKU_CONSENT=ask, “turn memory on” asks them: their click is the consent."""
    app = await make_app(consent="ask")
    place = app.slack.place()
    asked = await app.ask(place, "turn memory on")
    assert pressable(app.shown(asked)[-1:], Switch) == [
        Switch(to="on"),
        Switch(to="off"),
    ]
    assert nothing_kept(app, await app.ask(place, "I love ramen"))


async def test_consent_asked_later_keeps_waiting_words_from_the_model(
    make_app: MakeApp,
) -> None:
    """With KIOKU_CONSENT=ask set meanwhile, words that wait are formed after a Yes only."""
    app = await make_app()
    said = await app.ask(app.slack.place(), "I love ramen")
    app = await make_app(consent="ask")
    before = app.model_requests()
    assert await app.form(said) == []
    assert app.model_requests() == before
    await app.click(said.person, Switch(to="on"))
    assert [one["food_name"] for one in await app.form(said)] == ["ramen"]


async def test_who_wants_to_be_asked_is_remembered_only_on_request(app: App) -> None:
    """With *only when I ask* nothing is formed of what is said, also later; a tool stores it."""
    place = app.slack.place()
    who = app.person(place)
    chosen: Choices = {
        "notices": True,
        "eagerness": "asked",
        "language": None,
        "retention_days": None,
    }
    await change_settings(app.core, who, chosen)
    assert await app.form(await app.ask(place, "I love ramen")) == []
    app.script_calls(REMEMBER)
    await app.ask(place, "Remember that I love natto")
    await change_settings(app.core, who, {**chosen, "eagerness": "balanced"})
    said = await app.ask(place, "I love soba")
    assert sorted(one["food_name"] for one in await app.form(said)) == ["natto", "soba"]


async def begun(app: App, said: Message) -> Toolbox:
    """Begin the turn of a message; return its tools."""
    waiting = await take_message(app.core, said.thread, uuid4())
    assert waiting is not None
    turn = await begin_turn(app.core, waiting, question=said.text, words=said.text)
    localizer = Localizer("en")
    return Toolbox(app.core, turn, localizer)


@pytest.mark.parametrize(
    "how", ["off", "off here", "everything", "the message", "deleted", "edited"]
)
async def test_a_tool_stores_nothing_of_what_changed_meanwhile(
    app: App, how: str
) -> None:
    """Memory switched off, or a message forgotten, deleted or edited, while a turn runs."""
    place = app.slack.place()
    said = await app.receive(place, "Remember that I love natto")
    tools = await begun(app, said)
    core, here = app.core, (said.channel_id, said.ts)
    match how:
        case "off":
            await turn_off(core, said.person)
        case "off here":
            await turn_off(core, said.person, said.channel_id)
        case "everything":
            await forget_selection(core, said.person, Selection(everything=True))
        case "the message":
            await forget_selection(core, said.person, Selection(messages=[here]))
        case _:
            change = change_of(said, "Never mind" if how == "edited" else None)
            await follow_change(core, change)
    assert "error" in await tools.call("memory_change", json.dumps(LIKES_NATTO))
    assert await app.memories(said.person) == []
