"""One answer, however a worker ended: what it may have left in the thread is found, or nothing."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

import pytest

from bot.answering.edits import delete_answer, follow_change
from bot.cancellation import Superseded
from bot.slack.client import SLACK_FAULTS
from bot.slack.posting import find_posted, notice_metadata, post_once
from tests.integration.deliveries import Thread
from tests.integration.messages import LATER, change_of
from tests.integration.playground_slack import PersonThread, PlaygroundSlack
from tests.waiting import until


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take for settled what is half a second old, and bear with Slack for two."""
    monkeypatch.setattr("bot.slack.posting.SETTLED_SECONDS", 0.5)
    monkeypatch.setattr("bot.slack.retries.TROUBLE_SECONDS", 2.0)


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
    await thread.turn()
    return streamed_by_app(thread)


async def answer_again(thread: Thread) -> None:
    """Answer as the worker that continues does."""
    thread.slack.forget_calls()
    async with thread.answering() as answer:
        await answer.stream.write("The ")
        await answer.stream.finish("The whole answer.")


async def test_a_turn_that_died_before_it_posted_looks_at_the_thread_once(
    thread: Thread,
) -> None:
    """Where a message may have been posted the thread is looked at, and the answer streams."""
    await thread.turn()
    await answer_again(thread)
    thread.whole("The whole answer.")
    assert [call["method"] for call in thread.slack.calls()] == [
        "agents.sessions.setStatus",
        "conversations.replies",
        "chat.startStream",
        "chat.stopStream",
    ]


async def test_a_turn_that_ended_without_a_message_is_not_looked_for(
    thread: Thread,
) -> None:
    """An attempt that ends before it posts says so: the next one asks Slack nothing more."""
    with pytest.raises(RuntimeError):
        async with thread.answering():
            raise RuntimeError
    assert not thread.intended()
    await answer_again(thread)
    assert thread.slack.calls("conversations.replies") == []


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="Whether a message that was found still streams is not known.",
)
@pytest.mark.parametrize("end", ["live", "expired"])
async def test_a_stream_whose_ts_was_not_stored_is_deleted(
    thread: Thread, end: str
) -> None:
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


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="The stream whose ts was lost still runs.",
)
async def test_a_call_that_is_carried_out_late_is_waited_for(thread: Thread) -> None:
    """What a dying worker had under way appears a little later, and is found all the same."""
    await thread.turn()
    begun = asyncio.create_task(answer_again(thread))
    await until(lambda: thread.slack.calls("agents.sessions.setStatus"))
    ts = streamed_by_app(thread)
    await begun
    [message] = thread.whole("The whole answer.")
    assert message["ts"] != ts


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="The stream whose ts was lost still runs.",
)
async def test_a_stream_that_appears_after_stop_is_waited_for(
    thread: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that Slack may still post is looked for when it must be there."""
    monkeypatch.setattr("bot.slack.posting.SETTLED_SECONDS", 3.0)
    thread.slack.fault("chat.startStream", delay_ms=30_000, drop="before")
    async with thread.answering() as answer:
        # As Stop does.
        writing = asyncio.create_task(answer.stream.write("Half of"))
        await until(lambda: thread.slack.calls("chat.startStream"))
        writing.cancel()
        await asyncio.wait({writing})
        finishing = asyncio.create_task(answer.stream.finish("Half of it. Stopped."))
        await asyncio.sleep(0)
        ts = streamed_by_app(thread)
        await finishing
    [message] = thread.whole("Half of it. Stopped.")
    assert message["ts"] != ts


def stored(thread: Thread) -> UUID:
    """Put the message of `thread` into the inbox as begun once; return its id."""
    message = thread.slack.message(thread.place)
    [row] = thread.rows(
        "INSERT INTO messages (team_id, user_id, channel_id, ts, thread, message, token)"
        " VALUES (%s, %s, %s, %s, %s, '{}', gen_random_uuid()) RETURNING id",
        *(message.team_id, message.user_id),
        *(message.channel_id, message.ts, message.thread),
    )
    return UUID(str(row["id"]))


def taken_over(thread: Thread, event: UUID) -> None:
    """Let another worker begin a message again."""
    thread.rows("UPDATE messages SET token = gen_random_uuid() WHERE id = %s", event)


async def test_a_worker_that_was_taken_over_leaves_nothing(thread: Thread) -> None:
    """A worker that was taken over before its answer began leaves no message of its own."""
    event = stored(thread)
    begun = await thread.turn(event=event)
    taken_over(thread, event)
    async with thread.answering(begun=begun) as answer:
        with pytest.raises(Superseded):
            await answer.stream.finish("Hello.")
    assert thread.messages() == []


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message", because="The stream still runs."
)
@pytest.mark.parametrize("method", ["chat.startStream", "chat.postMessage"])
async def test_what_was_begun_as_another_took_over_is_taken_back(
    thread: Thread, method: str
) -> None:
    """A message that is begun in the very moment of being taken over does not stay beside."""
    event = stored(thread)
    thread.slack.fault(method, delay_ms=1_000)
    async with thread.answering(begun=await thread.turn(event=event)) as late:

        async def deliver() -> None:
            if method == "chat.startStream":
                await late.stream.write("Half of")
            await late.stream.finish("Half of it.")

        beginning = asyncio.create_task(deliver())
        await until(lambda: thread.intended())
        taken_over(thread, event)
        with pytest.raises(Superseded):
            await beginning
    assert [call["executed"] for call in thread.slack.calls(method)] == [True]
    assert thread.messages() == []
    again = await thread.turn(event=event, attempts=1)
    async with thread.answering(begun=again) as answer:
        await answer.stream.finish("The whole answer.")
    thread.whole("The whole answer.")


async def delete(thread: Thread, event: UUID) -> None:
    """Run the job that deletes what was posted of an answer."""
    message = thread.slack.message(thread.place)
    await delete_answer(thread.sender.app, message.team_id, message.thread, str(event))


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message", because="The stream still runs."
)
@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("chat.delete", {"drop": "before"}),
        ("chat.stopStream", {"error": "internal_error"}),
    ],
    ids=str,
)
async def test_what_slack_did_not_delete_is_deleted_later(
    thread: Thread, method: str, fault: dict[str, Any]
) -> None:
    """An outage of Slack leaves the answer to a deleted message there until the job's next run."""
    event = stored(thread)
    await dies_at_its_start(thread)
    thread.rows(
        "UPDATE messages SET status = 'deleted', ended_at = now(), reply_ts = %s WHERE id = %s",
        [one["ts"] for one in thread.messages()],
        event,
    )
    thread.slack.fault(method, times=None, **fault)
    with pytest.raises(SLACK_FAULTS):
        await delete(thread, event)
    assert len(thread.messages()) == 1
    thread.slack.clear()
    await delete(thread, event)
    assert thread.messages() == []


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message", because="The stream still runs."
)
async def test_a_stream_whose_ts_was_not_stored_goes_with_its_question(
    thread: Thread,
) -> None:
    """A process dies before it notes the ts, and the question is deleted before the next one."""
    turn = await thread.turn()
    streamed_by_app(thread)
    await follow_change(
        thread.sender.app, change_of(turn.message, None, changed_ts=LATER)
    )
    await delete(thread, turn.id)
    assert thread.messages() == []
    assert not thread.intended()


