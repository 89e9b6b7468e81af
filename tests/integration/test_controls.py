"""Memory switched off: no read and no write, by the prompt sent to the model and by the tables."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest

from bot.conversation.periods import Period
from bot.locale import Language, say
from bot.notices.change_notices import SHOW
from bot.pipeline.tools.toolbox import Toolbox
from bot.slack.messages import Message
from bot.types import DIRECT, Incognito
from bot.users.incognito import read_incognito, switch_on
from bot.users.settings import read_settings
from bot.views.forgetting import FORGET_PERIOD_ACTION
from bot.views.memory_state import END_INCOGNITO_ACTION, INCOGNITO_OFF_ACTION
from memory import Former, Person, list_changes, open_questions, person_transaction
from tests.integration.app import App, MakeApp
from tests.integration.messages import LATER, change, says
from tests.integration.playground_slack import PersonThread
from tests.waiting import until

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


# The name and the arguments of a tool that the model calls.
Call: TypeAlias = tuple[str, dict[str, Any]]

LIKES_NATTO = {
    "action": "create",
    "evidence": "I love natto",
    "content": {"kind": "UserFoodPreference", "food_name": "natto", "preference": 90},
}
REMEMBER: Call = ("memory_change", LIKES_NATTO)
SEEN_VERSIONS = "SELECT id FROM memory_versions WHERE user_id = %s AND deleted_at IS NULL"
"""The call by which a model remembers a liking."""


def setting(action: str, **given: Any) -> Call:
    """Return a call by which a model changes or shows a setting."""
    return "memory_settings", {"action": action, **given}


def elements(payloads: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the elements of all blocks of a kind."""
    blocks = [block for one in payloads for block in one.get("blocks") or []]
    return [element for b in blocks if b["type"] == kind for element in b["elements"]]


def footer(app: App, message: Message) -> str:
    """Return what is shown below the answer to a message."""
    return "\n".join(one["text"] for one in elements(app.shown(message), "context"))


def buttons(app: App, message: Message) -> list[str]:
    """Return the action ids of all buttons in a message's thread."""
    return [one["action_id"] for one in elements(app.shown(message), "actions")]


def values(payloads: Sequence[dict[str, Any]], action: str) -> list[str]:
    """Return the values of the buttons with an action id."""
    return [one["value"] for one in elements(payloads, "actions") if one["action_id"] == action]


def nothing_kept(app: App, message: Message) -> bool:
    """Say whether no table holds any text of a message."""
    turn = app.turn(message)
    [event] = app.rows("SELECT message FROM inbox_events WHERE ts = %s", message.ts)
    texts = (turn["question"], turn["words"], turn["reply"], event["message"])
    return texts == ("", "", None, None) and turn["off_record"]


async def press(app: App, message: Message, action: str) -> None:
    """Press each button that forgets a period in a message's thread."""
    for value in values(app.shown(message)[::-1], action):
        await app.wiring.memory_actions.period_forgotten(message.person, "en", value)


async def reword(app: App, message: Message, text: str) -> None:
    """Let a message be edited, or deleted, in Slack."""
    where = message.team_id, message.channel_id, message.ts, message.thread
    await app.wiring.source_updates.reword(*where, question=text, words=text, changed_ts=LATER)


def begin_now(app: App, place: PersonThread) -> None:
    """Let a pause begin now, not a moment early for clocks that differ: here is one clock only."""
    app.rows(
        "UPDATE person_settings SET pauses = tstzmultirange(tstzrange(now(), NULL))"
        " WHERE user_id = %s RETURNING 1",
        place.user,
    )


async def incognito_from_now(app: App, who: Person) -> None:
    """Switch incognito on, not a moment early for clocks that differ."""
    async with person_transaction(app.pool, who) as connection:
        await switch_on(connection, who, DIRECT, since=app.slack.say(who.user_id)["ts"])


async def test_paused_is_no_read_and_no_write(app: App) -> None:
    """While memory is paused no memory, no history and no fresh words are in the prompt."""
    place = app.slack.place()
    who = app.person(place)
    formed = await app.ask(place, "I love ramen")
    assert await app.form(formed)
    fresh = await app.ask(place, "I love okonomiyaki")
    await app.wiring.controls.pause(who, datetime.now(UTC) + timedelta(hours=2))
    asked = await app.ask(place, "I love tempura. What shall I eat?")
    prompt = app.request_texts()[-1]
    assert "ramen" not in prompt
    assert "okonomiyaki" not in prompt
    assert "<memories>\\n" not in prompt
    assert "memory_search" not in prompt
    assert nothing_kept(app, asked)
    assert app.turn(asked)["recalled"] == []
    assert "paused until" in footer(app, asked)
    assert "`/memories resume` ends that" in footer(app, asked)
    before = app.model_requests()
    assert len(await app.form(fresh)) == 1
    assert app.model_requests() == before
    [waiting] = app.formations(who)
    assert 7_100 < waiting["due_in"] < 7_300


