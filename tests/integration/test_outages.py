"""While the model is away: each message gets an interim reply, which becomes its answer later."""

from __future__ import annotations

from typing import Any

import pytest

from bot.acts.kinds import Forget, Switch
from bot.answering.fixed_replies import MAX_HELD_ATTEMPTS
from bot.answering.turn import MOST_TRIES
from bot.conversation.inbox import stop_thread
from bot.locale import say
from bot.slack.messages import Message
from memory import FormationUnavailable
from tests.integration.app import App, MakeApp
from tests.integration.interface import Answer
from tests.integration.messages import LATER, changed, pressable
from tests.integration.playground_slack import PersonThread

WAITING = say("en", "held")


def due_in(app: App, message: Message) -> float | None:
    """Return the seconds until a message may be begun; None if it does not wait."""
    if app.event(message)["ended_at"] is not None:
        return None
    return app.answering.put_off.get(message.thread, 0.0)


def let_half_an_hour_pass(
    app: App, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let a message and its job have waited for the model as long as they may."""
    app.answering.attempts[message.thread] = MAX_HELD_ATTEMPTS
    monkeypatch.setattr("bot.answering.fixed_replies._INTERIM_SECONDS", 0.0)


def back(app: App) -> None:
    """Let the model answer again, and what is asked of it be counted again."""
    app.stand_in.call("/_model/faults", method="DELETE")
    app.core.model.breaker.answered()


async def forget_everything(app: App, message: Message) -> Answer:
    """Forget everything of a message's person, its texts too."""
    return await app.click(message.person, Forget(everything=True))


async def drain(app: App, message: Message) -> None:
    """Answer what waits in a message's thread, whenever it may be begun."""
    assert due_in(app, message) is not None
    await app.answering.drain(message.thread)


async def held(
    app: App, text: str = "Hello", place: PersonThread | None = None
) -> Message:
    """Receive a message while the model is away, and let it be held."""
    app.fault(status=500, times=-1)
    message = await app.receive(place or app.slack.place(), text)
    await drain(app, message)
    return message


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A stream that still runs is to be deleted.",
)
@pytest.mark.parametrize(
    "how",
    [
        {"status": 500},
        {"drop": True},
        {"event": "failed"},
        {"break_after_chars": 20},
        {"status": 429},
    ],
    ids=str,
)
async def test_the_interim_reply_becomes_the_answer(
    app: App, how: dict[str, Any]
) -> None:
    """The person is told that their message is safe; the answer takes the place of that."""
    place = app.slack.place()
    app.fault(times=-1, **how)
    asked = await app.receive(place, "I like ramen. And what do you like best of all?")
    await drain(app, asked)
    assert app.replies(asked) == [WAITING]
    assert app.event(asked)["status"] == "waiting"
    assert (due_in(app, asked) or 0) <= 5
    back(app)
    app.script("Sushi, of course.")
    await drain(app, asked)
    assert app.replies(asked) == ["Sushi, of course."]
    turn = app.turn(asked)
    shown = [message["ts"] for message in app.shown(asked)]
    assert (turn["status"], turn["reply_ts"]) == ("answered", shown)
    assert turn["words"] == "I like ramen. And what do you like best of all?"
    assert app.event(asked)["status"] == "answered"
    assert len(app.formations(asked.person)) == 1
    assert due_in(app, asked) is None


