"""What operators allow: enforced before anything is read or written."""

from __future__ import annotations

import pytest

from bot.acts.kinds import Export, Forget, Open, Position
from bot.conversation.inbox import store_message
from bot.locale import say
from bot.slack.retries import RateLimits
from memory import PUBLIC, list_memories
from tests.integration.app import App, MakeApp
from tests.integration.playground_slack import PersonThread, PlaygroundSlack


def nothing_is_kept(app: App, person: str) -> None:
    """Check that no text of the person's is stored."""
    kept = app.rows(
        "SELECT DISTINCT message, begun_at FROM messages WHERE user_id = %s", person
    )
    assert kept == [{"message": None, "begun_at": None}]


def told(app: App, place: PersonThread) -> list[str]:
    """Return the calls with which a sentence was put in front of somebody, and their texts."""
    made = app.slack.calls("chat.postMessage", "chat.postEphemeral", "chat.startStream")
    return [
        f"{call['method']} {call['args'].get('text', '')}"
        for call in made
        if call["args"]["channel"] == place.channel
    ]


async def test_who_is_not_named_is_not_answered(make_app: MakeApp) -> None:
    """Where people are named, nobody else is answered; in a channel only they see why, once."""
    app = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    place = app.slack.place(channel="public")
    for text in ("<@BOT> hello", "<@BOT> again"):
        await app.ask(place, text)
    assert told(app, place) == [f"chat.postEphemeral {say('en', 'policy_person')}"]
    nothing_is_kept(app, place.user)
    direct = app.slack.place()
    await app.ask(direct, "Hello")
    assert told(app, direct) == [f"chat.postMessage {say('en', 'policy_person')}"]


async def test_channels_that_are_not_listed_are_closed(
    make_app: MakeApp, slack: PlaygroundSlack
) -> None:
    """In another channel the person alone is told; listed ones and direct messages are open."""
    opened, closed = slack.place(channel="public"), slack.place(channel="private")
    direct = slack.place()
    app = await make_app(allowed_channels=frozenset({opened.channel}))
    for place in (opened, direct):
        assert app.turn(await app.ask(place, "<@BOT> hello"))["reply"]
    asked = await app.ask(closed, "<@BOT> hello")
    assert told(app, closed) == [f"chat.postEphemeral {say('en', 'policy_place')}"]
    nothing_is_kept(app, closed.user)
    assert not app.slack.calls("conversations.replies")
    said = app.slack.say(closed.user, closed.channel, "and more", thread_ts=asked.ts)
    ts, root = said["ts"], asked.thread_ts
    more = app.slack.message(
        closed, ts=ts, thread_ts=root, text="and more", addressed=False
    )
    assert await store_message(app.core, more)
    app.rows("UPDATE person_settings SET told_at = NULL RETURNING 1")
    await app.answering.drain(more.thread)
    assert len(told(app, closed)) == 1
    nothing_is_kept(app, closed.user)


@pytest.mark.parametrize(
    ("channel", "method"),
    [("dm", "chat.postMessage"), ("public", "chat.postEphemeral")],
)
async def test_a_refusal_that_a_rate_limit_refuses_is_shown_later(
    make_app: MakeApp, channel: str, method: str
) -> None:
    """A message is not ended before its author is told why there is no answer."""
    app = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    place = app.slack.place(channel=channel)
    app.slack.fault(method, error="ratelimited", retry_after=120)
    asked = await app.ask(place, "Hello")
    assert app.event(asked)["status"] == "waiting"
    app.core.slack.limits = RateLimits()  # as after the two minutes
    await app.answering.drain(asked.thread)
    seen = app.slack.seen(place.user, place.channel)
    assert [one["text"] for one in seen].count(say("en", "policy_person")) == 1
    assert app.event(asked)["status"] == "skipped"


async def test_who_waits_for_an_answer_is_told_that_none_comes(
    make_app: MakeApp,
) -> None:
    """The refusal takes the place of the interim reply, and what was said is kept no longer."""
    app = await make_app()
    place = app.slack.place(channel="public")
    app.fault(status=500, times=-1)
    asked = await app.ask(place, "<@BOT> I like ramen")
    assert app.replies(asked) == [say("en", "held")]
    closed = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    await closed.answering.drain(asked.thread)
    assert app.replies(asked) == [say("en", "policy_person")]
    assert not app.slack.calls("chat.postEphemeral")
    turn = app.turn(asked)
    assert (turn["status"], turn["question"], turn["words"]) == ("answered", "", "")
    assert app.event(asked)["status"] == "answered"
    assert app.formations(asked.person) == []


async def test_whose_use_has_ended_sees_exports_and_forgets(make_app: MakeApp) -> None:
    """Whose use has ended can see, export and forget; nothing is added."""
    app = await make_app()
    place = app.slack.place(text="I live in Osaka")
    person = app.person(place)
    assert "soba" in (await app.add(person, "I love soba")).line
    opened = await app.click(person, Open(form="add"))
    closed = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    shown = await closed.panel(person, Position(), home=True)
    assert (len(shown.memories), shown.refusal) == (1, "policy_person")
    refusal = say("en", "policy_person")
    assert (
        await closed.submit(person, opened, lines="I live in Osaka")
    ).line == refusal
    assert (await closed.point_at(place)).line == refusal
    assert (await closed.click(person, Open(form="add"))).line == refusal
    assert (await closed.click(person, Export())).line == say("en", "exported")
    [memory] = await list_memories(app.pool, person)
    assert "soba" in (await closed.click(person, Forget(keys=(memory.key,)))).line
    assert await list_memories(app.pool, person) == []


@pytest.mark.parametrize("formed", [False, True])
async def test_an_edit_by_whom_it_is_closed_to_is_not_remembered(
    make_app: MakeApp, formed: bool
) -> None:
    """What an earlier message said goes; its new words are kept nowhere."""
    app = await make_app()
    said = await app.ask(
        app.slack.place(channel="public"), "I love ramen. I love sushi."
    )
    if formed:
        assert len(await app.form(said, PUBLIC)) == 2
    closed = await make_app(allowed_users=frozenset({"U0NOBODY"}))
    await closed.change(said, "I love ramen. I love natto.")
    turn = app.turn(said)
    assert (turn["question"], turn["words"], turn["reply"]) == ("", "", None)
    assert await closed.form(said, PUBLIC) == []