async def test_after_a_pause_what_was_said_before_is_formed_and_nothing_of_it(app: App) -> None:
    """Resumed, words from before the pause are formed; those said while paused never are."""
    place = app.slack.place()
    who = app.person(place)
    before = await app.ask(place, "I love okonomiyaki")
    late = await app.receive(place, "I love sushi")
    await app.wiring.controls.pause(who)
    begin_now(app, place)
    during = await app.receive(place, "I love tempura")
    await app.answering.drain(late.thread)
    assert app.turn(late)["words"] == "I love sushi"
    assert "okonomiyaki" not in app.request_texts()[-1]
    assert not await app.form(before)
    await app.wiring.controls.resume(who)
    assert len(app.formations(who)) == 1
    # Said while paused, answered when it is over.
    await app.answering.drain(during.thread)
    assert nothing_kept(app, during)
    foods = json.dumps(await app.form(before))
    assert "okonomiyaki" in foods
    assert "sushi" in foods
    assert "tempura" not in foods
    after = await app.ask(place, "What shall I eat?")
    assert "okonomiyaki" in app.request_texts()[-1]
    assert "tempura" not in app.request_texts()[-1]
    assert "paused" not in footer(app, after)


async def test_a_pause_ends_by_itself(app: App) -> None:
    """When its time is over memory is on again, and what waited is formed by its own job."""
    place = app.slack.place()
    who = app.person(place)
    before = await app.ask(place, "I love okonomiyaki")
    await app.wiring.controls.pause(who, datetime.now(UTC) + timedelta(minutes=1))
    await app.form(before)
    app.rows(
        "UPDATE person_settings SET pauses ="
        " tstzmultirange(tstzrange(now() - interval '1 hour', now() - interval '1 minute'))"
        " WHERE user_id = %s RETURNING 1",
        place.user,
    )
    assert len(app.formations(who)) == 1
    assert "okonomiyaki" in json.dumps(await app.form(before))


async def test_the_list_has_what_waits_formed_at_once(app: App) -> None:
    """`/memories` right after a message says that it is still read, and forms it now."""
    place = app.slack.place()
    who = app.person(place)
    said = await app.ask(place, "I love pizza")
    [before] = app.formations(who)
    assert before["due_in"] > 2
    shown = await app.wiring.slash_commands.memories(who, "en", "", place.channel)
    assert shown["text"] == say("en", "memories_unformed", count=1)
    [now] = app.formations(who)
    assert now["due_in"] <= 0
    await app.form(said)
    shown = await app.wiring.slash_commands.memories(who, "en", "", place.channel)
    assert "pizza" in shown["text"]
    assert say("en", "memories_unformed", count=1) not in str(shown)


async def test_the_list_forms_nothing_while_memory_is_paused(app: App) -> None:
    """What waits for the end of a pause is neither formed nor announced."""
    place = app.slack.place()
    who = app.person(place)
    await app.ask(place, "I love pizza")
    await app.wiring.controls.pause(who)
    shown = await app.wiring.slash_commands.memories(who, "en", "", place.channel)
    assert shown["text"] == say("en", "memories_none")
    [waiting] = app.formations(who)
    assert waiting["due_in"] > 2


async def test_a_pause_that_ends_during_an_answer_is_not_shown_below_it(app: App) -> None:
    """Memory resumed while the model answers: the reply does not say that it is paused."""
    place = app.slack.place()
    who = app.person(place)
    await app.wiring.controls.pause(who)
    app.stand_in.call("/_model/settings", {"first_token_ms": 5_000})
    message = await app.receive(place, "Hello")
    task = asyncio.create_task(app.answering.drain(message.thread))
    # The model's journal has a request only once it is answered.
    await until(lambda: app.slack.calls("agents.sessions.setStatus"))
    await app.wiring.controls.resume(who)
    await asyncio.wait_for(task, 30)
    assert app.replies(message)
    assert "paused" not in footer(app, message)
    app.stand_in.call("/_model/settings", {"first_token_ms": 0})
    await app.wiring.controls.pause(who)
    assert "paused" in footer(app, await app.ask(place, "Hello again"))