async def test_one_interim_reply_tells_a_person_and_a_thread_of_an_outage(
    app: App,
) -> None:
    """What waits behind it, or is written elsewhere, gets no other one; the order is kept."""
    ann, team = app.slack.person()
    bob, _ = app.slack.person()
    channel = app.slack.channel("public", ann, bob)
    places = [PersonThread(user, team, channel, "", "") for user in (ann, bob)]
    app.fault(status=500, times=-1)
    first = await app.receive(places[0], "one")
    second = await app.receive(places[1], "two", thread_ts=first.ts)
    elsewhere = await app.receive(places[0], "three")
    for _ in range(2):
        await drain(app, first)
    assert (due_in(app, first) or 0) > 3
    await drain(app, elsewhere)
    assert app.replies(first) == [WAITING]
    assert app.replies(elsewhere) == []
    back(app)
    for message in (first, second, elsewhere):
        await drain(app, message)
    assert [p[-1]["content"].split()[-1] for p in app.prompts()][-3:] == [
        "one",
        "two",
        "three",
    ]
    assert len(app.replies(first)) == 2
    assert len(app.replies(elsewhere)) == 1
    assert WAITING not in app.replies(first)
    assert app.turn(second)["user_id"] == bob


async def test_an_answer_ends_what_a_person_was_told_of_an_outage(app: App) -> None:
    """The next outage is told again, by one interim reply; others' answers do not matter."""
    place = app.slack.place()
    first = await held(app, "one", place)
    assert app.replies(first) == [WAITING]
    back(app)
    await app.ask(app.slack.place(), "Somebody else's")
    app.fault(status=500, times=-1)
    elsewhere = await held(app, "two", place)
    assert app.replies(elsewhere) == []
    back(app)
    for message in (first, elsewhere):
        await drain(app, message)
    again = await held(app, "three", place)
    assert app.replies(again) == [WAITING]


