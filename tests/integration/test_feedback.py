"""Ratings of replies: whose they are, and what is kept with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.locale import say
from bot.memories.feedback import Feedback
from bot.memories.data import erase_person, export_person
from bot.runtime.maintenance import end_what_is_old
from bot.slack.messages import Message
from bot.ui.feedback import feedback_form, parse_rating
from memory import Person
from tests.conftest import ROOT, owner_rows
from tests.integration.app import App
from tests.integration.messages import says

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


@pytest.fixture
def feedback(app: App) -> Feedback:
    """What is tested."""
    return app.wiring.modals.feedback


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


def submitted(value: str, comment: str = "") -> dict[str, Any]:
    """Return the submitted form of a button with `value`."""
    _, turn = parse_rating(value)
    state = {"comment": {"value": {"value": comment}}}
    return {**feedback_form("en", turn, ""), "state": {"values": state}}


async def commented(app: App, feedback: Feedback, asked: Message, comment: str) -> str:
    """Let a person rate an answer as bad, with a comment; return the value of the button."""
    _, bad = values(app, asked)
    await feedback.form(asked.person, "en", bad)
    await feedback.explained(asked.person, "en", submitted(bad, comment))
    return bad


async def test_a_second_rating_replaces_the_first(app: App, feedback: Feedback) -> None:
    """A good rating is stored without an answer; a bad one asks for a comment, which it keeps."""
    asked = await app.ask(app.slack.place(), "What shall I eat?")
    good, bad = values(app, asked)
    who = asked.person
    assert await feedback.clicked(who, "en", good) is None
    [row] = stored(app, who)
    assert (row["turn_id"], row["rating"], row["comment"]) == (app.turn(asked)["id"], "good", "")

    form = await feedback.form(who, "en", bad)
    assert form["callback_id"] == "feedback_form"
    done = await feedback.explained(who, "en", submitted(bad, "I said ramen."))
    assert says(done, "feedback_thanks")
    [row] = stored(app, who)
    assert (row["rating"], row["comment"]) == ("bad", "I said ramen.")
    again = await feedback.form(who, "en", bad)
    assert "I said ramen." in json.dumps(again)
    assert await feedback.clicked(who, "en", good) is None
    [row] = stored(app, who)
    assert (row["rating"], row["comment"]) == ("good", "")


async def test_only_who_asked_can_rate(app: App, feedback: Feedback) -> None:
    """Somebody else who clicks is told so, and nothing is stored, of either button."""
    asked = await app.ask(app.slack.place(), "hello")
    good, bad = values(app, asked)
    other = Person(asked.team_id, app.slack.person()[0])
    answer = await feedback.clicked(other, "en", good)
    view = await feedback.form(other, "en", bad)
    await feedback.explained(other, "en", submitted(bad, "x"))
    assert answer is not None
    assert answer["text"] == say("en", "feedback_others")
    assert says(view, "feedback_others")
    assert stored(app, other) == stored(app, asked.person) == []


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


async def test_feedback_is_taken_along_and_erased(app: App, feedback: Feedback) -> None:
    """A person's export holds their ratings; erasing takes them, as does the end of their turn."""
    place = app.slack.place()
    asked = await app.ask(place, "hello")
    bad = await commented(app, feedback, asked, "No.")
    document = await export_person(app.pool, asked.person, app.wiring.connections.settings)
    [one] = document["feedback"]
    assert (one["ts"], one["rating"], one["comment"]) == (asked.ts, "bad", "No.")
    erased = await erase_person(app.pool, asked.person)
    assert (erased.counts["feedback"], erased.left["feedback"]) == (1, 0)
    late = await feedback.explained(asked.person, "en", submitted(bad, "x"))
    assert says(late, "feedback_too_late")
    again = await app.ask(place, "hello again")
    await feedback.clicked(again.person, "en", values(app, again)[0])
    app.rows(
        "UPDATE turns SET intended_at = now() - interval '40 days' WHERE question_ts = %s"
        " RETURNING id",
        again.ts,
    )
    await end_what_is_old(app.pool, 30)
    assert stored(app, again.person) == []


async def test_a_comment_goes_with_what_is_forgotten(app: App, feedback: Feedback) -> None:
    """Forgetting everything takes the words people wrote about answers along."""
    asked = await app.ask(app.slack.place(), "I love ramen")
    await commented(app, feedback, asked, "ramen!")
    await app.wiring.memory_actions.everything_forgotten(asked.person, "en")
    [row] = stored(app, asked.person)
    assert (row["rating"], row["comment"]) == ("bad", "")


async def test_comments_that_name_what_is_forgotten_go_with_it(
    app: App, feedback: Feedback
) -> None:
    """Forgetting a memory blanks comments that name it, on any answer, and no other comment."""
    place = app.slack.place()
    told = await app.ask(place, "I love ramen")
    await app.form(told)
    for comment in ("You forgot that I love ramen.", "Too long."):
        app.script("Hello.")
        await commented(app, feedback, await app.ask(place, "Good morning"), comment)
    [memory] = await app.memories(told.person)
    named = json.dumps({"memories": [memory.reference]})
    await app.wiring.memory_actions.forgotten(told.person, "en", named)
    left = {(row["rating"], row["comment"]) for row in stored(app, told.person)}
    assert left == {("bad", ""), ("bad", "Too long.")}


async def test_the_documented_query_prints_rated_answers(
    app: App, feedback: Feedback, database: str
) -> None:
    """The query of docs/how-to/style.md prints a JSON object for each rated answer."""
    app.script("The answer itself.")
    asked = await app.ask(app.slack.place(), "The question itself.")
    await commented(app, feedback, asked, "Too vague.")
    page = (ROOT / "docs" / "how-to" / "style.md").read_text("utf-8")
    query = page.split("<< 'SQL'\n")[1].split("SQL\n")[0]
    rows = [row["json_build_object"] for row in owner_rows(database, query)]
    assert rows[-1] == {
        "question": "The question itself.",
        "answer": "The answer itself.",
        "rating": "bad",
        "comment": "Too vague.",
    }