async def test_a_pause_wins_over_a_formation_under_way(app: App) -> None:
    """What the model found while the person paused is thrown away, and formed after resuming."""
    place = app.slack.place()
    who = app.person(place)
    said = await app.ask(place, "I love okonomiyaki")
    for endpoint in ("chat", "responses"):
        app.stand_in.call(
            "/_model/faults",
            {"endpoint": endpoint, "kind": "formation", "delay_ms": 3_000, "times": 1},
        )
    before = app.model_requests()
    running = asyncio.create_task(app.form(said))
    # It has read the words, and the model takes three seconds.
    await until(lambda: app.model_requests() > before)
    await app.wiring.controls.pause(who)
    assert await running == []
    assert app.turn(said)["formed_at"] is None
    await app.wiring.controls.resume(who)
    assert await app.form(said)


async def test_incognito_covers_all_direct_messages(app: App) -> None:
    """Switched on in one thread of a direct message, it is on in all of them, until switched off.

    What was said before is remembered all the same; what is said meanwhile never is.
    """
    place = app.slack.place()
    assert await app.form(await app.ask(place, "I love ramen"))
    before = await app.ask(place, "I love okonomiyaki")
    switch = await app.ask(place, "Make this thread incognito")
    assert says(app.shown(switch), "incognito_on_dm")
    later = await app.ask(place, "I love tempura. What shall I eat?")
    assert "ramen" not in app.request_texts()[-1]
    assert "okonomiyaki" not in app.request_texts()[-1]
    assert say("en", "off_incognito_dm") in footer(app, later)
    assert INCOGNITO_OFF_ACTION in buttons(app, later)
    assert app.turn(later)["recalled"] == []
    assert nothing_kept(app, switch)
    assert nothing_kept(app, later)
    off = await app.ask(place, "Turn incognito off")
    assert say("en", "off_incognito_dm") in footer(app, off)
    assert nothing_kept(app, off)
    ended = await app.wiring.controls.incognito.ended(off.person, "en", DIRECT)
    assert say("en", "incognito_off_dm") in ended["text"]
    foods = [content["food_name"] for content in await app.form(before)]
    assert sorted(foods) == ["okonomiyaki", "ramen"]
    again = await app.ask(place, "What shall I eat?")
    assert "ramen" in app.request_texts()[-1]
    assert "tempura" not in app.request_texts()[-1]
    assert say("en", "off_incognito_dm") not in footer(app, again)
    assert len(await app.form(again)) == 2


async def test_incognito_in_a_channel_covers_the_thread(app: App) -> None:
    """In a channel it is the thread's; elsewhere the same person is answered with memory."""
    place, bot = app.slack.place(channel="public"), f"<@{app.slack.bot_user_id}>"
    assert await app.form(await app.ask(place, f"{bot} I love ramen"), "public")
    root = await app.ask(place, f"{bot} hello")
    app.script_calls(setting("incognito_on"))
    switch = await app.ask(place, f"{bot} go incognito", thread_ts=root.ts)
    assert app.outputs() == [
        {"incognito": "on", "where": "this thread", "until": "they switch it off"}
    ]
    later = await app.ask(place, f"{bot} What shall I eat?", thread_ts=root.ts)
    assert "ramen" not in app.request_texts()[-1]
    assert say("en", "off_incognito") in footer(app, later)
    assert nothing_kept(app, switch)
    assert nothing_kept(app, later)
    assert app.turn(root)["words"] == "hello"
    await app.ask(place, f"{bot} What shall I eat?")
    assert "ramen" in app.request_texts()[-1]
    [switched] = set(values(app.shown(later), INCOGNITO_OFF_ACTION))
    who = app.person(place)
    payload = await app.wiring.controls.incognito.ended(who, "en", switched)
    assert say("en", "incognito_off_thread") in payload["text"]
    await app.ask(place, f"{bot} What shall I eat?", thread_ts=root.ts)
    assert "ramen" in app.request_texts()[-1]


async def test_what_was_said_incognito_stays_so_when_it_is_answered_later(app: App) -> None:
    """A message that waited, and one edited meanwhile, are not remembered after it is off."""
    place = app.slack.place()
    who = app.person(place)
    formed = await app.ask(place, "I love ramen")
    assert await app.form(formed)
    edited = await app.receive(place, "I love soba")
    answered = await app.ask(place, "I love udon")
    await incognito_from_now(app, who)
    queued = await app.receive(place, "I love tempura. What shall I eat?")
    for message in (edited, answered):
        where = message.team_id, message.channel_id, message.ts, message.thread
        await app.wiring.inbox.edit(*where, "I love natto", **change())
        await reword(app, message, "I love natto")
    assert nothing_kept(app, answered)
    await app.wiring.inbox.reopen(
        replace(answered, event_id="Ev2", text="I love natto"), changed_ts=LATER
    )
    assert await app.wiring.controls.incognito.end(who)
    for message in (edited, answered, queued):
        await app.answering.drain(message.thread)
        assert nothing_kept(app, message)
        assert say("en", "off_incognito_dm") not in footer(app, message)
    assert "ramen" not in app.request_texts()[-1]
    assert [content["food_name"] for content in await app.form(queued)] == ["ramen"]