async def test_what_waits_for_half_an_hour_is_given_up(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After half an hour the person is told in one sentence; the operator finds it as failed."""
    asked = await held(app, "I like ramen")
    let_half_an_hour_pass(app, asked, monkeypatch)
    await drain(app, asked)
    assert app.replies(asked) == [say("en", "held_too_long")]
    event = app.event(asked)
    assert (event["status"], event["message"]) == ("failed", None)
    assert due_in(app, asked) is None
    assert len(app.formations(asked.person)) == 1


async def test_a_message_is_not_given_up_for_how_long_another_one_waited(
    app: App,
) -> None:
    """The first message of a thread is deleted; its job goes on with the second one."""
    place = app.slack.place()
    first = await held(app, "one", place)
    second = await app.receive(place, "two", thread_ts=first.ts)
    app.answering.attempts[first.thread] = MAX_HELD_ATTEMPTS
    await app.withdraw(first)
    await drain(app, second)
    assert app.event(second)["status"] == "waiting"


async def test_an_edited_message_waits_for_half_an_hour_of_its_own(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not given up by the time of its earlier text, and answered as it reads then."""
    asked = await held(app, "I like ramen")
    app.answering.attempts[asked.thread] = MAX_HELD_ATTEMPTS
    monkeypatch.setattr("bot.answering.fixed_replies._INTERIM_SECONDS", 1e-6)
    edit = changed(asked, "I like sushi")
    edit["event"]["ts"] = LATER
    await app.note(edit)
    for _ in range(2):
        await drain(app, asked)
        assert app.replies(asked) == [WAITING]
    back(app)
    app.script("Sushi is good.")
    await drain(app, asked)
    assert app.replies(asked) == ["Sushi is good."]


async def test_an_edited_message_is_answered_without_what_it_said_before(
    app: App,
) -> None:
    """What was remembered of the old words alone is not in view of the answer to the new ones."""
    place = app.slack.place()
    asked = await held(app, "I love ramen", place)
    here = PersonThread(
        place.user, place.team, asked.channel_id, asked.ts, asked.thread_ts
    )
    await app.interface.point_at(here, asked.person, "remember_this")
    assert len(await app.memories(asked.person)) == 1
    await app.note(changed(asked, "I love sushi"))
    back(app)
    await drain(app, asked)
    assert "ramen" not in app.context()
    assert "ramen" not in "".join(app.replies(asked))
    await app.ask(place, "What shall I eat?")
    assert "ramen" in app.context()


async def test_a_person_agrees_to_memory_after_a_reply_that_did_not_ask(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence in place of an answer does not ask for consent; the next answer does, once."""
    app = await make_app(consent="ask")
    place = app.slack.place()
    asked = await held(app, "Hello", place)
    let_half_an_hour_pass(app, asked, monkeypatch)
    await drain(app, asked)
    back(app)
    shown = [str(app.shown(await app.ask(place, "Hello again"))) for _ in range(2)]
    assert [say("en", "consent_ask") in one for one in shown] == [True, False]


async def test_a_model_that_is_down_is_not_asked_for_every_message(app: App) -> None:
    """Once it is known to be away nobody's message costs a request; each person is told."""
    app.fault(status=500, times=-1)
    places = [app.slack.place() for _ in range(5)]
    for place in places:
        message = await app.receive(place, "Hello")
        await drain(app, message)
        assert app.replies(message) == [WAITING]
        assert due_in(app, message) is not None
    asked = [text for text in app.request_texts() if "Hello" in text]
    assert len(asked) == 1
    assert len(app.prompts()) == 2, "The other one is the probe."


async def test_a_message_deleted_while_it_waits_takes_the_interim_reply_along(
    app: App,
) -> None:
    """Deleting the message ends the wait at once: reply and words are gone."""
    asked = await held(app, "I like ramen")
    await app.withdraw(asked)
    await app.follow_changes()
    assert app.replies(asked) == []
    turn = app.turn(asked)
    assert (turn["status"], turn["question"], turn["words"]) == ("deleted", "", "")
    assert app.formations(asked.person) == []


async def test_who_deletes_the_message_with_the_interim_reply_gets_another_one(
    app: App,
) -> None:
    """What waits does not go on in silence; the deletion of another message changes nothing."""
    place = app.slack.place()
    first = await held(app, "one", place)
    second = await app.receive(place, "two")
    await drain(app, second)
    assert app.replies(second) == []
    await app.withdraw(first)
    await app.follow_changes()
    await drain(app, second)
    assert app.replies(second) == [WAITING]
    await app.withdraw(await held(app, "three", place))
    fourth = await held(app, "four", place)
    assert app.replies(fourth) == [], "The reply below the second one stays."


async def test_stop_ends_the_wait(app: App) -> None:
    """Stop pressed while the model is away: the next attempt says so and asks nothing."""
    asked = await held(app)
    await stop_thread(app.core, asked.thread, stopped_ts=LATER)
    asks = len(app.prompts())
    await drain(app, asked)
    assert app.replies(asked) == [say("en", "stopped")]
    assert len(app.prompts()) == asks
    turn = app.turn(asked)
    assert turn["status"] == "stopped"
    # No button asks about a removal that the words ask for, so they remove by themselves.
    assert turn["removal_proposed"] is False


async def test_a_request_about_memory_needs_no_model(app: App) -> None:
    """Memory is switched off, and the person told, while the model is away."""
    app.fault(status=503, times=-1)
    asked = await app.receive(app.slack.place(), "pause your memory")
    await drain(app, asked)
    assert app.event(asked)["status"] == "answered"
    assert pressable(app.shown(asked), Switch)


async def test_what_was_forgotten_while_it_waited_is_answered_and_not_kept(
    app: App,
) -> None:
    """Everything is forgotten while a message waits: its answer comes, its words do not return."""
    asked = await held(app, "I like ramen")
    await forget_everything(app, asked)
    back(app)
    app.script("Noted.")
    await drain(app, asked)
    assert app.replies(asked) == ["Noted."]
    turn = app.turn(asked)
    assert (turn["status"], turn["question"], turn["words"]) == ("answered", "", "")
    assert turn["reply"] is None, "It may repeat what was forgotten."
    assert app.formations(asked.person) == []


async def test_nothing_is_lost_or_comes_back_that_is_forgotten_in_an_outage_of_an_hour(
    app: App,
) -> None:
    """Words of before the forgetting are formed when the model is back, but for the forgotten.

    Nor does an edit of its message bring that back.
    """
    place = app.slack.place()
    gone = await app.ask(place, "I love ramen")
    await app.form(gone)
    [ramen] = await app.memories(gone.person)
    waiting = await app.ask(place, "I love natto and I live in Osaka")
    app.fault(status=503, times=-1)
    app.fault(status=503, times=-1, kind="formation")
    await app.click(gone.person, Forget(keys=(ramen.key,)))
    later = await app.receive(place, "I love tempura")
    await app.end_undo(gone.person)
    with pytest.raises(FormationUnavailable):
        await app.form(waiting)
    assert app.turn(waiting)["words"] == waiting.text
    await app.change(gone, "I love ramen a lot")
    back(app)
    await drain(app, later)
    await app.form(waiting)
    told = str([one.content for one in await app.memories(gone.person)])
    said = {word for word in ("ramen", "natto", "Osaka", "tempura") if word in told}
    assert said == {"natto", "Osaka", "tempura"}


async def test_what_fails_by_itself_is_given_up_after_three_tries(app: App) -> None:
    """The person is told that it is tried again, and in the end that this message is the cause."""
    app.fault(match="poison", status=500, times=-1)
    asked = await app.receive(app.slack.place(), "poison")
    replies = []
    for _ in range(MOST_TRIES):
        assert due_in(app, asked) is not None
        await drain(app, asked)
        replies += app.replies(asked)
    again = say("en", "held")
    assert replies == [again, again, say("en", "model_failed")]
    assert app.event(asked)["status"] == "failed"
    assert due_in(app, asked) is None


async def test_an_outage_is_no_failure_of_a_message(app: App) -> None:
    """What waited for the model is tried as often as any other message once it fails by itself."""
    asked = await held(app, "poison")
    await drain(app, asked)
    back(app)
    app.fault(match="poison", status=500, times=-1)
    for _ in range(MOST_TRIES):
        assert app.event(asked)["status"] == "waiting"
        await drain(app, asked)
    assert app.replies(asked) == [say("en", "model_failed")]


async def test_an_answer_without_tools_says_so(app: App) -> None:
    """Where only the tools make the model fail, it is asked without them."""
    app.fault(match="Hello", times=2, status=400)
    asked = await app.ask(app.slack.place(), "Hello")
    whole, reduced = app.requests()[-2:]
    assert whole["tools"]
    assert not reduced["tools"]
    assert app.replies(asked)[0].endswith(say("en", "without_tools"))
    assert app.turn(asked)["status"] == "answered"


@pytest.mark.parametrize(
    "fault",
    [{"event": "failed", "error_code": "server_error"}, {"break_after_chars": 5}],
    ids=str,
)
async def test_a_response_that_fails_once_is_asked_for_once_more(
    app: App, fault: dict[str, Any]
) -> None:
    """With all that it had, so that nothing has to be said of it."""
    app.fault(match="Hello", **fault)
    asked = await app.ask(app.slack.place(), "Hello")
    assert app.requests()[-1]["tools"]
    assert say("en", "without_tools") not in app.replies(asked)[0]


async def test_a_context_that_is_exceeded_leaves_out_and_says_so(app: App) -> None:
    """The history goes last, after it the message is too long; nothing else is forgotten."""
    place = app.slack.place()
    await app.ask(place, "I like ramen")
    app.fault(match="And now?", times=1, error_code="context_length_exceeded")
    asked = await app.ask(place, "And now?")
    roles = [item["role"] for item in app.prompts()[-1]]
    assert roles == ["system", "user"]
    assert app.replies(asked)[0].endswith(say("en", "without_earlier"))
    app.fault(match="And then?", times=-1, error_code="context_length_exceeded")
    asked = await app.ask(place, "And then?")
    assert app.replies(asked) == [say("en", "model_too_long")]
