"""Notices of changes: they come with what is remembered, survive a crash, and are shown once."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from slack_sdk.errors import SlackApiError

from bot.notices.change_notices import NOTICE, SHOW, ChangeNotices
from bot.types import PersonSettings
from bot.users.profiles import Profiles
from bot.users.settings import choose
from bot.views.changes import EVERY_CHANGE
from memory import DM, PUBLIC, Person, Pool, memory_view, person_transaction
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread
from tests.integration.test_versions import Ledger, food
from tests.memories import add_memory

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


@pytest.fixture(autouse=True)
async def idle(pool: Pool) -> None:
    """Leave no work of the tests before."""
    async with pool.connection() as connection:
        await connection.execute("DELETE FROM procrastinate_jobs")


@pytest.fixture
def notices(app: App) -> ChangeNotices:
    """The notices of the wired application."""
    return app.wiring.notices


async def formed(
    app: App, notices: ChangeNotices, channel: str = "dm"
) -> tuple[PersonThread, dict[str, Any]]:
    """Let somebody say what is remembered; return where, and the arguments of the notice's job."""
    place = app.slack.place(channel=channel)
    message = await app.ask(place, "I love ramen")
    turn = app.turn(message)
    change = await add_memory(
        app.pool,
        app.embedder,
        message.person.namespace(turn["audience"]),
        "UserFoodPreference",
        {"food_name": "ramen", "preference": 90},
        {"kind": "message", "evidence": "I love ramen", "channel": place.channel, "ts": message.ts},
    )
    async with person_transaction(app.pool, message.person) as connection:
        await notices.add_notice(connection, message.person, turn["id"], [change.id])
    [job] = app.take_jobs(SHOW)
    return place, job


def notices_seen(app: App, place: PersonThread) -> list[dict[str, Any]]:
    """Return the app's messages that tell of ramen, as the person sees them."""
    seen = app.slack.control(f"channels/{place.channel}/messages?as={place.user}")["messages"]
    return [m for m in seen if "Remembered: " in json.dumps(m)]


async def test_a_job_that_runs_twice_shows_the_same(app: App, notices: ChangeNotices) -> None:
    """In a DM its message is set to the same text again; elsewhere the person sees it once.

    In a DM it is a message of its own, in the thread of the answer, which stays as it was.
    """
    for kind in ("dm", "public"):
        place, job = await formed(app, notices, kind)
        assert set(job) == {"team", "user", "turn"}
        before = _answers(app, place)
        await notices.show(**job)
        [first] = notices_seen(app, place)
        await notices.show(**job)
        [second] = notices_seen(app, place)
        assert _nameless(first) == _nameless(second)
        assert bool(first.get("is_ephemeral")) == (kind == "public")
        assert first["thread_ts"] == before[0]["thread_ts"]
        assert _answers(app, place)[: len(before)] == before


async def test_the_notice_comes_with_what_is_remembered_or_not_at_all(
    app: App, notices: ChangeNotices
) -> None:
    """What is not committed leaves no notice, and no job to show one."""
    place = app.slack.place()
    message = await app.ask(place, "I love ramen")
    turn = app.turn(message)

    class Away(Exception):
        """The process dies before it commits."""

    async def dying() -> None:
        async with person_transaction(app.pool, message.person) as connection:
            await notices.add_notice(connection, message.person, turn["id"], [UUID(int=1)])
            raise Away

    with pytest.raises(Away):
        await dying()
    assert app.jobs(SHOW) == []
    assert app.rows("SELECT 1 FROM change_notices WHERE turn_id = %s", turn["id"]) == []


async def test_a_notice_is_shown_at_the_end_of_its_formation(app: App) -> None:
    """Its job is for a process that dies before it is shown, and is deleted with it."""
    place = app.slack.place()
    await app.form(await app.ask(place, "I love ramen"))
    assert len(notices_seen(app, place)) == 1
    assert app.jobs(SHOW) == []