async def test_a_thread_made_incognito_for_good_can_be_switched_off(app: App) -> None:
    """A row of a version that knew no end covers its whole thread until the person ends it."""
    place = app.slack.place()
    who = app.person(place)
    assert await app.form(await app.ask(place, "I love ramen"))
    root = await app.receive(place, "I love udon")
    async with person_transaction(app.pool, who) as connection:
        await connection.execute(
            "INSERT INTO incognito_threads (team_id, user_id, thread) VALUES (%s, %s, %s)",
            (who.team_id, who.user_id, root.thread),
        )
    await app.answering.drain(root.thread)
    assert nothing_kept(app, root)
    other = await app.ask(place, "I love soba")
    assert app.turn(other)["words"] == "I love soba"
    payload = await app.wiring.slash_commands.memories(who, "en", "incognito off", place.channel)
    assert payload["text"] == say("en", "incognito_off_dm")
    below = await app.ask(place, "What shall I eat?", thread_ts=root.ts)
    assert "ramen" in app.request_texts()[-1]
    assert app.turn(below)["words"]


async def test_the_incognito_command(app: App) -> None:
    """The command switches direct messages; typed in a channel it says so, and what to do there."""
    place, channel = app.slack.place(), app.slack.place(channel="public").channel
    who = app.person(place)
    typed = app.wiring.slash_commands.memories
    on = await typed(who, "en", "incognito", place.channel)
    assert on["text"] == say("en", "incognito_on_dm")
    assert on["blocks"][-1]["elements"][0]["action_id"] == END_INCOGNITO_ACTION
    said = await app.ask(place, "I love ramen")
    assert nothing_kept(app, said)
    off = await typed(who, "en", "incognito", channel)
    assert off["text"].split("\n") == [
        say("en", "incognito_off_dm"),
        say("en", "incognito_elsewhere"),
    ]
    assert (await typed(who, "ja", "シークレット オン", place.channel))["text"] == say(
        "ja", "incognito_on_dm"
    )
    assert (await typed(who, "en", "incognito maybe", place.channel))["text"] == say(
        "en", "incognito_usage"
    )
    async with person_transaction(app.pool, who) as connection:
        assert await read_incognito(connection, who) == Incognito(direct=True)


async def test_incognito_is_one_persons_own(app: App) -> None:
    """In a thread of two, one person's incognito changes nothing for the other, and says so."""
    place = app.slack.place(channel="public")
    other, team = app.slack.person()
    app.slack.control("channels/update", {"channel": place.channel, "add": [other]})
    root = await app.ask(place, "<@BOT> hello")
    async with person_transaction(app.pool, root.person) as connection:
        await switch_on(connection, root.person, root.thread)
    theirs = PersonThread(other, team, place.channel, "", root.ts)
    said = await app.ask(theirs, "I love tempura", thread_ts=root.ts)
    assert app.turn(said)["words"] == "I love tempura"
    later = await app.ask(place, "<@BOT> hello again", thread_ts=root.ts)
    assert "Others are remembered as usual" in footer(app, later)
    incognito = app.wiring.controls.incognito
    answer = await incognito.ended(said.person, "en", root.thread)
    assert answer["text"] == say("en", "incognito_not_on")
    answer = await incognito.ended(root.person, "en", root.thread)
    assert answer["text"] == say("en", "incognito_off_thread")


@pytest.mark.parametrize("why", ["incognito", "paused", "not to be remembered"])
async def test_what_waits_off_the_record_is_in_no_other_prompt(app: App, why: str) -> None:
    """A message that still waits and is not to be remembered is no fresh word of another thread."""
    place = app.slack.place()
    who = app.person(place)
    await app.receive(place, "I love soba")
    root = await app.ask(place, "hello")
    if why == "incognito":
        await incognito_from_now(app, who)
    if why == "paused":
        await app.wiring.controls.pause(who)
        begin_now(app, place)
    secret = await app.receive(place, "I love natto", thread_ts=root.ts)
    if why == "paused":
        await app.wiring.controls.resume(who)
    if why == "incognito":
        assert await app.wiring.controls.incognito.end(who)
    if why == "not to be remembered":
        waiting = await app.wiring.inbox.claim(secret.thread)
        assert waiting is not None
        view = await app.wiring.audiences.view(secret)
        turn_row, _ = await app.wiring.turns.begin(
            waiting, view, question="?", words="?", bot_user_id=app.slack.bot_user_id
        )
        await app.wiring.controls.delete_texts(who, turn_row.id)
    await app.ask(place, "What shall I eat?")
    assert "natto" not in app.request_texts()[-1]
    assert "soba" in app.request_texts()[-1]


