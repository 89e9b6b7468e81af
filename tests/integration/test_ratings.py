"""Ratings of answers: they are counted, and nothing else is kept of them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.slack.messages import Message
from memory import Person
from memory.metrics import recorded
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


async def test_a_rating_is_counted_and_nothing_else_happens(app: App) -> None:
    """Whoever clicks; Slack itself shows which side was pressed."""
    asked = await app.ask(app.slack.place(channel="public"), "What shall I eat?")
    user, _ = app.slack.person()
    app.slack.control("channels/update", {"channel": asked.channel_id, "add": [user]})
    answered = app.shown(asked)
    counted: list[tuple[str, float, dict[str, str]]] = []
    with recorded(lambda *_: None, lambda *one: counted.append(one)):
        for who in (asked.person, Person(asked.team_id, user)):
            for side in ("positive", "negative"):
                assert await rate(app, who, asked, side) == Answer()
    found = [one for one in counted if one[0] == "ratings"]
    good = ("ratings", 1.0, {"rating": "good"})
    bad = ("ratings", 1.0, {"rating": "bad"})
    assert found == [good, bad, good, bad]
    assert app.shown(asked) == answered


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