METADATA: dict[str, Any] = {
    "event_type": "kioku_trial",
    "event_payload": {"reminder": "one"},
}
OTHER: dict[str, Any] = {
    "event_type": "kioku_trial",
    "event_payload": {"reminder": "two"},
}


def posted(slack: PlaygroundSlack, place: PersonThread) -> list[str]:
    """Return the times of the reminder's messages in a direct message."""
    answer = slack.as_app(
        "conversations.history", channel=place.channel, include_all_metadata=True
    )
    return [one["ts"] for one in answer["messages"] if one.get("metadata") == METADATA]


async def post(slack: PlaygroundSlack, place: PersonThread) -> str:
    """Post the reminder as the app does."""
    client = slack.api().client(slack.team_id, patience=60)
    content = {"text": "Remember."}
    return await post_once(client, place.channel, content, METADATA)


@pytest.mark.parametrize(
    "fault", [None, {"drop": "before"}, {"drop": "after"}, {"status": 503}]
)
async def test_a_post_whose_fate_is_not_known_is_there_once(
    slack: PlaygroundSlack, fault: dict[str, Any] | None
) -> None:
    """After a lost connection or a server error the message is looked for, then posted."""
    place = slack.place()
    if fault:
        slack.fault("chat.postMessage", **fault)
    ts = await post(slack, place)
    assert posted(slack, place) == [ts]


@pytest.mark.parametrize(
    ("earlier", "is_found"),
    [(METADATA, True), (OTHER, False), (notice_metadata(), False)],
    ids=str,
)
async def test_what_an_earlier_attempt_posted_is_found(
    slack: PlaygroundSlack, earlier: dict[str, Any], is_found: bool
) -> None:
    """A message is found by its metadata; no other message is taken for it."""
    place = slack.place()
    since = time.time()
    text = "Remember."
    before = slack.as_app(
        "chat.postMessage", channel=place.channel, text=text, metadata=earlier
    )
    client = slack.api().client(slack.team_id, patience=60)
    found = await find_posted(client, place.channel, METADATA, since=since)
    assert found == (before["ts"] if is_found else None)