async def test_an_edit_while_memory_is_off_is_not_kept(app: App) -> None:
    """Words put in place of others while memory is paused are not formed, also not later."""
    place = app.slack.place()
    who = app.person(place)
    said = await app.ask(place, "I love ramen")
    await app.wiring.controls.pause(who)
    await reword(app, said, "I love natto")
    assert nothing_kept(app, said)
    await app.wiring.controls.resume(who)
    assert await app.form(said) == []


async def test_a_message_is_not_remembered_when_its_author_says_so(app: App) -> None:
    """After "don't remember this" its texts are deleted at once, and no tool writes of it."""
    place = app.slack.place()
    app.script_calls(setting("do_not_remember", scope="this_message"), REMEMBER)
    said = await app.ask(place, "I love natto. But don't remember this.")
    done, refused = app.outputs()
    assert done == {"not_remembered": "this_message", "done": True}
    assert "error" in refused
    assert nothing_kept(app, said)
    assert says(app.shown(said), "not_remembered")
    assert await app.form(said) == []
    await app.ask(place, "What shall I eat?")
    assert "natto" not in app.request_texts()[-1]
    await reword(app, said, "I love natto")
    assert nothing_kept(app, said)


async def test_what_a_tool_stored_before_goes_as_well(app: App) -> None:
    """A model that stores first and reads "don't remember this" later leaves no trace."""
    place = app.slack.place()
    app.script_calls(REMEMBER, setting("do_not_remember", scope="this_message"))
    said = await app.ask(place, "I love natto. But don't remember this.")
    stored, done = app.outputs()
    assert stored[0]["done"] == "remembered"
    assert done["done"] is True
    assert await app.memories(said.person) == []
    assert nothing_kept(app, said)
    assert app.rows(SEEN_VERSIONS, place.user) == []


async def test_what_a_tool_asked_before_goes_as_well(app: App) -> None:
    """A question of a message that is not to be remembered goes; one of another message stays."""
    place = app.slack.place()
    said = await app.ask(place, "I live in Osaka")
    await app.form(said)
    [memory] = await app.memories(said.person)

    def moved(city: str) -> Call:
        content = {"kind": "UserFact", "fact": f"I live in {city}", "topic": "home"}
        given = {"action": "update", "id": memory.key, "content": content}
        return "memory_change", {**given, "evidence": f"I live in {city}"}

    forget = setting("do_not_remember", scope="this_message")
    app.script_calls(moved("Tokyo"), forget)
    secret = await app.ask(place, "I live in Tokyo. But don't remember this.")
    asked, done = app.outputs()
    assert ("asked" in asked, done["done"]) == (True, True)
    assert await open_questions(app.pool, said.person) == []
    assert nothing_kept(app, secret)
    app.script_calls(moved("Kyoto"))
    await app.ask(place, "I live in Kyoto")
    [question] = await open_questions(app.pool, said.person)
    app.script_calls(moved("Kyoto"), forget)
    await app.ask(place, "I live in Kyoto. But don't remember this.")
    assert await open_questions(app.pool, said.person) == [question]


@pytest.mark.parametrize("how", ["message", "command"])
async def test_questions_of_a_forgotten_period_go_with_it(app: App, how: str) -> None:
    """The question that quotes what is forgotten goes for good; others stay."""
    place = app.slack.place()
    said = await app.ask(place, "I live in Osaka")
    await app.form(said)
    began = datetime.now(UTC)
    if how == "message":
        asked = await app.ask(place, "I live in Tokyo")
        await app.form(asked)
        period = Period(thread=asked.thread)
    else:
        await app.wiring.slash_commands.adding.added(
            said.person, "en", "I live in Tokyo", place.channel
        )
        period = Period.between(began, None)
    [question] = await open_questions(app.pool, said.person)
    actions = app.wiring.memory_actions
    other = Period.between(began - timedelta(days=2), began - timedelta(days=1))
    await actions.period_forgotten(said.person, "en", other.value())
    assert await open_questions(app.pool, said.person) == [question]
    offered = await actions.period_proposed(said.person, "en", period)
    when = "in this thread?" if how == "message" else "since "
    assert offered["text"].startswith(f"Forget what you told me {when}")
    done = await actions.period_forgotten(said.person, "en", period.value())
    assert app.rows("SELECT id FROM memory_questions WHERE user_id = %s", place.user) == []
    assert [m.content["fact"] for m in await app.memories(said.person)] == ["I live in Osaka"]
    [token] = [e["value"] for b in done["blocks"] for e in b.get("elements", []) if "value" in e]
    await actions.brought_back(said.person, "en", token)
    assert await open_questions(app.pool, said.person) == []


