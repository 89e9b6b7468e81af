"""One answer, however a worker ended: what it may have left in the thread is found, or nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.deliveries import Answering, Thread
from tests.waiting import until


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take for settled what is half a second old."""
    monkeypatch.setattr("bot.delivery.posted_messages.SETTLED_SECONDS", 0.5)
    monkeypatch.setattr("bot.delivery.posted_messages.TROUBLE_SECONDS", 1.0)


def streamed_by_app(thread: Thread) -> str:
    """Begin a stream as a worker does that dies before it can note its ts; return the ts."""
    done = thread.slack.as_app(
        "chat.startStream",
        channel=thread.place.channel,
        thread_ts=thread.place.root,
        recipient_team_id=thread.place.team,
        recipient_user_id=thread.place.user,
        chunks=[{"type": "markdown_text", "text": "Half of"}],
    )
    return str(done["ts"])


async def dies_at_its_start(thread: Thread) -> str:
    """Let a worker die after its stream was begun, before its ts was stored; return the ts."""
    await thread.begin()
    return streamed_by_app(thread)


async def answer_again(thread: Thread, text: str = "The whole answer.") -> None:
    """Answer as the worker that continues does."""
    thread.slack.forget_calls()
    async with thread.answering() as answer:
        await answer.stream.write(text[:4])
        await answer.stream.finish(text)


async def test_a_turn_that_died_before_it_posted_looks_at_the_thread_once(thread: Thread) -> None:
    """Where a message may have been posted the thread is looked at, and the answer streams."""
    await thread.begin()
    await answer_again(thread)
    thread.whole("The whole answer.")
    assert [call["method"] for call in thread.slack.calls()] == [
        "agents.sessions.setStatus",
        "conversations.replies",
        "chat.startStream",
        "chat.stopStream",
    ]


async def test_a_turn_that_ended_without_a_message_is_not_looked_for(thread: Thread) -> None:
    """An attempt that ends before it posts says so: the next one asks Slack nothing more."""
    with pytest.raises(RuntimeError):
        async with thread.answering():
            raise RuntimeError
    assert not thread.intended()
    await answer_again(thread)
    assert thread.slack.calls("conversations.replies") == []


@pytest.mark.failed_calls(
    "chat.stopStream: message_not_in_streaming_state",
    because="Whether a message that was found still streams is not known.",
)
@pytest.mark.parametrize("end", ["live", "expired"])
async def test_a_stream_whose_ts_was_not_stored_is_deleted(thread: Thread, end: str) -> None:
    """Whatever became of a stream that nobody noted, the one whole answer takes its place."""
    ts = await dies_at_its_start(thread)
    if end == "expired":
        thread.slack.control("settings", {"stream_seconds": 0.01})
        await until(lambda: not thread.messages()[0]["streaming"])
        thread.slack.control("settings", {"stream_seconds": 300})
    await answer_again(thread)
    [message] = thread.whole("The whole answer.")
    assert await thread.known() == [message["ts"]] != [ts]
    assert len(thread.slack.calls("conversations.replies")) == 1


@pytest.mark.failed_calls("chat.delete: cant_delete_message", because="The stream still runs.")
async def test_a_call_that_is_carried_out_late_is_waited_for(thread: Thread) -> None:
    """What a dying worker had under way appears a little later, and is found all the same."""
    await thread.begin()
    begun = asyncio.create_task(answer_again(thread))
    await until(lambda: thread.slack.calls("agents.sessions.setStatus"))
    ts = streamed_by_app(thread)
    await begun
    [message] = thread.whole("The whole answer.")
    assert message["ts"] != ts


async def cancelled_in_flight(thread: Thread, answer: Answering) -> None:
    """Write first words, and cancel that while Slack begins the stream, as Stop does."""
    writing = asyncio.create_task(answer.stream.write("Half of"))
    await until(lambda: thread.slack.calls("chat.startStream"))
    writing.cancel()
    await asyncio.wait({writing})
