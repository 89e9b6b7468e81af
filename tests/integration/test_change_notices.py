"""Notices of changes: they come with what is remembered, survive a crash, and are shown once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from slack_sdk.errors import SlackApiError

from bot.acts.kinds import Forget
from bot.locale import say
from bot.notices import notices
from bot.notices.notices import SHOW_NOTICE, add_notice, show_notice
from memory import (
    DM,
    Change,
    FormationResult,
    Person,
    PersonMessage,
    Pool,
    add_memories,
)
from memory.postgres import person_transaction
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread
from tests.person import elements


@pytest.fixture(autouse=True)
async def idle(pool: Pool) -> None:
    """Leave no work of the tests before."""
    async with pool.connection() as connection:
        await connection.execute("DELETE FROM procrastinate_jobs")


async def added(
    app: App, person: Person, turn: UUID, changes: Sequence[Change]
) -> None:
    """Add the notice of a turn."""
    async with person_transaction(app.pool, person) as transaction:
        formed = FormationResult(changes=tuple(changes))
        await add_notice(app.core, transaction, turn, formed)


async def formed(app: App, channel: str = "dm") -> tuple[PersonThread, dict[str, Any]]:
    """Let somebody say what is remembered; return where, and the arguments of the notice's job."""
    place = app.slack.place(channel=channel)
    message = await app.ask(place, "I love ramen")
    turn = app.turn(message)
    said = PersonMessage(
        actor="command", text="I love ramen", channel=place.channel, ts=message.ts
    )
    changes = await add_memories(
        app.pool,
        app.embedder,
        message.person.namespace(turn["audience"]),
        "UserFoodPreference",
        [({"food_name": "ramen", "preference": 90}, said)],
        batch=turn["id"],
    )
    await added(app, message.person, turn["id"], changes)
    [job] = app.take_jobs(SHOW_NOTICE)
    return place, job


async def show(app: App, job: dict[str, Any]) -> None:
    """Do the job that shows a notice."""
    await show_notice(app.core, **job)


def notices_seen(app: App, place: PersonThread) -> list[dict[str, Any]]:
    """Return the app's messages that tell of ramen, as the person sees them."""
    seen = app.slack.seen(place.user, place.channel)
    return [m for m in seen if "Remembered: " in json.dumps(m)]


async def test_a_job_that_runs_twice_shows_the_same(app: App) -> None:
    """In a DM its message is set to the same text again; elsewhere the person sees it once.

    In a DM it is a message of its own, in the thread of the answer, which stays as it was.
    """
    for kind in ("dm", "public"):
        place, job = await formed(app, kind)
        assert set(job) == {"team", "user", "turn", "after"}
        before = _answers(app, place)
        await show(app, job)
        [first] = notices_seen(app, place)
        await show(app, job)
        [second] = notices_seen(app, place)
        assert _nameless(first) == _nameless(second)
        assert bool(first.get("is_ephemeral")) == (kind == "public")
        assert first["thread_ts"] == before[0]["thread_ts"]
        assert _answers(app, place)[: len(before)] == before


async def test_a_notice_is_shown_at_the_end_of_its_formation(app: App) -> None:
    """Its job is stored with what was remembered, and leaves no other."""
    place = app.slack.place()
    await app.form(await app.ask(place, "I love ramen"))
    assert len(notices_seen(app, place)) == 1
    assert app.jobs(SHOW_NOTICE) == []


async def test_a_notice_has_the_promises_in_the_order_of_the_message(app: App) -> None:
    """Each has its row, with the question for its day."""
    words = "Remind me to renew my passport. Remind me to water the plants."
    asked = await app.ask(app.slack.place(), words)
    await app.form(asked)
    notice = app.shown(asked)[-1]
    passport, plants = notice["text"].split("\n")
    assert "passport" in passport
    assert "plants" in plants


async def test_a_notice_of_a_tool_is_shown_when_the_answer_is_there(app: App) -> None:
    """The end of the turn queues it."""
    asked = await app.ask(app.slack.place(), "remember that I love ramen")
    assert await app.memories(asked.person) != []
    [waiting] = app.jobs(SHOW_NOTICE)
    assert waiting["due_in"] == 0