async def test_the_message_before_can_be_meant(app: App) -> None:
    """ "Don't remember that" proposes to forget the previous message, and what was formed of it."""
    place = app.slack.place()
    said = await app.ask(place, "I love natto")
    assert await app.form(said)
    app.script_calls(setting("do_not_remember", scope="previous_message"))
    asked = await app.ask(place, "don't remember that")
    assert app.outputs()[0]["proposed"] is True
    assert app.turn(said)["words"] == "I love natto"
    assert nothing_kept(app, asked)
    assert len(await app.memories(said.person)) == 1
    await press(app, asked, FORGET_PERIOD_ACTION)
    assert app.turn(said)["words"] == ""
    assert await app.memories(said.person) == []


async def test_pausing_in_plain_words(app: App) -> None:
    """Asked in words memory pauses at once, says until when, and does not read the asking."""
    place = app.slack.place(tz="Asia/Tokyo")
    tomorrow = (datetime.now(ZoneInfo("Asia/Tokyo")) + timedelta(days=1)).date().isoformat()
    app.script_calls(setting("pause", until=tomorrow))
    asked = await app.ask(place, "I feel ill today, so pause your memory until tomorrow")
    [output] = app.outputs()
    until = datetime.fromisoformat(output["until"])
    assert output["paused"]
    assert (until.hour, until.utcoffset()) == (9, timedelta(hours=9))
    assert nothing_kept(app, asked)
    assert buttons(app, asked) == ["resume_memory"]
    later = await app.ask(place, "I love soba")
    assert nothing_kept(app, later)
    app.script_calls(setting("resume"))
    await app.ask(place, "remember things again, please")
    assert app.outputs() == [{"proposed": True, "done": False}]
    await app.wiring.controls.resume(asked.person)
    on = await app.ask(place, "I love udon")
    assert app.turn(on)["words"] == "I love udon"


@pytest.mark.parametrize(
    ("action", "error"), [("resume", "stays off"), ("pause", "nothing to pause")]
)
async def test_a_no_is_not_undone(app: App, action: str, error: str) -> None:
    """A person who switched memory off and asks to resume or to pause reads that it is off."""
    place = app.slack.place()
    await app.wiring.controls.refuse(app.person(place))
    app.script_calls(setting(action))
    asked = await app.ask(place, action)
    assert error in app.outputs()[0]["error"]
    assert says(app.shown(asked), "off_refused")


@pytest.mark.parametrize(
    ("until", "clock"),
    [("T18:05", "18:05"), ("T18:05+01:00", "02:05"), ("T18:05Z", "03:05"), ("", "09:00")],
)
async def test_a_pause_ends_when_the_model_says(app: App, until: str, clock: str) -> None:
    """A time without an offset is the person's; a date alone is its morning."""
    place = app.slack.place(tz="Asia/Tokyo")
    later = (datetime.now(ZoneInfo("Asia/Tokyo")) + timedelta(days=40)).date().isoformat()
    app.script_calls(setting("pause", until=f"{later}{until}"))
    await app.ask(place, "pause, please")
    [output] = app.outputs()
    assert datetime.fromisoformat(output["until"]).strftime("%H:%M") == clock


async def test_a_pause_without_an_end(app: App) -> None:
    """Without a moment a pause lasts until it is resumed."""
    place = app.slack.place()
    app.script_calls(setting("pause", until=""))
    await app.ask(place, "pause your memory")
    assert app.outputs() == [{"paused": True, "until": "resumed"}]
    assert (await app.wiring.controls.pause(app.person(place))).paused_until is None


async def test_a_pause_that_is_not_understood_changes_nothing(app: App) -> None:
    """Words that say no moment are an error for the model."""
    place = app.slack.place()
    app.script_calls(setting("pause", until="a while"))
    asked = await app.ask(place, "pause for a while")
    assert "ISO 8601" in app.outputs()[0]["error"]
    assert app.turn(asked)["words"] == "pause for a while"


@pytest.mark.parametrize(("locale", "language"), [("en-US", "en"), ("ja-JP", "ja")])
async def test_the_first_reply_says_that_there_is_a_memory(
    app: App, locale: str, language: Language
) -> None:
    """By default the first answer tells of memory and how to turn it off; later ones do not."""
    place = app.slack.place(locale=locale)
    first = await app.ask(place, "Hello")
    second = await app.ask(place, "Hello again")
    assert say(language, "footer_memory") in footer(app, first)
    assert say(language, "footer_memory") not in footer(app, second)