async def test_a_notice_that_slack_refuses_is_shown_by_its_job(
    app: App, notices: ChangeNotices
) -> None:
    """What fails at the end of a formation is tried again within a minute.

    While Slack is in trouble the job fails, to be run again; then it shows the notice.
    """
    place = app.slack.place()
    message = await app.ask(place, "I love ramen")
    app.slack.fault("chat.postMessage", status=500)
    await app.form(message)
    assert notices_seen(app, place) == []
    [job] = app.jobs(SHOW)
    assert 50 < job["due_in"] <= 60
    app.slack.fault("chat.postMessage", status=500)
    with pytest.raises(SlackApiError):
        await notices.show(**job["args"])
    assert notices_seen(app, place) == []
    await notices.show(**job["args"])
    assert len(notices_seen(app, place)) == 1
    assert app.jobs(SHOW) == []


async def test_the_undo_of_a_notice_restores_what_an_answer_removed(
    app: App, notices: ChangeNotices
) -> None:
    """What the answer to a question changed is part of the notice, and of its one Undo."""
    message = await app.ask(app.slack.place(), "I love soba")
    ledger = Ledger(app.pool, app.embedder, app.database)
    for audience, level in ((PUBLIC, 40), (DM, 95)):
        seen = memory_view(message.person.namespace(audience))
        formed = await ledger.say(
            "I love soba", ts=f"{level}.0", content=food("soba", level), seen=seen
        )
    [question] = formed.questions
    turn = app.turn(message)["id"]
    async with person_transaction(app.pool, message.person) as connection:
        await notices.add_notice(connection, message.person, turn, [], [question.id])
    before = ledger.printed("store", "store_vectors")
    changes, surface = app.wiring.modals.changes, f"{NOTICE} {turn}"
    await changes.answer(message.person, str(question.id), "yes", surface)
    assert len((await notices.content(message.person, surface)).entries) == 2
    assert await changes.undo(message.person, EVERY_CHANGE, surface) is None
    assert ledger.printed("store", "store_vectors") == before


async def test_an_undo_changes_the_notice(app: App, notices: ChangeNotices) -> None:
    """A click on the notice, and one in its details, changes its message and nothing else."""
    changes = app.wiring.modals.changes
    for in_modal in (False, True):
        place, job = await formed(app, notices)
        await notices.show(**job)
        [shown], answers = notices_seen(app, place), _answers(app, place)
        person, surface = Person(app.slack.team_id, place.user), f"{NOTICE} {job['turn']}"
        value = f"{EVERY_CHANGE} {surface}"
        if in_modal:
            await changes.undone_in_modal(person, "en", value)
            [after] = notices_seen(app, place)
            assert (after["ts"], after["text"][-8:]) == (shown["ts"], "(undone)")
            assert len(_answers(app, place)) == len(answers)
        else:
            told = await changes.undone(person, "en", value)
            assert told is not None
            assert told["text"].endswith("(undone)")
            assert "replace_original" not in told


async def test_a_notice_above_an_answer_that_was_given_again_moves_below_it(
    app: App, notices: ChangeNotices
) -> None:
    """What is added to the notice of a turn is shown with the rest, below the newer answer."""
    place, job = await formed(app, notices)
    await notices.show(**job)
    [before] = notices_seen(app, place)
    turn = UUID(job["turn"])
    said = app.slack.as_app(
        "chat.postMessage", channel=place.channel, thread_ts=before["thread_ts"], text="Again."
    )
    app.rows("UPDATE turns SET reply_ts = %s WHERE id = %s", [said["ts"]], turn)
    person = Person(app.slack.team_id, place.user)
    [change] = app.rows("SELECT id FROM memory_versions WHERE user_id = %s", place.user)
    async with person_transaction(app.pool, person) as connection:
        await notices.add_notice(connection, person, turn, [change["id"]])
    await notices.show(**job)
    [after] = notices_seen(app, place)
    assert float(after["ts"]) > float(said["ts"])
    await notices.show(**job)
    assert notices_seen(app, place)[0]["ts"] == after["ts"]