@pytest.mark.failed_calls(
    "chat.startStream: restricted_action",
    "chat.postMessage: restricted_action",
    because="That is what is tested.",
)
async def test_a_notice_of_a_tool_is_shown_without_an_answer(app: App) -> None:
    """Slack takes no answer, so the person must be told of the change all the same."""
    for method in ("chat.startStream", "chat.postMessage"):
        app.slack.fault(method, error="restricted_action", times=None)
    asked = await app.ask(app.slack.place(), "remember that I love ramen")
    assert app.turn(asked)["status"] == "failed"
    assert await app.memories(asked.person) != []
    assert len(app.jobs(SHOW_NOTICE)) == 1


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"error": "ratelimited", "retry_after": 1}]
)
async def test_a_notice_that_slack_refuses_is_shown_by_its_next_attempt(
    app: App, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """While Slack is in trouble the job fails, to be run again; then it shows the notice."""
    monkeypatch.setattr("bot.slack.retries.TROUBLE_SECONDS", -1.0)
    place, job = await formed(app)
    app.slack.fault("chat.postMessage", **fault)
    with pytest.raises(SlackApiError):
        await show(app, job)
    assert notices_seen(app, place) == []
    await show(app, job)
    assert len(notices_seen(app, place)) == 1


async def test_a_notice_whose_post_slack_answers_too_late_is_there_once(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack posts the notice and its answer is lost: the notice is looked for."""
    monkeypatch.setattr("bot.slack.posting.SETTLED_SECONDS", 0.5)
    place, job = await formed(app)
    app.slack.fault("chat.postMessage", drop="after")
    await show(app, job)
    await show(app, job)
    assert len(notices_seen(app, place)) == 1


@pytest.mark.failed_calls(
    "chat.postEphemeral: is_archived", because="That is what is tested."
)
async def test_a_channel_that_is_archived_gets_no_notice(app: App) -> None:
    """Slack refuses it, which is final: it is not shown later either, when that is taken back."""
    place, job = await formed(app, "public")
    app.slack.control("channels/update", {"channel": place.channel, "archived": True})
    app.slack.forget_calls()
    await show(app, job)
    assert len(app.slack.calls("chat.postEphemeral")) == 1
    app.slack.control("channels/update", {"channel": place.channel, "archived": False})
    await show(app, job)
    assert len(app.slack.calls("chat.postEphemeral")) == 1
    assert notices_seen(app, place) == []


async def test_what_is_forgotten_leaves_its_notice(app: App) -> None:
    """Forgotten anywhere, a memory is not told of below the answer any more."""
    place, job = await formed(app)
    await show(app, job)
    person = Person(app.slack.team_id, place.user)
    [memory] = await app.memories(person)
    await app.click(person, Forget(keys=(memory.key,)))
    for again in app.take_jobs(SHOW_NOTICE):
        await show(app, again)
    assert notices_seen(app, place) == []


async def test_what_is_forgotten_while_its_notice_is_posted_is_in_no_notice(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack may take seconds for the message; the forgetting then leaves a job that changes it."""
    place, job = await formed(app)
    person = Person(app.slack.team_id, place.user)
    [memory] = await app.memories(person)
    post = notices._post

    async def post_late(*given: Any) -> str | None:
        await app.click(person, Forget(keys=(memory.key,)))
        return await post(*given)

    monkeypatch.setattr(notices, "_post", post_late)
    await show(app, job)
    await app.show_notices()
    assert notices_seen(app, place) == []


@pytest.mark.parametrize("error", [None, "message_not_found", "cant_delete_message"])
async def test_a_notice_that_has_nothing_left_to_say_is_deleted(
    app: App, error: str | None
) -> None:
    """Its message goes with what was forgotten; where Slack refuses that, it is not tried again."""
    place, job = await formed(app)
    await show(app, job)
    if error:
        app.slack.fault("chat.delete", error=error)
    app.rows("DELETE FROM statements WHERE user_id = %s", place.user)
    await show(app, job)
    assert len(notices_seen(app, place)) == (1 if error else 0)
    assert app.jobs(SHOW_NOTICE) == []


async def test_a_notice_says_that_its_message_was_deleted(app: App) -> None:
    """It offers no Undo then, and another notice no longer says what the message had said."""
    place = app.slack.place()
    first = await app.ask(place, "I love ramen")
    await app.form(first)
    second = await app.ask(place, "Ramen is okay")
    said = PersonMessage(
        actor="command", text="Ramen is okay", channel=place.channel, ts=second.ts
    )
    changes = await add_memories(
        app.pool,
        app.embedder,
        first.person.namespace(DM),
        "UserFoodPreference",
        [({"food_name": "ramen", "preference": 50}, said)],
        batch=app.turn(second)["id"],
    )
    await added(app, first.person, app.turn(second)["id"], changes)
    for job in app.take_jobs(SHOW_NOTICE):
        await show(app, job)
    assert "was: Likes ramen very much" in str(app.shown(second))

    await app.change(first, None)
    for job in app.take_jobs(SHOW_NOTICE):
        await show(app, job)
    told = say("en", "notice_deleted")
    [notice] = [
        one for one in app.slack.seen(place.user, place.channel) if one["text"] == told
    ]
    assert elements(notice) == []
    assert "was:" not in str(app.shown(second))
    assert "Thinks ramen is okay" in str(app.shown(second))


@pytest.mark.parametrize("edited", [None, "Never mind"])
async def test_a_question_goes_with_the_words_it_quotes(
    app: App, edited: str | None
) -> None:
    """Nobody is asked any more what their message no longer says."""
    place = app.slack.place()
    for fact in ("My manager is Sarah", "My manager is Tom"):
        message = await app.ask(place, fact)
        await app.form(message)
    [asked] = [
        one
        for one in app.slack.seen(place.user, place.channel)
        if len(elements(one)) == 3 and "Tom" in str(one["blocks"])
    ]
    await app.change(message, edited)
    await app.show_notices()
    seen = app.slack.seen(place.user, place.channel)
    shown_now = [one["text"] for one in seen if one["ts"] == asked["ts"]]
    assert shown_now == ([] if edited else [say("en", "notice_deleted")])


def _answers(app: App, place: PersonThread) -> list[dict[str, Any]]:
    seen = app.slack.seen(place.user, place.channel)
    return [m for m in seen if m.get("user") == app.slack.bot_user_id]


def _nameless(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**block, "block_id": ""} for block in message["blocks"]]