@pytest.mark.parametrize("channel", ["dm", "public"])
async def test_nothing_before_the_person_agrees(make_app: MakeApp, channel: str) -> None:
    """With KIOKU_CONSENT=ask nothing is read or written until the person has clicked Yes."""
    app = await make_app(consent="ask")
    place = app.slack.place(channel=channel)
    who, audience = app.person(place), "dm" if channel == "dm" else "public"
    mention = "" if channel == "dm" else "<@BOT> "
    first = await app.ask(place, f"{mention}I love ramen")
    assert buttons(app, first) == ["agree_to_memory", "refuse_memory"]
    question = app.shown(first)[-1]
    assert bool(question.get("is_ephemeral")) is (channel == "public")
    assert (
        "in a database that your admin runs, and those relevant to a reply are sent"
        in json.dumps(question)
    )
    second = await app.ask(place, f"{mention}I love sushi")
    assert buttons(app, second) == []
    assert say("en", "off_not_agreed") in footer(app, second)
    assert nothing_kept(app, first)
    assert nothing_kept(app, second)
    assert await app.form(second, audience) == []
    assert "memory_change" not in app.request_texts()[-1]
    answer = await app.wiring.controls.agreed(who, "en")
    assert answer["text"] == say("en", "consent_agreed")
    third = await app.ask(place, f"{mention}I love tempura")
    assert "tempura" in json.dumps(await app.form(third, audience))
    assert "ramen" not in json.dumps(await app.form(third, audience))


async def test_agreement_can_be_taken_back(make_app: MakeApp) -> None:
    """After a No what was formed is not read, and what waited is never formed."""
    app = await make_app(consent="ask")
    place = app.slack.place()
    who = app.person(place)
    await app.wiring.controls.agree(who)
    assert await app.form(await app.ask(place, "I love ramen"))
    waiting = await app.ask(place, "I love sushi")
    answer = await app.wiring.controls.refused(who, "en")
    assert answer["text"] == say("en", "consent_refused")
    asked = await app.ask(place, "What shall I eat?")
    assert "ramen" not in app.request_texts()[-1]
    assert say("en", "off_refused") in footer(app, asked)
    await app.wiring.controls.agree(who)
    assert "sushi" not in json.dumps(await app.form(waiting))
    [kept] = app.rows(
        "SELECT consent, consent_at FROM person_settings WHERE user_id = %s", place.user
    )
    assert kept["consent"] == "agreed"
    assert datetime.now(UTC) - kept["consent_at"] < timedelta(minutes=1)


async def begun(app: App, said: Message) -> Toolbox:
    """Begin the turn of a message; return its tools."""
    view = await app.wiring.audiences.view(said)
    waiting = await app.wiring.inbox.claim(said.thread)
    assert waiting is not None
    turn_row, _ = await app.wiring.turns.begin(
        waiting, view, question=said.text, words=said.text, bot_user_id=app.slack.bot_user_id
    )
    return app.wiring.turn_dependencies.tools(waiting, view, turn_row, None)


async def test_a_tool_writes_nothing_once_memory_is_off(app: App) -> None:
    """Memory switched off while a turn runs stays unwritten: its tools are refused."""
    place = app.slack.place()
    who = app.person(place)
    tools = await begun(app, await app.receive(place, "Remember that I love natto"))
    await app.wiring.controls.pause(who)
    output = await tools.call("memory_change", json.dumps(LIKES_NATTO))
    assert "switched memory off" in output
    assert await app.memories(who) == []


@pytest.mark.parametrize("how", ["everything", "period", "deleted", "edited"])
async def test_a_tool_stores_nothing_of_a_message_that_was_forgotten_meanwhile(
    app: App, how: str
) -> None:
    """What is forgotten, deleted or edited while a tool waits for its verdict is not stored."""
    said = await app.receive(app.slack.place(), "Remember that I love natto")
    tools = await begun(app, said)
    actions = app.wiring.memory_actions
    match how:
        case "everything":
            await actions.everything_forgotten(said.person, "en")
        case "period":
            await actions.period_forgotten(said.person, "en", Period(thread=said.thread).value())
        case _:
            await reword(app, said, "Never mind" if how == "edited" else "")
    assert "error" in await tools.call("memory_change", json.dumps(LIKES_NATTO))
    assert await app.memories(said.person) == []


async def test_a_pause_in_plain_words_shortens_none(app: App) -> None:
    """A model cannot end a longer pause earlier by a shorter one."""
    place = app.slack.place()
    who = app.person(place)
    soon = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    app.script_calls(setting("pause"), setting("pause", until=soon))
    await app.ask(place, "pause")
    assert [output["until"] for output in app.outputs()] == ["resumed", "resumed"]
    async with person_transaction(app.pool, who) as connection:
        settings = await read_settings(connection, who)
    assert settings.paused
    assert settings.paused_until is None


