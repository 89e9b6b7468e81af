"""One answer, however a worker ended: what it may have left in the thread is found, or nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from bot.conversation.claimed_message import Superseded
from bot.pipeline.deleted_messages import DeletedMessageCleanup
from bot.slack.client import NOTICE_METADATA
from tests.conftest import owner_rows
from tests.integration.deliveries import Answering, Sender, answering, whole
from tests.integration.playground_slack import PersonThread
from tests.waiting import until

WRITES = ("chat.startStream", "chat.appendStream", "chat.stopStream", "chat.update")


# One migrated database for all of these tests; each has a thread of its own.
pytestmark = pytest.mark.one_database


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take for settled what is half a second old."""
    monkeypatch.setattr("bot.delivery.posted_messages.SETTLED_SECONDS", 0.5)
    monkeypatch.setattr("bot.delivery.posted_messages.TROUBLE_SECONDS", 1.0)


def said_by_app(sender: Sender, place: PersonThread, text: str, **more: Any) -> str:
    """Post as the app does, outside any turn; return the ts."""
    done = sender.slack.as_app(
        "chat.postMessage", channel=place.channel, thread_ts=place.root, text=text, **more
    )
    return str(done["ts"])


def streamed_by_app(sender: Sender, place: PersonThread, text: str) -> str:
    """Begin a stream as a worker does that dies before it can note its ts; return the ts."""
    done = sender.slack.as_app(
        "chat.startStream",
        channel=place.channel,
        thread_ts=place.root,
        recipient_team_id=place.team,
        recipient_user_id=place.user,
        chunks=[{"type": "markdown_text", "text": text}],
    )
    return str(done["ts"])


async def dies_at_its_start(sender: Sender, place: PersonThread) -> str:
    """Let a worker die after its stream was begun, before its ts was stored; return the ts."""
    await (await sender.begin(place)).record_intent()
    return streamed_by_app(sender, place, "Half of")


async def answer_again(
    sender: Sender, place: PersonThread, text: str = "The whole answer."
) -> None:
    """Answer as the worker that continues does."""
    sender.slack.forget_calls()
    async with answering(sender, place) as answer:
        await answer.stream.write(text[:4])
        await answer.stream.finish(text)


async def test_a_turn_that_died_before_it_posted_asks_slack_nothing_more(sender: Sender) -> None:
    """Where nothing can have been posted the thread is not looked at, and the answer streams."""
    place = sender.slack.place()
    await sender.begin(place)
    await answer_again(sender, place)
    whole(sender.slack, place, "The whole answer.")
    assert [call["method"] for call in sender.slack.calls()] == [
        "agents.sessions.setStatus",
        "chat.startStream",
        "chat.stopStream",
    ]


@pytest.mark.failed_calls(
    "chat.stopStream: message_not_in_streaming_state",
    because="Whether a message that was found still streams is not known.",
)
@pytest.mark.parametrize("end", ["live", "expired", "stopped by the person", "ended"])
async def test_a_stream_whose_ts_was_not_stored_is_finished(sender: Sender, end: str) -> None:
    """Whatever became of a stream that nobody noted, it becomes the one whole answer."""
    place = sender.slack.place()
    ts = await dies_at_its_start(sender, place)
    if end == "expired":
        sender.slack.control("settings", {"stream_seconds": 0.01})
    elif end == "stopped by the person":
        person = {"user": place.user, "channel": place.channel, "thread_ts": place.root}
        sender.slack.control("stop", person)
    elif end == "ended":
        sender.slack.as_app("chat.stopStream", channel=place.channel, ts=ts)
    await answer_again(sender, place)
    [message] = whole(sender.slack, place, "The whole answer.")
    assert message["ts"] == ts
    assert await sender.known(place) == [ts]
    assert len(sender.slack.calls("conversations.replies")) == 1


@pytest.mark.failed_calls(
    "chat.stopStream: message_not_in_streaming_state",
    because="Whether a message that was found still streams is not known.",
)
async def test_a_post_whose_ts_was_not_stored_is_finished(sender: Sender) -> None:
    """A post that nobody noted is found by its metadata and set to the answer of now."""
    place = sender.slack.place()
    await (await sender.begin(place)).record_intent()
    async with answering(sender, place) as lost:
        await lost.stream.finish("The first answer.")
    [ts] = await sender.known(place)
    owner_rows(
        sender.conninfo,
        "UPDATE turns SET reply_ts = '{}', posting_since = now() WHERE question_ts = %s",
        place.ts,
    )
    await answer_again(sender, place)
    [message] = whole(sender.slack, place, "The whole answer.")
    assert message["ts"] == ts


