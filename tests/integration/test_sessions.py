"""The agent session of a thread: `processing` while a message is answered, `active` afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import psycopg
import pytest

from bot.conversation.inbox import MAX_FAILURES, ClaimedMessage
from bot.conversation.interruptions import Superseded, Withdrawn
from bot.queue.sweep import MAX_LONE_CRASHES
from bot.slack.messages import Message
from bot.slack.rate_limits import SESSION, START
from tests.integration.desk import Desk, answering, open_desk, whole
from tests.integration.house import House
from tests.integration.playground_slack import Place, PlaygroundSlack

SET, LINE = "agents.sessions.setStatus", "assistant.threads.setStatus"

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


@pytest.fixture
async def desk(database: str, slack: PlaygroundSlack) -> AsyncIterator[Desk]:
    """Everything an answer is delivered with."""
    async with open_desk(database, slack) as opened:
        yield opened


def session(slack: PlaygroundSlack, place: Place) -> str:
    """Return the status of the agent session of a thread, "" where there is none."""
    seen = slack.control(f"channels/{place.channel}/messages?as={place.user}")["threads"]
    return next((str(one["session"]) for one in seen if one["ts"] == place.root), "")


def statuses(slack: PlaygroundSlack) -> list[str]:
    """Return what the app set sessions to, in order."""
    return [call["args"]["status"] for call in slack.calls(SET)]


async def break_off(desk: Desk, place: Place, error: type[BaseException]) -> None:
    """Let an answer end in an error after its first words."""
    async with answering(desk, place) as answer:
        await answer.delivery.write("Hello ")
        raise error


async def until(check: Callable[[], object]) -> None:
    """Wait until something is true, for fifteen seconds at most."""
    async with asyncio.timeout(15):
        while not check():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["dm", "public", "private", "mpim", "connect"])
async def test_a_streamed_answer_begins_and_ends_its_session(desk: Desk, kind: str) -> None:
    """Everywhere `processing` is one call, and `active` comes with the end of the stream."""
    place = desk.slack.place() if kind == "dm" else desk.slack.place(channel=kind)
    async with answering(desk, place) as answer:
        await answer.delivery.write("Hello ")
        assert session(desk.slack, place) == "processing"
        await answer.delivery.finish("Hello you.")
    assert statuses(desk.slack) == ["processing"]
    [begun] = desk.slack.calls(SET)
    assert begun["args"]["thread_ts"] == place.root
    [stopped] = desk.slack.calls("chat.stopStream")
    assert stopped["args"]["session_status"] == "active"
    assert session(desk.slack, place) == "active"


async def test_a_posted_answer_ends_its_session(desk: Desk) -> None:
    """A post ends no session: a call of its own does."""
    place = desk.slack.place()
    async with answering(desk, place) as answer:
        await answer.delivery.finish("Hello.")
    assert statuses(desk.slack) == ["processing", "active"]
    assert session(desk.slack, place) == "active"


async def test_a_lost_stream_ends_its_session(desk: Desk) -> None:
    """An answer whose stream was lost is updated, and its session is `active`."""
    place = desk.slack.place()
    async with answering(desk, place) as answer:
        await answer.delivery.write("Hello ")
        desk.slack.fault("chat.stopStream", error="message_not_in_streaming_state")
        await answer.delivery.finish("Hello you.")
    whole(desk.slack, place, "Hello you.")
    assert session(desk.slack, place) == "active"


async def test_an_answer_in_parts_stays_in_processing_until_its_end(desk: Desk) -> None:
    """Only the end of the last message of an answer sets its session to `active`."""
    place = desk.slack.place()
    text = "".join(f"Line {number} of a long answer.\n" for number in range(600))
    async with answering(desk, place) as answer:
        await answer.delivery.write(text[:1_000])
        await answer.delivery.finish(text)
    stopped = [one["args"]["session_status"] for one in desk.slack.calls("chat.stopStream")]
    assert stopped == ["processing"] * (len(stopped) - 1) + ["active"]
    assert len(stopped) > 1
    assert session(desk.slack, place) == "active"


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError, Withdrawn])
async def test_an_answer_that_breaks_off_ends_its_session(
    desk: Desk, error: type[BaseException]
) -> None:
    """After an error, and when the process is told to end, the session is `active`."""
    place = desk.slack.place()
    with pytest.raises(error):
        await break_off(desk, place, error)
    assert session(desk.slack, place) == "active"


async def test_who_is_superseded_leaves_the_session(desk: Desk) -> None:
    """A worker whose message another one answers leaves the session to that one."""
    place = desk.slack.place()
    with pytest.raises(Superseded):
        await break_off(desk, place, Superseded)
    await desk.sessions.close()
    assert statuses(desk.slack) == ["processing"]
    assert session(desk.slack, place) == "processing"


async def test_a_call_that_comes_late_does_not_leave_processing(desk: Desk) -> None:
    """Where Slack carries `processing` out after the answer, `active` follows it."""
    place = desk.slack.place()
    desk.slack.fault(SET, delay_ms=2_600)
    async with answering(desk, place) as answer:
        await answer.delivery.finish("Hello.")
    whole(desk.slack, place, "Hello.")
    await until(lambda: len(desk.slack.done(SET)) == 2)
    assert statuses(desk.slack) == ["processing", "active"]
    assert session(desk.slack, place) == "active"


async def test_a_late_call_is_left_to_the_next_answer(desk: Desk) -> None:
    """Where the thread's next message is being answered, its session stays `processing`."""
    place = desk.slack.place()
    desk.slack.fault(SET, delay_ms=2_600)
    async with answering(desk, place) as answer:
        await answer.delivery.finish("Hello.")
    said = desk.slack.say(place.user, place.channel, "And?", thread_ts=place.root)
    later = Place(place.user, place.team, place.channel, said["ts"], place.root)
    async with answering(desk, later) as answer:
        await until(lambda: len(desk.slack.done(SET)) == 2)
        assert statuses(desk.slack) == ["processing", "processing"]
        assert session(desk.slack, place) == "processing"
        await answer.delivery.finish("Hello again.")
    assert statuses(desk.slack)[-1] == "active"
    assert session(desk.slack, place) == "active"


