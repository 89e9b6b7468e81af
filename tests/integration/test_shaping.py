"""What shaped an answer: the button below it, and the window that it opens."""

from __future__ import annotations

import json

import pytest

from bot.locale import say
from bot.slack.messages import Message
from bot.ui.acts import ShowShaping, clicked_act
from memory import Person
from tests.integration.app import App
from tests.integration.interface import Answer
from tests.integration.messages import pressable, says
from tests.integration.playground_slack import PersonThread
from tests.memories import put_memory
from tests.person import elements

FOODS = ("ramen", "sushi", "soba", "udon", "natto", "tempura", "curry", "okonomiyaki")


def remember(app: App, person: Person) -> None:
    """Store more memories than are shown."""
    for food in FOODS:
        value = {
            "kind": "UserFoodPreference",
            "content": {"food_name": food},
            "sources": [],
        }
        put_memory(app.database, person.namespace("dm"), value)


async def ask(app: App, place: PersonThread, answer: str) -> Message:
    """Ask what to eat; the model gives this answer."""
    app.script(answer)
    return await app.ask(place, "What shall I eat?")


async def press(app: App, who: Person, message: Message) -> Answer:
    """Click the button below the answer to a message; return what is shown."""
    [(shown, element)] = [
        (one, element)
        for one in app.shown(message)
        for element in elements(one)
        if isinstance(clicked_act(element), ShowShaping)
    ]
    return await app.interface.press(
        who, {**shown, "channel": message.channel_id}, element
    )


async def test_the_click_shows_the_memories_that_are_near_and_marks_those_in_the_answer(
    app: App,
) -> None:
    """At most five, in a window of their own; the answer stays as it is."""
    place = app.slack.place()
    remember(app, app.person(place))
    asked = await ask(app, place, "How about soba, or a curry?")
    before = app.shown(asked)
    opened = await press(app, asked.person, asked)
    assert opened.form is not None
    rows = [one["text"]["text"] for one in opened.form["blocks"]]
    assert rows[0] == say("en", "shaping_note")
    assert len(rows) == 6
    mark = say("en", "shaping_in_answer")
    assert {row.split("\n")[0] for row in rows if mark in row} == {
        "Likes soba",
        "Likes curry",
    }
    assert app.shown(asked) == before


async def test_no_button_stands_where_no_memory_has_words_in_the_answer(
    app: App,
) -> None:
    """Nor below an acknowledgement and the work of a control tool."""
    place = app.slack.place()
    remember(app, app.person(place))
    assert pressable(app.shown(await ask(app, place, "A salad.")), ShowShaping) == []
    app.script("Understood: you like ramen.")
    told = await app.ask(place, "I like ramen")
    assert pressable(app.shown(told), ShowShaping) == []
    app.script_calls(
        ("memory_settings", {"action": "open"}), text="Ramen, soba: see below."
    )
    assert pressable(app.shown(await app.ask(place, "Show my list")), ShowShaping) == []


async def test_somebody_else_is_not_shown_what_shaped_an_answer(app: App) -> None:
    """They are told so beside the answer."""
    place = app.slack.place(channel="public")
    for food in FOODS:
        value = {
            "kind": "UserFoodPreference",
            "content": {"food_name": food},
            "sources": [],
        }
        put_memory(app.database, app.person(place).namespace("public"), value)
    asked = await ask(app, place, "How about soba?")
    user, _ = app.slack.person()
    app.slack.control("channels/update", {"channel": asked.channel_id, "add": [user]})
    answer = await press(app, Person(asked.team_id, user), asked)
    assert (answer.line, answer.form) == (say("en", "others_answer"), None)
    assert (await press(app, asked.person, asked)).form is not None


@pytest.mark.parametrize("forgotten", [True, False])
async def test_what_is_gone_is_said_in_one_sentence(app: App, forgotten: bool) -> None:
    """The texts of the question and answer, after KIOKU_HISTORY_DAYS; or all memories."""
    place = app.slack.place()
    remember(app, app.person(place))
    asked = await ask(app, place, "How about soba?")
    if forgotten:
        app.rows(
            "DELETE FROM store WHERE prefix LIKE %s RETURNING 1", f"%{place.user}%"
        )
    else:
        app.rows(
            "UPDATE messages SET question = '', words = '', reply = NULL RETURNING 1"
        )
    opened = await press(app, asked.person, asked)
    if not forgotten:
        assert (opened.line, opened.form) == (say("en", "others_answer"), None)
        return
    assert opened.form is not None
    assert len(opened.form["blocks"]) == 1
    assert says(opened.form, "shaping_none")
    assert "soba" not in json.dumps(opened.form)