async def test_a_call_that_is_carried_out_late_is_waited_for(sender: Sender) -> None:
    """What a dying worker had under way appears after a first look, and is found all the same."""
    place = sender.slack.place()
    await (await sender.begin(place)).record_intent()
    begun = asyncio.create_task(answer_again(sender, place))
    await until(lambda: sender.slack.calls("conversations.replies"))
    ts = streamed_by_app(sender, place, "Half of")
    await begun
    [message] = whole(sender.slack, place, "The whole answer.")
    assert message["ts"] == ts


async def cancelled_in_flight(sender: Sender, answer: Answering) -> None:
    """Write first words, and cancel that while Slack begins the stream, as Stop does."""
    writing = asyncio.create_task(answer.stream.write("Half of"))
    await until(lambda: sender.slack.calls("chat.startStream"))
    writing.cancel()
    await asyncio.wait({writing})


async def test_a_stream_that_was_being_begun_at_stop_becomes_the_answer(sender: Sender) -> None:
    """Slack carries out the call that Stop has ended: its message is found and used."""
    place = sender.slack.place()
    sender.slack.fault("chat.startStream", delay_ms=700)
    async with answering(sender, place) as answer:
        await cancelled_in_flight(sender, answer)
        await until(lambda: sender.slack.done("chat.startStream"))
        await answer.stream.finish("Half of it. Stopped.")
    [message] = whole(sender.slack, place, "Half of it. Stopped.")
    assert await sender.known(place) == [message["ts"]]