@pytest.mark.parametrize("error", [None, "message_not_found", "cant_delete_message"])
async def test_a_notice_that_has_nothing_left_to_say_is_deleted(
    app: App, notices: ChangeNotices, error: str | None
) -> None:
    """Its message goes with what was forgotten; where Slack refuses that, it is not tried again."""
    place, job = await formed(app, notices)
    await notices.show(**job)
    if error:
        app.slack.fault("chat.delete", error=error)
    app.rows("DELETE FROM memory_versions WHERE user_id = %s", place.user)
    await notices.show(**job)
    assert len(notices_seen(app, place)) == (1 if error else 0)
    assert app.jobs(SHOW) == []


@pytest.mark.parametrize("in_thread", [False, True], ids=["alone", "in a thread"])
async def test_a_notice_without_an_answer_above_it_is_seen(
    app: App, notices: ChangeNotices, in_thread: bool
) -> None:
    """In a channel it is shown in the thread only where that has a reply, else beside it."""
    place, job = await formed(app, notices, "public")
    [answer] = _answers(app, place)
    app.slack.as_app("chat.delete", channel=place.channel, ts=answer["ts"])
    app.rows("UPDATE turns SET reply_ts = '{}' WHERE reply_ts = %s", [answer["ts"]])
    root = answer["thread_ts"]
    if in_thread:
        said = app.slack.say(place.user, place.channel, "more", thread_ts=root)
        moved = "UPDATE turns SET question_ts = %s WHERE question_ts = %s"
        app.rows(moved, said["ts"], root)
    await notices.show(**job)
    [message] = notices_seen(app, place)
    assert message["is_ephemeral"]
    assert message.get("thread_ts") == (root if in_thread else None)


async def test_a_notice_waits_while_slack_refuses_it(app: App, notices: ChangeNotices) -> None:
    """A notice over the rate limit holds no worker up: its job comes again some seconds later."""
    place, job = await formed(app, notices)
    app.slack.fault("chat.postMessage", error="ratelimited", retry_after=1)
    await notices.show(**job)
    assert notices_seen(app, place) == []
    [again] = app.rows(
        "SELECT args, scheduled_at > now() + interval '2 s' AS later FROM procrastinate_jobs"
        " WHERE task_name = %s",
        SHOW,
    )
    assert (again["args"], again["later"]) == (job, True)
    await notices.show(**job)
    assert len(notices_seen(app, place)) == 1


@pytest.mark.failed_calls("chat.postEphemeral: is_archived", because="The channel is archived.")
async def test_in_an_archived_channel_nobody_is_told(app: App, notices: ChangeNotices) -> None:
    """Where nothing can be posted any more the notice is given up; the history has it."""
    place, job = await formed(app, notices, "public")
    app.slack.control("channels/update", {"channel": place.channel, "archived": True})
    await notices.show(**job)
    assert notices_seen(app, place) == []


async def test_who_wants_no_notices_gets_none(app: App, notices: ChangeNotices) -> None:
    """Notices are off for a person who switched them off."""
    place, job = await formed(app, notices)
    person = Person(app.slack.team_id, place.user)
    async with person_transaction(app.pool, person) as connection:
        await choose(connection, person, PersonSettings(notices=False))
    fresh = ChangeNotices(
        app.pool,
        app.wiring.queue,
        app.slack.installations(),
        Profiles(app.pool, app.slack.installations()),
    )
    await fresh.show(**job)
    assert notices_seen(app, place) == []


def _answers(app: App, place: PersonThread) -> list[dict[str, Any]]:
    seen = app.slack.control(f"channels/{place.channel}/messages?as={place.user}")["messages"]
    return [m for m in seen if m.get("user") == app.slack.bot_user_id]


def _nameless(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**block, "block_id": ""} for block in message["blocks"]]
