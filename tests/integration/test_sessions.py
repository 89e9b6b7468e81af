"""The agent session of a thread: `processing` while a message is answered, `active` afterwards."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from bot.cancellation import Superseded
from bot.conversation.inbox import MAX_FAILURES, MAX_FAILURES_WITH_APOLOGY, take_message
from bot.slack.messages import Message
from tests.integration.app import App
from tests.integration.deliveries import Sender, Thread
from tests.integration.messages import LATER
from tests.integration.playground_slack import PersonThread, PlaygroundSlack
from tests.waiting import until

SET = "agents.sessions.setStatus"


def session(slack: PlaygroundSlack, place: PersonThread) -> str:
    """Return the status of the agent session of a thread, "" where there is none."""
    seen = slack.control(f"channels/{place.channel}/messages?user={place.user}")[
        "threads"
    ]
    return next((str(one["session"]) for one in seen if one["ts"] == place.root), "")


def statuses(slack: PlaygroundSlack) -> list[str]:
    """Return what the app set sessions to, in order."""
    return [call["args"]["status"] for call in slack.calls(SET)]


async def break_off(thread: Thread, error: type[BaseException]) -> None:
    """Let an answer end in an error after its first words."""
    async with thread.answering() as answer:
        await answer.stream.write("Hello ")
        raise error


@pytest.mark.parametrize("kind", ["dm", "public", "private", "mpim"])
async def test_a_streamed_answer_begins_and_ends_its_session(
    sender: Sender, kind: str
) -> None:
    """Everywhere `processing` is one call, and `active` comes with the end of the stream."""
    place = sender.slack.place() if kind == "dm" else sender.slack.place(channel=kind)
    async with Thread(sender, place).answering() as answer:
        await answer.stream.write("Hello ")
        assert session(sender.slack, place) == "processing"
        await answer.stream.finish("Hello you.")
    assert statuses(sender.slack) == ["processing"]
    [begun] = sender.slack.calls(SET)
    assert begun["args"]["thread_ts"] == place.root
    [stopped] = sender.slack.calls("chat.stopStream")
    assert stopped["args"]["session_status"] == "active"
    assert session(sender.slack, place) == "active"


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError, Superseded])
async def test_an_answer_that_breaks_off_ends_its_session(
    thread: Thread, error: type[BaseException]
) -> None:
    """After an error, and where the process ends or another one answers, it is `active`."""
    with pytest.raises(error):
        await break_off(thread, error)
    await until(lambda: session(thread.slack, thread.place) == "active")


async def test_a_call_that_comes_late_does_not_leave_processing(thread: Thread) -> None:
    """Where Slack carries `processing` out after the answer, `active` follows it."""
    thread.slack.fault(SET, delay_ms=2_600)
    async with thread.answering() as answer:
        await answer.stream.finish("Hello.")
    thread.whole("Hello.")
    await until(lambda: len(thread.slack.done(SET)) == 2)
    assert statuses(thread.slack) == ["processing", "active"]
    assert session(thread.slack, thread.place) == "active"


@pytest.mark.parametrize(
    "fault",
    [{"error": "ratelimited", "retry_after": 1}, {"status": 503}, {"drop": "before"}],
    ids=str,
)
async def test_the_end_is_tried_again(thread: Thread, fault: dict[str, Any]) -> None:
    """`active` that Slack did not take is set again; the person has the answer before."""
    async with thread.answering() as answer:
        await until(lambda: session(thread.slack, thread.place) == "processing")
        thread.slack.fault(SET, **fault)
        await answer.stream.finish("Hello.")
    await until(lambda: session(thread.slack, thread.place) == "active")
    thread.whole("Hello.")


def left_processing(app: App, asked: Message) -> None:
    """Leave the session of a message's thread `processing`, as a process does that dies."""
    app.slack.as_app(
        SET, channel_id=asked.channel_id, thread_ts=asked.thread_ts, status="processing"
    )


def session_of(app: App, asked: Message) -> str:
    """Return the status of the agent session of a message's thread, "" where there is none."""
    where = (
        asked.user_id,
        asked.user_team_id,
        asked.channel_id,
        asked.ts,
        asked.thread_ts,
    )
    return session(app.slack, PersonThread(*where))


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"failures": MAX_FAILURES},
        {"failures": MAX_FAILURES_WITH_APOLOGY},
    ],
    ids=str,
)
async def test_who_takes_over_ends_the_session(
    app: App, columns: dict[str, int]
) -> None:
    """After a crash the session ends `active`: answered, apologised for, or given up.

    It does before the message is stored as ended, so that another crash leaves no `processing`.
    """
    asked = await app.receive(app.slack.place(), "Hello")
    assert await take_message(app.core, asked.thread, uuid4())
    left_processing(app, asked)
    app.slack.fault(SET, delay_ms=300, times=2)
    for name, value in columns.items():
        app.rows(f"UPDATE messages SET {name} = %s WHERE ts = %s", value, asked.ts)
    while app.event(asked)["status"] == "waiting":
        await app.answering.drain(asked.thread)
    assert app.event(asked)["status"] in ("answered", "failed")
    assert session_of(app, asked) == "active"


async def note(app: App, kind: str, asked: Message, **event: Any) -> None:
    """Deliver an event of the session in whose thread `asked` is."""
    team = app.slack.team_id
    named = {
        "channel": asked.channel_id,
        "user": asked.user_id,
        "thread_ts": asked.thread_ts,
    }
    event = {"type": kind, **named, **event}
    await app.note(
        {"team_id": team, "authorizations": [{"team_id": team}], "event": event}
    )


async def test_stop_ends_a_session_without_a_turn(app: App) -> None:
    """Stop pressed where nothing is being answered sets the session to `active`."""
    asked = await app.ask(app.slack.place(), "Hello")
    left_processing(app, asked)
    await note(
        app, "agent_session_stopped", asked, streaming_message_ts=[], event_ts=LATER
    )
    await until(lambda: session_of(app, asked) == "active")
