"""Memories of direct messages that are not used in a channel: said once there, to one person."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest

from bench.recording import traced
from bot.locale import LANGUAGES, Language, say
from bot.slack.messages import Message
from bot.views.audiences import MOVE_ACTION
from bot.views.modal_triggers import USE_HERE_ACTION, WHY_UNUSED_ACTION
from memory import Person, Pool
from tests.conftest import ROOT, Server, json_server
from tests.integration.app import App, MakeApp, open_app, receiving
from tests.integration.playground_slack import PersonThread, PlaygroundSlack
from tests.integration.test_audiences import remembered

FOODS = ("ramen", "soba", "udon")


# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


def told(app: App, channel: str, user: str) -> list[dict[str, Any]]:
    """Return the hints that a person sees in a channel."""
    seen = app.slack.control(f"channels/{channel}/messages?as={user}")["messages"]
    return [message for message in seen if USE_HERE_ACTION in json.dumps(message)]


def person_in(
    app: App, kind: str = "public", foods: tuple[str, ...] = FOODS, **person: str
) -> PersonThread:
    """Return the place of a person who named these foods in direct messages."""
    place = app.slack.place(channel=kind, **person)
    for food in foods:
        remembered(app, app.person(place), "dm", food)
    return place


async def ask(app: App, place: PersonThread) -> Message:
    """Ask in the conversation of a place, in a thread of its own."""
    return await app.ask(place, "What should I eat today?")


@pytest.mark.parametrize("kind", ["public", "private", "mpim", "connect"])
async def test_it_is_said_once_and_to_one_person(app: App, kind: str) -> None:
    """The person alone sees a number and no memory, and the model sees none either."""
    place, (other, _) = person_in(app), app.slack.person()
    place = replace(place, channel=app.slack.channel(kind, place.user, other))
    asked = await ask(app, place)
    assert not any(food in app.request_texts()[-1] for food in FOODS)
    assert app.turn(asked)["recalled"] == []
    [hint] = told(app, place.channel, place.user)
    assert hint["is_ephemeral"]
    assert hint["thread_ts"] == asked.ts
    assert say("en", "hint_unused", count=3) in json.dumps(hint, ensure_ascii=False)
    assert not any(food in json.dumps(hint) for food in FOODS)
    assert told(app, place.channel, other) == []
    await ask(app, place)
    assert told(app, place.channel, place.user) == [hint]


async def test_it_is_said_once_over_a_restart_and_in_each_channel(
    app: App, make_app: MakeApp
) -> None:
    """Another process shows no second hint in a channel; each other channel gets its own."""
    place = person_in(app)
    await ask(app, place)
    restarted = await make_app()
    await ask(restarted, place)
    assert len(told(app, place.channel, place.user)) == 1
    elsewhere = app.slack.channel("public", place.user)
    await ask(restarted, replace(place, channel=elsewhere))
    assert len(told(app, elsewhere, place.user)) == 1


async def test_two_messages_at_once_say_it_once(app: App) -> None:
    """Whichever turn notes the channel first shows it."""
    place = person_in(app)
    messages = [await app.receive(place, f"What should I eat on day {n}?") for n in range(2)]
    await asyncio.gather(*(app.answering.drain(message.thread) for message in messages))
    assert len(told(app, place.channel, place.user)) == 1


async def test_it_costs_nothing_once_it_was_said(app: App) -> None:
    """The memories are counted by one statement, and by none after it was said in a channel."""
    place = person_in(app)
    sent: list[list[str]] = []
    with traced(calls=False) as take:
        for _ in range(2):
            await ask(app, place)
            sent.append([one.text for one in take().statements])
    first, second = ([text for text in texts if "hint_channels ||" in text] for texts in sent)
    assert (len(first), len(second)) == (1, 0)
    counts = [sum("SELECT count(*) AS n FROM store" in text for text in texts) for texts in sent]
    assert counts == [1, 0]


@pytest.mark.parametrize("case", ["dm", "nothing", "paused", "failed", "not allowed"])
async def test_where_nothing_is_left_out_nothing_is_said(
    app: App, make_app: MakeApp, case: str
) -> None:
    """In a direct message, without memories or with memory off, without an answer."""
    place = person_in(app, "dm" if case == "dm" else "public", () if case == "nothing" else FOODS)
    person = app.person(place)
    if case == "nothing":
        remembered(app, person, "public", "sushi")
        remembered(app, Person(app.slack.team_id, app.slack.person()[0]), "dm", "tempura")
    elif case == "paused":
        await app.wiring.controls.pause(person)
    elif case == "failed":
        app.fault(status=400)
    elif case == "not allowed":
        app = await make_app(allowed_channels=frozenset({"C0OTHER"}))
    asked = await ask(app, place)
    app.stand_in.call("/_model/faults", method="DELETE")
    assert bool(app.shown(asked)) == (case != "not allowed")
    assert case != "failed" or app.turn(asked)["status"] == "failed"
    assert told(app, place.channel, place.user) == []
    stored = app.rows("SELECT hint_channels FROM person_settings WHERE user_id = %s", place.user)
    assert [row["hint_channels"] for row in stored if row["hint_channels"]] == []


@pytest.fixture
def own_slack() -> Iterator[PlaygroundSlack]:
    """A playground of one test: no event of another test is sent to the app."""
    with json_server("playground", "--manifest", str(ROOT / "manifest.yml"), "--no-model") as one:
        yield PlaygroundSlack(one)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_person_chooses_what_to_use(
    own_slack: PlaygroundSlack,
    pool: Pool,
    database: str,
    stand_in: Server,
    model_client: openai.AsyncOpenAI,
    language: Language,
) -> None:
    """A memory that is chosen in the modal is in the next prompt there; *Why?* explains."""
    app = await open_app(pool, database, own_slack, stand_in, model_client)
    place = person_in(app, locale={"en": "en-US", "ja": "ja-JP"}[language])
    await ask(app, place)
    [hint] = told(app, place.channel, place.user)

    async def click(action: str, **on: str) -> dict[str, Any]:
        body = {"user": place.user, "action_id": action, **on}
        done = await asyncio.to_thread(app.slack.control, "actions", body)
        assert done["ok"], done
        return body

    async def modal(text: str) -> dict[str, Any]:
        async with asyncio.timeout(15):
            while True:
                shown = await asyncio.to_thread(app.slack.control, f"views?as={place.user}")
                views = [v for v in shown["views"] if text in json.dumps(v, ensure_ascii=False)]
                if views:
                    return dict(views[-1])
                await asyncio.sleep(0.02)

    on_hint = {"channel": place.channel, "message_ts": hint["ts"]}
    async with receiving(app):
        await click(WHY_UNUSED_ACTION, **on_hint)
        why = await modal(say(language, "hint_why"))
        await asyncio.to_thread(
            app.slack.control, "views/close", {"view_id": why["id"], "user": place.user}
        )
        await click(USE_HERE_ACTION, **on_hint)
        view = await modal("udon")
        assert say(language, "move_here_public") in json.dumps(view, ensure_ascii=False)
        for food in FOODS:
            [block] = [b for b in view["blocks"] if food in json.dumps(b) and "accessory" in b]
            assert block["accessory"]["action_id"] == MOVE_ACTION
            await click(MOVE_ACTION, view_id=view["id"], block_id=block["block_id"])
            left = len(FOODS) - 1 - FOODS.index(food)
            async with asyncio.timeout(15):
                while json.dumps(view).count(f'"{MOVE_ACTION}"') != left:
                    await asyncio.sleep(0.02)
                    view = await modal(food)
    asked = await ask(app, place)
    assert all(food in app.request_texts()[-1] for food in FOODS)
    assert len(app.turn(asked)["recalled"]) == len(FOODS)
    assert len(told(app, place.channel, place.user)) == 1