@pytest.mark.parametrize(
    "fault",
    [{"error": "ratelimited", "retry_after": 1}, {"status": 503}, {"drop": "before"}],
    ids=str,
)
async def test_the_end_is_tried_again(desk: Desk, fault: dict[str, Any]) -> None:
    """`active` that Slack did not take is set again; the answer does not wait for it."""
    place = desk.slack.place()
    async with answering(desk, place) as answer:
        await until(lambda: session(desk.slack, place) == "processing")
        desk.slack.fault(SET, **fault)
        await answer.delivery.finish("Hello.")
    await until(lambda: session(desk.slack, place) == "active")
    whole(desk.slack, place, "Hello.")


@pytest.mark.parametrize("error", ["unknown_method", "feature_disabled"])
async def test_without_sessions_there_is_a_status_line(desk: Desk, error: str) -> None:
    """A workspace without sessions gets the status line, and is not asked for each answer."""
    desk.slack.fault(SET, error=error, times=None)
    for place in (desk.slack.place(), desk.slack.place()):
        async with answering(desk, place) as answer:
            await until(partial(desk.slack.status, place))
            await answer.delivery.finish("Hello.")
        assert desk.slack.status(place) == ""
    assert len(desk.slack.calls(SET)) == 1
    assert len(desk.slack.calls(LINE)) == 2


async def test_a_channel_that_has_no_sessions_says_nothing_of_the_others(desk: Desk) -> None:
    """After `not_authorized`, an answer elsewhere asks for its session again."""
    desk.slack.fault(SET, error="not_authorized")
    first, second = desk.slack.place(), desk.slack.place()
    for place in (first, second):
        async with answering(desk, place) as answer:
            await answer.delivery.finish("Hello.")
    assert session(desk.slack, first) == ""
    assert len(desk.slack.calls(LINE)) == 1
    assert session(desk.slack, second) == "active"


async def test_somebody_slack_does_not_know_has_a_session(desk: Desk) -> None:
    """Where the person cannot be named as the initiator, the session is set without them."""
    place = desk.slack.place()
    desk.slack.fault(SET, error="user_not_found")
    async with answering(desk, place) as answer:
        await answer.delivery.finish("Hello.")
    asked, again, _ended = desk.slack.calls(SET)
    assert "initiator_user_id" in asked["args"]
    assert "initiator_user_id" not in again["args"]
    assert session(desk.slack, place) == "active"


async def test_without_streams_the_limit_is_kept_for_ends(desk: Desk) -> None:
    """While Slack refuses streams there are status lines; every session that began also ends."""
    first, second = desk.slack.place(), desk.slack.place()
    async with answering(desk, first) as answer:
        await until(lambda: session(desk.slack, first) == "processing")
        desk.refuse(START, 30)
        async with answering(desk, second) as other:
            await until(lambda: desk.slack.status(second))
            await other.delivery.finish("Hello.")
        before = time.monotonic()
        await answer.delivery.finish("Hello.")
    assert time.monotonic() - before < 10
    assert session(desk.slack, first) == "active"
    assert session(desk.slack, second) == ""


