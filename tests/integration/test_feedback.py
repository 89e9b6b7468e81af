"""Ratings of replies: whose they are, and what is kept with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.locale import Reader, say
from bot.memories.feedback import comment
from bot.slack.messages import Message
from bot.ui.forms import COMMENT_FORM, comment_form
from bot.ui.panel import Click
from bot.ui.positions import FEEDBACK, FORGET
from memory import Person
from tests.integration.app import App
from tests.integration.messages import says


def values(app: App, message: Message) -> list[str]:
    """Return the values of the rating buttons in a message's thread."""
    return [
        side["value"]
        for shown in app.shown(message)
        for block in shown.get("blocks", [])
        if block["type"] == "context_actions"
        for element in block["elements"]
        for side in (element["positive_button"], element["negative_button"])
    ]


def stored(app: App, person: Person) -> list[dict[str, Any]]:
    """Return what is stored of a person's ratings."""
    return app.rows("SELECT * FROM feedback WHERE user_id = %s", person.user_id)


async def submit(app: App, who: Person, value: str, text: str) -> dict[str, Any]:
    """Submit the form of the button for a bad rating, with a comment; return what is shown."""
    reader = Reader("en")
    state = {"comment": {"value": {"value": text}}}
    view = {**comment_form(reader, value.split()[1], ""), "state": {"values": state}}
    return await comment(app.wiring.app, Click(person=who, reader=reader), view)


async def test_a_second_rating_replaces_the_first(app: App) -> None:
    """A good rating is stored without an answer; a bad one asks for a comment, which it keeps."""
    asked = await app.ask(app.slack.place(), "What shall I eat?")
    good, bad = values(app, asked)
    who = asked.person
    assert await app.click(who, FEEDBACK, good) is None
    [row] = stored(app, who)
    assert (row["turn_id"], row["rating"], row["comment"]) == (app.turn(asked)["id"], "good", "")

    form = await app.click(who, FEEDBACK, bad)
    assert form["callback_id"] == COMMENT_FORM
    done = await submit(app, who, bad, "I said ramen.")
    assert says(done, "feedback_thanks")
    [row] = stored(app, who)
    assert (row["rating"], row["comment"]) == ("bad", "I said ramen.")
    again = await app.click(who, FEEDBACK, bad)
    assert "I said ramen." in json.dumps(again)
    assert await app.click(who, FEEDBACK, good) is None
    [row] = stored(app, who)
    assert (row["rating"], row["comment"]) == ("good", "")


async def test_only_who_asked_can_rate(app: App) -> None:
    """Somebody else who clicks is told so, and nothing is stored, of either button."""
    asked = await app.ask(app.slack.place(), "hello")
    good, bad = values(app, asked)
    other = Person(asked.team_id, app.slack.person()[0])
    for value in (good, bad):
        answer = await app.click(other, FEEDBACK, value)
        assert (answer.line, answer.beside) == (say("en", "feedback_others"), True)
    assert says(await submit(app, other, bad, "x"), "feedback_others")
    assert stored(app, other) == stored(app, asked.person) == []


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message", because="A half answer is deleted while its stream runs."
)
async def test_what_is_no_answer_cannot_be_rated(app: App) -> None:
    """Errors, sentences of the app's own and the first parts of an answer have no buttons."""
    place = app.slack.place()
    fault = {"endpoint": "responses", "kind": "reply", "error_code": "invalid_api_key"}
    app.stand_in.call("/_model/faults", fault)
    failed = await app.ask(place, "hello")
    assert values(app, failed) == []
    assert app.turn(failed)["model"] is None
    nothing = await app.ask(place, f"<@{app.slack.bot_user_id}>")
    assert values(app, nothing) == []
    app.script("A line of a long answer.\n\n" * 700)
    long = await app.ask(place, "Tell me everything.")
    assert len(app.shown(long)) > 1
    assert len(values(app, long)) == 2
    assert "feedback" in json.dumps(app.shown(long)[-1]["blocks"])


async def test_comments_that_name_what_is_forgotten_go_with_it(app: App) -> None:
    """Forgetting a memory blanks comments that name it, on any answer, and no other comment."""
    place = app.slack.place()
    told = await app.ask(place, "I love ramen")
    await app.form(told)
    for text in ("You forgot that I love ramen.", "Too long."):
        app.script("Hello.")
        _, bad = values(app, await app.ask(place, "Good morning"))
        await app.click(told.person, FEEDBACK, bad)
        await submit(app, told.person, bad, text)
    [memory] = await app.memories(told.person)
    await app.click(told.person, FORGET, f"keys {memory.key}")
    left = {(row["rating"], row["comment"]) for row in stored(app, told.person)}
    assert left == {("bad", ""), ("bad", "Too long.")}
