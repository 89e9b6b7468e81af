"""A message that waits for its turn, or for PostgreSQL, is seen to wait: its session says so."""

from __future__ import annotations

import pytest

from bot.slack.messages import Message
from memory import EmbeddedPostgres, Person
from tests.frozen import frozen
from tests.integration.app import App, MakeApp
from tests.integration.messages import event_of
from tests.integration.playground_slack import PersonThread, PlaygroundSlack
from tests.waiting import until

SET = "agents.sessions.setStatus"


def session(app: App, message: Message) -> str:
    """Return the status of the agent session of a message's thread, "" where there is none."""
    shown = app.slack.control(
        f"channels/{message.channel_id}/messages?user={message.user_id}"
    )
    return next(
        (str(one["session"]) for one in shown["threads"] if one["ts"] == message.ts), ""
    )


def written(app: App, place: PersonThread) -> Message:
    """Let a person write a direct message, whose event is still on its way."""
    return app.written(place, "hello")


async def test_a_wait_that_slack_shows_late_does_not_outlast_the_answer(
    app: App,
) -> None:
    """Where Slack carries it out after the answer, `active` follows it."""
    message = written(app, app.slack.place())
    app.slack.fault(SET, delay_ms=3_000)
    assert await app.deliver(event_of(message)) == 200
    await until(lambda: app.slack.calls(SET))
    await app.answering.drain(message.thread)
    assert app.replies(message)
    await until(lambda: len(app.slack.done(SET)) == 3)
    assert [call["args"]["status"] for call in app.slack.calls(SET)] == [
        "processing",
        "processing",
        "active",
    ]
    assert session(app, message) == "active"


async def test_a_message_that_postgresql_does_not_take_is_seen_to_wait(
    app: App, postgres: EmbeddedPostgres
) -> None:
    """Slack delivers it again, and it is answered once PostgreSQL is back."""
    message = written(app, app.slack.place())
    with frozen(postgres):
        assert await app.deliver(event_of(message)) == 503
        await until(lambda: session(app, message) == "processing")
    assert await app.deliver(event_of(message)) == 200
    await app.answering.drain(message.thread)
    assert app.replies(message)
    await until(lambda: session(app, message) == "active")


async def test_each_message_that_waits_for_the_model_is_seen_to_wait(app: App) -> None:
    """One interim reply tells of the outage; the second message has the indicator alone."""
    place = app.slack.place()
    app.fault(status=500, times=-1)
    messages = [await app.receive(place, text) for text in ("one", "two")]
    for message in messages:
        await app.answering.drain(message.thread)
    assert [len(app.replies(message)) for message in messages] == [1, 0]
    await until(lambda: {session(app, one) for one in messages} == {"processing"})
    app.stand_in.call("/_model/faults", method="DELETE")
    app.core.model.breaker.answered()
    for message in messages:
        await app.answering.drain(message.thread)
    await until(lambda: {session(app, one) for one in messages} == {"active"})
    assert [len(app.replies(message)) for message in messages] == [1, 1]


async def test_a_wait_that_ends_without_an_answer_is_not_seen_any_more(
    app: App,
) -> None:
    """Its author has deleted the message."""
    message = written(app, app.slack.place())
    assert await app.deliver(event_of(message)) == 200
    await until(lambda: session(app, message) == "processing")
    await app.change(message, None)
    await until(lambda: session(app, message) == "active")


async def test_who_may_not_use_the_app_is_not_shown_a_wait(
    make_app: MakeApp, slack: PlaygroundSlack, postgres: EmbeddedPostgres
) -> None:
    """Nothing of theirs is answered, also while PostgreSQL is away."""
    user, team = slack.person()
    app = await make_app(allowed_users=[user])
    refused = written(app, slack.place())
    dm = slack.control(f"channels/dm/messages?user={user}")["channel"]
    allowed = written(app, PersonThread(user, team, dm, "1.0", "1.0"))
    with frozen(postgres):
        for message in (refused, allowed):
            assert await app.deliver(event_of(message)) == 503
        await until(lambda: session(app, allowed) == "processing")
    assert session(app, refused) == ""
    await app.core.sessions.close()


@pytest.mark.parametrize(("locale", "language"), [("ja-JP", "ja"), ("en-US", "en")])
async def test_what_is_said_while_postgresql_is_away_is_in_the_language_of_slack(
    app: App, postgres: EmbeddedPostgres, locale: str, language: str
) -> None:
    """Slack is asked who reads it."""
    user, _ = app.slack.person(locale=locale)
    with frozen(postgres):
        localizer = await app.core.people.localizer(Person(app.slack.team_id, user))
    assert localizer.language == language