async def test_a_later_attempt_ends_what_an_earlier_one_began(desk: Desk) -> None:
    """Also without a session of its own, a turn ends the one that a dead process has begun."""
    place = desk.slack.place()
    posts = await desk.begin(place, attempts=1)
    desk.refuse(SESSION, 2)
    desk.slack.as_app(SET, channel_id=place.channel, thread_ts=place.root, status="processing")
    async with answering(desk, place, posts=posts) as answer:
        await answer.delivery.finish("Hello.")
    await until(lambda: session(desk.slack, place) == "active")


async def crashed(house: House, place: Place) -> Message:
    """Let a process die while it answers: the session of the thread is left `processing`."""
    asked = await house.told(place, "Hello")
    assert await house.inbox.next(asked.thread)
    house.slack.as_app(
        SET, channel_id=place.channel, thread_ts=asked.thread_ts, status="processing"
    )
    return asked


def of(place: Place, message: Message) -> Place:
    """Return the place of a message."""
    return Place(place.user, place.team, place.channel, message.ts, message.thread_ts)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"failures": MAX_FAILURES},
        {"lone_crashes": MAX_LONE_CRASHES},
        {"lone_crashes": MAX_LONE_CRASHES + 1},
    ],
    ids=str,
)
async def test_who_takes_over_ends_the_session(house: House, columns: dict[str, int]) -> None:
    """After a crash the session ends `active`: answered, apologised for, or given up."""
    place = house.slack.place()
    asked = await crashed(house, place)
    for name, value in columns.items():
        set_column(house, asked, name, value)
    await house.answering.drain(asked.thread)
    assert house.row("inbox_events", asked)["status"] in ("done", "failed")
    assert session(house.slack, of(place, asked)) == "active"


def set_column(house: House, message: Message, name: str, value: int) -> None:
    """Set a column of a message's row."""
    with psycopg.connect(house.database) as owner:
        owner.execute(
            f"UPDATE inbox_events SET {name} = %s WHERE ts = %s".encode(), (value, message.ts)
        )


async def test_a_message_deleted_after_a_crash_ends_its_session(house: House) -> None:
    """Where the message was deleted before another worker began, the session is `active`."""
    place = house.slack.place()
    asked = await crashed(house, place)
    view = await house.parts.audiences.view(asked)
    await house.turns.begin(
        ClaimedMessage(id=-1, message=asked, attempts=0),
        view,
        question="",
        words="",
        bot_user_id="B",
    )
    await house.inbox.withdraw(asked.team_id, asked.channel_id, asked.ts, asked.thread)
    await house.answering.drain(asked.thread)
    assert session(house.slack, of(place, asked)) == "active"


async def test_stop_ends_a_session_without_a_turn(house: House) -> None:
    """Stop pressed where nothing is being answered sets the session to `active`."""
    place = house.slack.place()
    asked = await house.ask(place, "Hello")
    house.slack.as_app(
        SET, channel_id=place.channel, thread_ts=asked.thread_ts, status="processing"
    )
    team = house.slack.team_id
    stopped = {
        "type": "agent_session_stopped",
        "channel": place.channel,
        "user": place.user,
        "thread_ts": asked.thread_ts,
        "streaming_message_ts": [],
    }
    await house.changes.note(
        {"team_id": team, "authorizations": [{"team_id": team}], "event": stopped}
    )
    await until(lambda: session(house.slack, of(place, asked)) == "active")


async def test_a_title_is_the_persons_from_then_on(house: House) -> None:
    """The event of a renamed session is kept: the app gives that session no title any more."""
    place = house.slack.place()
    asked = await house.told(place, "What shall we eat?")
    view = await house.parts.audiences.view(asked)
    waiting = await house.inbox.next(asked.thread)
    assert waiting is not None
    await house.turns.begin(waiting, view, question="", words="", bot_user_id="B")
    await house.inbox.begin_anew(waiting)
    # Slack's answer does not name the title of this one.
    house.slack.as_app(
        SET, channel_id=place.channel, thread_ts=asked.thread_ts, status="processing"
    )
    team = house.slack.team_id
    renamed = {
        "type": "agent_session_title_changed",
        "channel": place.channel,
        "user": place.user,
        "team_id": team,
        "thread_ts": asked.thread_ts,
        "title": "Food",
    }
    await house.changes.note(
        {"team_id": team, "authorizations": [{"team_id": team}], "event": renamed}
    )
    await house.answering.drain(asked.thread)
    await house.sessions.close()
    assert not house.slack.calls("agents.sessions.rename")