async def test_a_stream_that_appears_after_stop_is_waited_for(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that is not in the thread at first is looked for once more."""
    monkeypatch.setattr("bot.delivery.posted_messages.SETTLED_SECONDS", 3.0)
    place = sender.slack.place()
    sender.slack.fault("chat.startStream", delay_ms=30_000, drop="before")
    async with answering(sender, place) as answer:
        await cancelled_in_flight(sender, answer)
        finishing = asyncio.create_task(answer.stream.finish("Half of it. Stopped."))
        await until(lambda: sender.slack.done("conversations.replies"))
        ts = streamed_by_app(sender, place, "Half of")
        await finishing
    [message] = whole(sender.slack, place, "Half of it. Stopped.")
    assert message["ts"] == ts


async def test_stop_does_not_end_the_recording_of_a_message(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while it waits until the stream is recorded, an answer records it all the same."""
    monkeypatch.setattr("bot.delivery.reply_stream.FLUSH_SECONDS", 0.0)
    place = sender.slack.place()
    with psycopg.connect(sender.conninfo) as owner:
        async with answering(sender, place) as answer:
            await answer.stream.write("Half ")
            # The recording has not begun: nothing was waited for since the stream was.
            owner.execute("SELECT FROM turns WHERE question_ts = %s FOR UPDATE", (place.ts,))
            writing = asyncio.create_task(answer.stream.write("of it. "))
            await asyncio.sleep(0.1)
            writing.cancel()
            await asyncio.wait({writing})
            owner.rollback()
            answer.stopped = True
            await answer.stream.finish("Half of it. Stopped.")
    [message] = whole(sender.slack, place, "Half of it. Stopped.")
    assert await sender.known(place) == [message["ts"]]


async def test_what_others_said_in_the_thread_is_left_alone(sender: Sender) -> None:
    """Neither another turn's answer nor a notice is taken for the lost one."""
    place = sender.slack.place()
    followed = sender.slack.say(place.user, place.channel, "And?", thread_ts=place.root)
    later = PersonThread(place.user, place.team, place.channel, followed["ts"], place.root)
    async with answering(sender, place) as first:
        await first.stream.write("The first ")
        await first.stream.finish("The first answer.")
    notice = said_by_app(sender, place, "Only so you know.", metadata=NOTICE_METADATA)
    await (await sender.begin(later)).record_intent()
    await answer_again(sender, later, "The second answer.")
    messages = {m["ts"]: m["text"] for m in sender.slack.thread(place)}
    assert list(messages.values()) == [
        "The first answer.",
        "Only so you know.",
        "The second answer.",
    ]
    assert messages[notice] == "Only so you know."


async def test_a_turn_of_the_version_before_is_looked_up(sender: Sender) -> None:
    """A turn that an older version began, which notes no intentions, is not answered twice."""
    place = sender.slack.place()
    await sender.begin(place)
    with psycopg.connect(sender.conninfo) as owner:
        owner.execute("DELETE FROM turns WHERE question_ts = %s", (place.ts,))
        owner.execute(
            "INSERT INTO turns (id, team_id, user_id, channel_id, thread, audience, question_ts,"
            " question, words) VALUES (gen_random_uuid(), %s, %s, %s, %s, 'dm', %s, '', '')",
            (
                sender.slack.team_id,
                place.user,
                place.channel,
                sender.slack.message(place).thread,
                place.ts,
            ),
        )
    ts = streamed_by_app(sender, place, "Half of")
    await answer_again(sender, place)
    [message] = whole(sender.slack, place, "The whole answer.")
    assert message["ts"] == ts


def stored(sender: Sender) -> tuple[PersonThread, int]:
    """Put a message into the inbox as begun once; return its place and its id."""
    place = sender.slack.place()
    message = sender.slack.message(place)
    with psycopg.connect(sender.conninfo) as owner:
        [[identity]] = owner.execute(
            "INSERT INTO inbox_events (team_id, event_id, user_id, channel_id, ts, thread, message,"
            " attempts) VALUES (%s, %s, %s, %s, %s, %s, %s, 1) RETURNING id",
            (
                message.team_id,
                message.event_id,
                message.user_id,
                message.channel_id,
                message.ts,
                message.thread,
                Jsonb({}),
            ),
        ).fetchall()
    return place, int(identity)


def taken_over(sender: Sender, event: int) -> None:
    """Let another worker begin a message anew."""
    owner_rows(
        sender.conninfo, "UPDATE inbox_events SET attempts = attempts + 1 WHERE id = %s", event
    )


async def test_a_worker_that_was_taken_over_posts_nothing(sender: Sender) -> None:
    """A worker that was taken over before its answer began does not begin it."""
    place, event = stored(sender)
    begun = await sender.turn(place, event=event)
    taken_over(sender, event)
    async with answering(sender, place, begun=begun) as answer:
        with pytest.raises(Superseded):
            await answer.stream.write("Hello")
        with pytest.raises(Superseded):
            await answer.stream.finish("Hello.")
    assert sender.slack.thread(place) == []
    assert not sender.slack.calls("chat.startStream", "chat.postMessage")


async def test_what_was_made_ready_and_never_begun_is_not_intended(sender: Sender) -> None:
    """A turn that ends before its first words leaves nothing for the next one to look for."""
    place, event = stored(sender)
    async with answering(sender, place, begun=await sender.turn(place, event=event)) as answer:
        answer.stream.expect()
        await until(lambda: sender.intended(place))
    assert not sender.intended(place)
    assert sender.slack.calls(*WRITES) == []


async def _ended(beginning: asyncio.Task[None], answer: Answering) -> None:
    await beginning
    # That a stream was begun is noted while the next words come.
    await answer.stream.finish("Half of it.")


@pytest.mark.parametrize("method", ["chat.startStream", "chat.postMessage"])
async def test_what_was_begun_as_another_took_over_is_taken_back(
    sender: Sender, method: str
) -> None:
    """A message that is begun in the very moment of being taken over does not stay beside."""
    place, event = stored(sender)
    sender.slack.fault(method, delay_ms=400)
    async with answering(sender, place, begun=await sender.turn(place, event=event)) as late:
        streamed = method == "chat.startStream"
        deliver = late.stream.write if streamed else late.stream.finish
        beginning = asyncio.create_task(deliver("Half of"))
        await until(lambda: sender.intended(place))
        taken_over(sender, event)
        with pytest.raises(Superseded):
            await _ended(beginning, late)
    assert [call["executed"] for call in sender.slack.calls(method)] == [True]
    assert sender.slack.thread(place) == []
    again = await sender.turn(place, event=event, attempts=1)
    async with answering(sender, place, begun=again) as answer:
        await answer.stream.finish("The whole answer.")
    whole(sender.slack, place, "The whole answer.")


async def test_what_another_has_adopted_is_not_taken_back(sender: Sender) -> None:
    """Where the other worker has found the message already it stays, and is that one's."""
    place, event = stored(sender)
    late = await sender.begin(place, event=event)
    await late.record_intent()
    ts = streamed_by_app(sender, place, "Half of")
    taken_over(sender, event)
    other = await sender.turn(place, event=event, attempts=1)
    async with answering(sender, place, begun=other) as answer:
        await answer.stream.finish("The whole answer.")
    with pytest.raises(Superseded) as told:
        await late.record_posted(ts)
    assert type(told.value) is Superseded
    [message] = whole(sender.slack, place, "The whole answer.")
    assert message["ts"] == ts


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message", because="The stream whose ts was lost still runs."
)
async def test_a_lost_message_of_a_withdrawn_question_goes_too(sender: Sender) -> None:
    """Where the question was deleted, what nobody noted of its answer does not stay either."""
    place, event = stored(sender)
    await dies_at_its_start(sender, place)
    owner_rows(sender.conninfo, "UPDATE inbox_events SET status = 'withdrawn' WHERE id = %s", event)
    gone = DeletedMessageCleanup(sender.pool, sender.installations, sender.sessions)
    await gone.clear(sender.slack.message(place).thread)
    assert sender.slack.thread(place) == []


