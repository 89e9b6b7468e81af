"""Ratings of replies: whose they are, and what is kept with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.locale import say
from bot.slack.messages import Message
from bot.ui.acts import Forget
from memory import Person
from tests.integration.app import App
from tests.integration.interface import Answer
from tests.person import Place, elements


def ratings(app: App, message: Message) -> list[tuple[Place, dict[str, Any]]]:
    """Return each of the app's messages in a message's thread that can be rated, and by what."""
    return [
        (shown, element)
        for shown in app.shown(message)
        for element in elements(shown)
        if element["type"] == "feedback_buttons"
    ]


async def rate(app: App, who: Person, message: Message, side: str) -> Answer:
    """Click one side of the rating of an answer; return what is shown for it."""
    [(place, element)] = ratings(app, message)
    where = {**place, "channel": message.channel_id}
    return await app.interface.press(who, where, {**element, "value": side})


def stored(app: App, person: Person) -> list[dict[str, Any]]:
    """Return what is stored of a person's ratings."""
    return app.rows("SELECT * FROM feedback WHERE user_id = %s", person.user_id)


async def test_a_second_rating_replaces_the_first(app: App) -> None:
    """A good rating is stored without an answer; a bad one asks for a comment, which may be empty.

    The form keeps what was written, and closes.
    """
    asked = await app.ask(app.slack.place(), "What shall I eat?")
    who = asked.person
    answered = app.shown(asked)
    good = await rate(app, who, asked, "positive")
    assert good == Answer()
    assert app.shown(asked) == answered
    [row] = stored(app, who)
    assert (row["turn_id"], row["rating"], row["comment"]) == (
        app.turn(asked)["id"],
        "good",
        "",
    )

    bad = await rate(app, who, asked, "negative")
    done = await app.submit(who, bad, comment="I said ramen.")
    assert done == Answer()
    [row] = stored(app, who)
    assert (row["rating"], row["comment"]) == ("bad", "I said ramen.")
    again = await rate(app, who, asked, "negative")
    assert "I said ramen." in json.dumps(again.form)
    assert await app.submit(who, again, comment="") == Answer()
    [row] = stored(app, who)
    assert (row["rating"], row["comment"]) == ("bad", "")
    await rate(app, who, asked, "positive")
    [row] = stored(app, who)
    assert (row["rating"], row["comment"]) == ("good", "")


async def test_a_rating_counts_before_the_end_of_the_turn_is_stored(app: App) -> None:
    """The buttons are in Slack first: a quick click is no click on another person's answer."""
    asked = await app.ask(app.slack.place(), "What shall I eat?")
    app.rows(
        "UPDATE messages SET status = 'waiting', ended_at = NULL WHERE id = %s RETURNING 1",
        app.turn(asked)["id"],
    )
    bad = await rate(app, asked.person, asked, "negative")
    assert bad.form is not None
    [row] = stored(app, asked.person)
    assert row["rating"] == "bad"


async def test_only_who_asked_can_rate(app: App) -> None:
    """Somebody else who clicks is told so beside the answer, and nothing is stored."""
    asked = await app.ask(app.slack.place(channel="public"), "hello")
    user, _ = app.slack.person()
    other = Person(asked.team_id, user)
    app.slack.control("channels/update", {"channel": asked.channel_id, "add": [user]})
    for side in ("positive", "negative"):
        answer = await rate(app, other, asked, side)
        assert (answer.line, answer.replaces) == (say("en", "others_answer"), False)
    assert stored(app, other) == stored(app, asked.person) == []


async def test_a_comment_on_the_answer_to_another_is_not_stored(app: App) -> None:
    """The person is told so, also where the turn is gone."""
    asked = await app.ask(app.slack.place(), "hello")
    opened = await rate(app, asked.person, asked, "negative")
    app.rows("DELETE FROM feedback WHERE user_id = %s RETURNING 1", asked.user_id)
    done = await app.submit(asked.person, opened, comment="x")
    assert (done.line, done.form) == (say("en", "others_answer"), None)
    assert stored(app, asked.person) == []


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A half answer is deleted while its stream runs.",
)
async def test_what_is_no_answer_cannot_be_rated(app: App) -> None:
    """Errors, sentences of the app's own and the first parts of an answer have no buttons."""
    place = app.slack.place()
    fault = {"endpoint": "responses", "kind": "reply", "error_code": "invalid_api_key"}
    app.stand_in.call("/_model/faults", fault)
    failed = await app.ask(place, "hello")
    assert ratings(app, failed) == []
    nothing = await app.ask(place, f"<@{app.slack.bot_user_id}>")
    assert ratings(app, nothing) == []
    app.script("\n\n".join(f"Line {n} of a long answer." for n in range(700)))
    long = await app.ask(place, "Tell me everything.")
    assert len(app.shown(long)) > 1
    [(place_rated, _)] = ratings(app, long)
    assert place_rated == app.shown(long)[-1]


async def test_comments_that_name_what_is_forgotten_go_with_it(app: App) -> None:
    """Forgetting a memory blanks comments that name it, on any answer, and no other comment."""
    place = app.slack.place()
    told = await app.ask(place, "I love ramen")
    await app.form(told)
    for text in ("You forgot that I love ramen.", "Too long."):
        app.script("Hello.")
        opened = await rate(
            app, told.person, await app.ask(place, "Good morning"), "negative"
        )
        await app.submit(told.person, opened, comment=text)
    [memory] = await app.memories(told.person)
    await app.click(told.person, Forget(keys=(memory.key,)))
    await app.end_undo(told.person)
    left = {(row["rating"], row["comment"]) for row in stored(app, told.person)}
    assert left == {("bad", ""), ("bad", "Too long.")}