async def test_notices_switched_in_plain_words_name_the_settings(app: App) -> None:
    """The message that says so has the button of the settings; no tool changes the language."""
    place = app.slack.place()
    app.script_calls(setting("change", notices=False, language="ja"))
    asked = await app.ask(place, "stop telling me what you remember")
    assert app.outputs() == [{"done": ["notices"]}]
    assert says(app.shown(asked), "settings_notices_off")
    assert buttons(app, asked) == ["open_settings"]
    who = app.person(place)
    async with person_transaction(app.pool, who) as connection:
        settings = await read_settings(connection, who)
    assert (settings.notices, settings.language) == (False, None)


async def interrupted(app: App, place: PersonThread, *calls: Call) -> Message:
    """Let the process that answers a message end after a tool has stored a memory."""
    app.script(function_calls=[{"name": name, "arguments": given} for name, given in calls])
    app.fault(delay_ms=1)
    app.fault(delay_ms=30_000)
    said = await app.receive(place, "I love natto")
    task = asyncio.create_task(app.answering.drain(said.thread))
    await until(lambda: app.rows("SELECT 1 FROM change_notices WHERE user_id = %s", place.user))
    task.cancel()
    await asyncio.wait([task])
    app.stand_in.call("/_model/faults", method="DELETE")
    return said


async def noticed(app: App, said: Message) -> None:
    """Check that the one change of a message has its notice, and a job that shows it."""
    [entry] = await list_changes(app.pool, said.person)
    [notice] = app.rows(
        "SELECT turn_id, changes FROM change_notices WHERE user_id = %s", said.user_id
    )
    assert notice["changes"] == [entry.id]
    assert str(notice["turn_id"]) in [job["turn"] for job in app.take_jobs(SHOW)]


async def test_the_next_attempt_shows_what_the_last_remembered(app: App) -> None:
    """A memory that a tool stored before a crash gets its notice with the answer."""
    said = await interrupted(app, app.slack.place(), REMEMBER)
    app.script("Done.")
    await app.answering.drain(said.thread)
    await noticed(app, said)


async def test_what_a_tool_stored_before_a_crash_goes_as_well(app: App) -> None:
    """The next attempt leaves no trace of it after "don't remember this"."""
    said = await interrupted(app, app.slack.place(), REMEMBER)
    assert len(await app.memories(said.person)) == 1
    app.script_calls(setting("do_not_remember"))
    await app.answering.drain(said.thread)
    assert nothing_kept(app, said)
    assert await app.memories(said.person) == []
    assert app.rows(SEEN_VERSIONS, said.user_id) == []


async def test_what_a_tool_stored_before_an_edit_goes_as_well(app: App) -> None:
    """An answered message that is edited and not to be remembered leaves no memory."""
    app.script_calls(REMEMBER)
    said = await app.ask(app.slack.place(), "I love natto")
    assert len(await app.memories(said.person)) == 1
    edited = replace(said, text="I love natto. Don't remember this.", event_id="EvEdited")
    await reword(app, said, edited.text)
    await app.wiring.inbox.reopen(edited, changed_ts=LATER)
    app.script_calls(setting("do_not_remember"))
    await app.answering.drain(said.thread)
    assert nothing_kept(app, said)
    assert await app.memories(said.person) == []


def held_after(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> asyncio.Event:
    """Let calls of a method not return once it is done; the event is set then."""
    done, method = asyncio.Event(), getattr(owner, name)

    async def held(*given: Any, **more: Any) -> None:
        await method(*given, **more)
        done.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(owner, name, held)
    return done


async def stopped_after(app: App, committed: asyncio.Event, *calls: Call) -> Message:
    """Let the person press Stop as the last of these tool calls has committed."""
    app.script(function_calls=[{"name": name, "arguments": given} for name, given in calls])
    said = await app.receive(app.slack.place(), "I love natto")
    task = asyncio.create_task(app.answering.drain(said.thread))
    await asyncio.wait_for(committed.wait(), 15)
    await app.wiring.inbox.interrupt(said.thread, stopped_ts=LATER)
    await asyncio.wait_for(task, 15)
    assert app.turn(said)["status"] == "stopped"
    return said


async def test_a_memory_stored_as_the_person_stopped_gets_its_notice(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notice of a change that Stop kept from being told was added with the change."""
    committed = held_after(monkeypatch, Former, "commit")
    await noticed(app, await stopped_after(app, committed, REMEMBER))
