"""Below an answer: what it rests on, for its asker alone, and how good it was."""

from __future__ import annotations

from typing import Any

import pytest

from bot.locale import say
from bot.slack.messages import Message
from memory import Person, PersonMessage, add_memories
from memory.metrics import recorded
from tests.integration.app import App
from tests.integration.interface import Answer
from tests.integration.playground_slack import PersonThread
from tests.person import Place, elements, shown

FACTS = ("My manager is Penelope", "I live in Ithaca", "I am on call on Mondays")


async def asker(app: App) -> PersonThread:
    """Return where somebody asks in a public channel who has said these facts in public."""
    place = app.slack.place(channel="public", name="Mia")
    person = Person(place.team, place.user)
    for fact in FACTS:
        said = PersonMessage(actor="command", text=fact)
        await add_memories(
            app.pool,
            app.embedder,
            person.namespace("public"),
            "UserFact",
            [({"fact": fact}, said)],
        )
    return place


def offers(app: App, asked: Message) -> list[dict[str, Any]]:
    """Return the buttons that open what an answer rests on."""
    answer = {**app.shown(asked)[-1], "channel": asked.channel_id}
    return [
        {"message": answer, **one}
        for one in elements(answer)
        if '"list":"cited"' in str(one.get("value"))
    ]


async def test_an_answer_offers_its_asker_the_memories_that_it_rests_on(
    app: App,
) -> None:
    """Exactly those, each with its sentence and *Forget*; others get one sentence."""
    place = await asker(app)
    app.script("It is Penelope[M1], and you are on call on Mondays [m3, m9].")
    asked = await app.ask(place, "Who is my manager, and when am I on call?")
    text = "It is Penelope, and you are on call on Mondays."
    assert app.replies(asked) == [text]
    assert app.turn(asked)["reply"] == text
    [button] = offers(app, asked)
    assert button["text"]["text"] == say("en", "cited_button", count=2)
    message = button.pop("message")
    opened = await app.interface.press(asked.person, message, button)
    assert opened.form is not None
    assert [fact in shown(opened.form) for fact in FACTS] == [True, False, True]
    other, _ = app.slack.person(name="Ben")
    app.slack.control("channels/update", {"channel": place.channel, "add": [other]})
    theirs = await app.interface.press(Person(place.team, other), message, button)
    assert theirs.form is not None
    assert say("en", "cited_not_yours") in shown(theirs.form)
    assert not any(fact in shown(theirs.form) for fact in FACTS)
    form = opened.form
    for _ in range(2):
        done = await app.interface.press_in_form(asked.person, form, "forget")
        assert done.form is not None
        form = done.form
    assert say("en", "cited_gone") in shown(form)
    assert [one.content["fact"] for one in await app.memories(asked.person)] == [
        FACTS[1]
    ]


@pytest.mark.parametrize(
    "answer", ["Rivers end in the sea.", "See `[m1]` and [m99].", "[m1](Penelope)"]
)
async def test_an_answer_that_cites_nothing_offers_nothing(
    app: App, answer: str
) -> None:
    """However many memories there are, and whatever words they share with it."""
    place = await asker(app)
    app.script(answer)
    asked = await app.ask(place, "Where do rivers end?")
    assert offers(app, asked) == []


async def test_the_next_prompt_shows_what_an_earlier_answer_rests_on(app: App) -> None:
    """As far as the memory is still there."""
    place = await asker(app)
    app.script("It is Penelope [m1].")
    asked = await app.ask(place, "Who is my manager?")
    await app.ask(place, "And who else?", thread_ts=asked.thread_ts)
    answers = [
        one["content"] for one in app.prompts()[-1] if one["role"] == "assistant"
    ]
    assert answers == ["It is Penelope. [m1]"]


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
    app.script("Ramen, if you like it, or else what the market has today. " * 2)
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
    """Errors, acknowledgements, the app's own sentences and first parts of an answer."""
    place = app.slack.place()
    said = await app.ask(place, "I love ramen")
    assert ratings(app, said) == []
    await app.form(said)
    cited = await app.ask(place, "What do I love?")
    assert len(ratings(app, cited)) == 1
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