def withdrawn(sender: Sender, place: PersonThread, event: int, asked: str) -> None:
    """Note that a message was deleted two minutes ago.

    Its turn has texts, and asked Slack to post a message at the time `asked`.
    """
    owner_rows(
        sender.conninfo,
        "UPDATE turns SET question = 'q', words = 'w', reply = 'r',"
        " posting_since = now() + %s::interval WHERE question_ts = %s",
        asked,
        place.ts,
    )
    owner_rows(
        sender.conninfo,
        "UPDATE inbox_events SET status = 'withdrawn', finished_at = now() - interval '2 minutes'"
        " WHERE id = %s",
        event,
    )


async def cleared(sender: Sender, place: PersonThread) -> str:
    """Delete what is left of a deleted message; return its status, which says if that is done.

    The upkeep finds the thread exactly as long as it is not.
    """
    thread = sender.slack.message(place).thread
    await DeletedMessageCleanup(sender.pool, sender.installations, sender.sessions).clear(thread)
    [turn] = owner_rows(
        sender.conninfo,
        "SELECT status, question || words || COALESCE(reply, '') AS texts,"
        " formed_at IS NOT NULL AS formed,"
        " thread IN (SELECT thread FROM threads_without_a_job()) AS found"
        " FROM turns WHERE question_ts = %s",
        place.ts,
    )
    assert (turn["texts"], turn["formed"]) == ("", True)
    assert turn["found"] is (turn["status"] == "answering")
    return str(turn["status"])


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message", because="The stream whose ts was lost still runs."
)
@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("conversations.replies", {"status": 500}),
        ("conversations.replies", {"error": "internal_error"}),
        ("chat.delete", {"status": 500}),
        ("chat.delete", {"drop": "before"}),
        ("chat.stopStream", {"error": "internal_error"}),
    ],
    ids=str,
)
async def test_what_slack_did_not_delete_is_deleted_a_minute_later(
    sender: Sender, method: str, fault: dict[str, Any]
) -> None:
    """One fault of Slack leaves the answer to a deleted message there until the next upkeep."""
    place, event = stored(sender)
    await dies_at_its_start(sender, place)
    withdrawn(sender, place, event, "0")
    sender.slack.fault(method, **fault)
    assert await cleared(sender, place) == "answering"
    assert len(sender.slack.thread(place)) == 1
    assert await cleared(sender, place) == "stopped"
    assert sender.slack.thread(place) == []


async def test_what_slack_refuses_to_delete_is_left(sender: Sender) -> None:
    """A refusal is Slack's answer: nothing is tried again."""
    place, event = stored(sender)
    await (await sender.begin(place, event=event)).record_posted(said_by_app(sender, place, "Yes."))
    withdrawn(sender, place, event, "-1 hour")
    sender.slack.fault("conversations.replies", error="thread_not_found")
    sender.slack.fault("chat.delete", error="message_not_found")
    assert await cleared(sender, place) == "stopped"
    assert len(sender.slack.calls("conversations.replies", "chat.delete")) == 2


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message", because="The stream whose ts was lost still runs."
)
async def test_a_stream_that_appears_after_its_question_was_deleted_goes_too(
    sender: Sender,
) -> None:
    """Where a message may still appear the thread is looked at again, and then no more."""
    place, event = stored(sender)
    await (await sender.begin(place)).record_intent()
    withdrawn(sender, place, event, "1 minute")
    assert await cleared(sender, place) == "answering"
    streamed_by_app(sender, place, "Half of")
    assert await cleared(sender, place) == "stopped"
    assert sender.slack.thread(place) == []


async def test_a_message_that_never_appeared_is_not_looked_for_again(sender: Sender) -> None:
    """Long after Slack was asked to post a message that is not there, the turn ends."""
    place, event = stored(sender)
    await sender.begin(place)
    withdrawn(sender, place, event, "-1 minute")
    assert await cleared(sender, place) == "stopped"


async def test_nothing_is_written_while_nobody_knows_who_answers(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database out of sight for long the answer waits, and is whole when it is back."""
    monkeypatch.setattr("bot.delivery.reply_stream.FLUSH_SECONDS", 0.1)
    monkeypatch.setattr("bot.delivery.reply_stream._SURE_SECONDS", 0.3)
    place = sender.slack.place()
    async with answering(sender, place) as answer:
        await answer.stream.write("Hello ")
        answer.sure = False
        await asyncio.sleep(0.5)
        before = len(sender.slack.calls(*WRITES))
        for _ in range(4):
            await answer.stream.write("more ")
            await asyncio.sleep(0.11)
        finishing = asyncio.create_task(answer.stream.finish(answer.stream.received_text + "end."))
        await asyncio.sleep(0.3)
        assert len(sender.slack.calls(*WRITES)) == before
        answer.sure = True
        await finishing
    whole(sender.slack, place, "Hello more more more more end.")
