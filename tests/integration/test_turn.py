"""Whole turns without a worker: PostgreSQL, the playground's Slack, the stand-in model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from uuid import uuid4

import pytest

from bot.cancellation import Superseded
from bot.conversation.inbox import (
    MAX_FAILURES,
    MAX_FAILURES_WITH_APOLOGY,
    stop_thread,
    store_message,
    take_message,
)
from bot.conversation.turns import FORM_MEMORIES, begin_turn, end_turn
from bot.locale import say
from bot.queue.pulse import SILENCE_SECONDS
from bot.remembering.formation import read_unformed
from bot.slack.messages import Message
from memory import DM, MemoryModelRefused
from tests.integration.app import App, MakeApp
from tests.integration.deliveries import record
from tests.integration.messages import LATER, changed
from tests.integration.playground_slack import PersonThread
from tests.waiting import until


async def test_a_message_is_answered_and_ended(app: App) -> None:
    """A turn answers once, and ends message, turn and hand-over together."""
    place = app.slack.place()
    app.script("Here you are.")
    asked = await app.ask(place, "I like ramen. What is for lunch?")
    assert app.replies(asked) == ["Here you are."]
    turn, event = app.turn(asked), app.event(asked)
    assert (turn["status"], turn["reply"]) == ("answered", "Here you are.")
    assert turn["words"] == turn["question"] == "I like ramen. What is for lunch?"
    assert len(turn["reply_ts"]) == 1
    assert (event["status"], event["message"]) == ("answered", None)
    [formation] = app.formations(asked.person)
    assert formation["args"] == {
        "team": asked.team_id,
        "user": asked.user_id,
        "audience": "dm",
        "failures": "0",
    }
    assert 0 < formation["due_in"] <= 4
    assert app.prompts()[-1][-1]["content"] == "I like ramen. What is for lunch?"


async def test_the_first_message_is_dated_by_the_persons_clock(app: App) -> None:
    """Slack is asked for their time zone before the model is told the day."""
    await app.ask(app.slack.place(tz="Asia/Kathmandu"), "hello")
    assert "in the time zone Asia/Kathmandu" in app.context()


async def test_fresh_words_are_known_before_they_are_formed(app: App) -> None:
    """What a person said in one thread is known at once in their next DM, and in no channel."""
    place = app.slack.place(channel="public")
    dm = PersonThread(
        place.user, place.team, app.slack.say(place.user)["channel"], "", ""
    )
    await app.ask(place, "<@BOT> I am vegetarian")
    await app.ask(dm, "I own a tuba. What shall I eat?")
    assert "I am vegetarian" in app.context()
    await app.ask(place, "<@BOT> what shall I eat?")
    assert "tuba" not in json.dumps(app.prompts()[-1])


async def test_history_is_the_persons_and_the_places(app: App) -> None:
    """A DM knows the person's other DM threads; a thread in a channel knows itself alone."""
    place = app.slack.place(channel="public")
    dm = PersonThread(
        place.user, place.team, app.slack.say(place.user)["channel"], "", ""
    )
    await app.ask(dm, "first question in dm")
    await app.ask(dm, "second question in dm")
    assert [m["content"] for m in app.prompts()[-1] if m["role"] == "user"] == [
        "first question in dm",
        "second question in dm",
    ]
    root = await app.ask(place, "<@BOT> in the channel")
    await app.ask(place, "a follow-up", thread_ts=root.ts)
    asked = [m["content"] for m in app.prompts()[-1] if m["role"] == "user"]
    assert asked[-1] == "a follow-up"
    assert len(asked) == 2
    assert "in dm" not in json.dumps(app.prompts()[-1])


async def test_what_people_write_to_each_other_in_a_thread_is_read_for_each_answer(
    app: App,
) -> None:
    """Somebody answers for the person who asked; what was answered is not shown twice."""
    place = app.slack.place(channel="public", name="Mia")
    ken, team = app.slack.person(name="Ken")
    app.slack.control("channels/update", {"channel": place.channel, "add": [ken]})
    app.script("Which day do you mean?")
    asked = await app.ask(place, "<@BOT> is the room free?", thread_ts=place.root)
    app.slack.say(ken, place.channel, "she means Thursday", thread_ts=place.root)
    await app.ask(place, "so, is it?", thread_ts=place.root)
    by_ken = PersonThread(ken, team, place.channel, "", place.root)
    await app.ask(by_ken, "<@BOT> and before noon?", thread_ts=place.root)
    for prompt in app.prompts()[-2:]:
        shown = json.dumps(prompt)
        once = ("hello", "is the room free?", "Which day do you mean?", "she means")
        assert [shown.count(words) for words in once] == [1] * len(once)
    assert len(app.replies(asked)) == 3
    where = {"user": place.user, "channel": place.channel, "ts": place.root}
    app.slack.control("messages/delete", where)
    await app.ask(by_ken, "<@BOT> thanks", thread_ts=place.root)
    shown = json.dumps(app.prompts()[-1])
    assert "she means" in shown
    assert "deleted" not in shown


async def test_what_is_not_to_be_remembered_is_read_from_the_thread_for_nobody(
    app: App,
) -> None:
    """Not for a colleague either, with or without memory, although the message stays in Slack."""
    place = app.slack.place(channel="public")
    ken, team = app.slack.person(name="Ken")
    app.slack.control("channels/update", {"channel": place.channel, "add": [ken]})
    await app.ask(place, "<@BOT> off the record: I play the tuba", thread_ts=place.root)
    by_ken = PersonThread(ken, team, place.channel, "", place.root)
    for question in ("<@BOT> what did she say?", "<@BOT> and now?", "<@BOT> now?"):
        if question == "<@BOT> now?":
            await app.off(by_ken)
        await app.ask(by_ken, question, thread_ts=place.root)
        shown = json.dumps(app.prompts()[-1])
        assert "hello" in shown
        assert "tuba" not in shown


async def test_words_reply_to_what_was_answered_not_to_what_is_being_answered(
    app: App,
) -> None:
    """Another message of the person's is still being answered in another thread."""
    place = app.slack.place()
    app.script("Which tea do you like?")
    await app.ask(place, "bring me tea")
    other = await app.ask(place, "and what is the weather?")
    await app.ask(place, "green tea")
    app.rows(
        "UPDATE messages SET ended_at = NULL, reply = NULL WHERE ts = %s RETURNING 1",
        other.ts,
    )
    unformed = await read_unformed(app.pool, other.person.namespace(DM))
    assert unformed.words[-1].reply_to == "Which tea do you like?"


@pytest.mark.parametrize("where", ["dm", "public"])
async def test_without_a_question_no_model_is_asked(app: App, where: str) -> None:
    """A bare mention is answered with one sentence, and nothing is formed."""
    place = app.slack.place(channel=where)
    message = app.slack.message(place, text=f"<@{app.slack.bot_user_id}>")
    assert await store_message(app.core, message)
    await app.answering.drain(message.thread)
    assert app.replies(message) == [say("en", "nothing_said")]
    assert app.prompts() == []
    assert app.formations(message.person) == []


async def test_a_model_that_refuses_is_one_sentence(app: App) -> None:
    """The person gets one clear sentence; what they said is still remembered; the next works."""
    place = app.slack.place()
    app.fault(error_code="invalid_api_key", times=9)
    asked = await app.ask(place, "I like ramen. And you, what do you like best of all?")
    assert app.replies(asked) == [say("en", "model_refused")]
    turn = app.turn(asked)
    assert (turn["status"], turn["reply"]) == ("failed", None)
    assert len(app.formations(asked.person)) == 1
    app.stand_in.call("/_model/faults", method="DELETE")
    again = await app.ask(place, "Hello again")
    assert app.turn(again)["status"] == "answered"


async def answering_slowly(
    app: App, place: PersonThread
) -> tuple[Message, asyncio.Task[None]]:
    """Begin an answer that takes long, and wait until a part of it is shown."""
    app.stand_in.call("/_model/settings", {"token_ms": 100})
    app.script("word " * 300)
    asked = await app.receive(place, "Tell me a long story, I like stories about ramen")
    task = asyncio.create_task(app.answering.drain(asked.thread))
    root = PersonThread(place.user, place.team, place.channel, asked.ts, asked.ts)
    await until(lambda: app.slack.thread(root))
    return asked, task


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A stream that still runs is to be deleted.",
)
async def test_a_question_deleted_while_answered_leaves_no_words(app: App) -> None:
    """A question that is taken back stops its answer, and nothing of it is kept or formed."""
    place = app.slack.place()
    asked, task = await answering_slowly(app, place)
    await app.withdraw(asked)
    await asyncio.wait_for(task, 60)
    await app.follow_changes()
    assert app.replies(asked) == []
    turn = app.turn(asked)
    assert (turn["question"], turn["words"], turn["reply"]) == ("", "", None)
    assert turn["formed_at"] is not None
    assert app.formations(asked.person) == []
    assert app.event(asked)["status"] == "deleted"


async def test_a_deletion_that_does_not_show_the_message_deletes_its_words(
    app: App,
) -> None:
    """Slack's reference has the event without `previous_message`: the row knows its thread."""
    place = app.slack.place()
    root = await app.ask(place, "Hello")
    reply = await app.ask(place, "I love ramen", thread_ts=root.ts)
    event = changed(reply, None)["event"]
    del event["previous_message"]
    assert await app.deliver(event) == 200
    assert [app.turn(one)["words"] for one in (root, reply)] == ["Hello", ""]


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A stream that still runs is to be deleted.",
)
@pytest.mark.failed_calls(
    "chat.stopStream: message_not_in_streaming_state",
    because="The first answer may end just as it is given up, and is then ended twice.",
)
@pytest.mark.failed_calls(
    "chat.stopStream: message_not_found",
    because="Or it is ended by the one just after the other has deleted it.",
)
async def test_an_edit_during_the_answer_begins_it_again(app: App) -> None:
    """An edited question's answer is given up and deleted, and the new one takes its place."""
    place = app.slack.place()
    asked, task = await answering_slowly(app, place)
    app.script("About sushi.")
    await app.edit(asked, "I like sushi")
    # Only now: the first answer must not have ended before the edit.
    app.stand_in.call("/_model/settings", {"token_ms": 0})
    await asyncio.wait_for(task, 60)
    await app.answering.drain(asked.thread)
    assert app.replies(asked) == ["About sushi."]
    turn = app.turn(asked)
    assert (turn["question"], turn["words"]) == ("I like sushi", "I like sushi")
    assert turn["reply_ts"] == [shown["ts"] for shown in app.shown(asked)]
    assert app.event(asked)["failures"] == 0


@pytest.mark.parametrize("edited", ["And sushi?", None])
async def test_a_change_of_a_message_that_waits_leaves_the_answer_before_it_alone(
    app: App, edited: str | None
) -> None:
    """An edit or deletion ends no answer to an earlier message of its thread."""
    place = app.slack.place()
    asked, task = await answering_slowly(app, place)
    waiting = await app.receive(place, "And sushi", thread_ts=asked.ts)
    if edited is None:
        await app.withdraw(waiting)
    else:
        await app.edit(waiting, edited)
    app.stand_in.call("/_model/settings", {"token_ms": 0})
    await asyncio.wait_for(task, 60)
    assert app.event(asked)["status"] == "answered"
    questions = [prompt[-1]["content"] for prompt in app.prompts()]
    assert questions == [asked.text, *([edited] if edited else [])]


@pytest.mark.parametrize(
    ("sentence", "length"), [("My desk is on floor 4. ", 7_980), ("a" * 9_000, 8_000)]
)
async def test_a_long_message_is_read_to_the_end_of_a_sentence_and_that_is_said(
    app: App, sentence: str, length: int
) -> None:
    """Half a sentence may say something else."""
    place = app.slack.place()
    note = say("en", "words_cut")
    asked = await app.ask(place, sentence * (9_000 // len(sentence)))
    assert note in app.replies(asked)[-1]
    words = app.turn(asked)["words"]
    assert words.endswith(sentence.strip()[-5:])
    assert length - len(sentence) < len(words) <= length
    asked = await app.ask(place, sentence)
    assert (note in app.replies(asked)[-1]) == (len(sentence) > 8_000)


async def test_an_edit_in_the_last_moment_counts(app: App) -> None:
    """A turn whose question was edited after its last look does not end: it is answered again."""
    place = app.slack.place()
    asked = await app.receive(place, "I like ramen")
    waiting = await take_message(app.core, asked.thread, uuid4())
    assert waiting is not None
    turn = await begin_turn(
        app.core, waiting, question="I like ramen", words="I like ramen"
    )
    await app.edit(asked, "I like sushi")
    with pytest.raises(Superseded):
        await end_turn(app.core, turn, "answered", reply="Ramen!")
    assert app.turn(asked)["status"] == "waiting"
    await app.answering.drain(asked.thread)
    assert app.turn(asked)["words"] == "I like sushi"


async def test_stop_counts_while_the_model_is_silent(app: App) -> None:
    """Stop pressed before the model's first word ends the request, long before that word."""
    place = app.slack.place()
    app.stand_in.call("/_model/settings", {"first_token_ms": 60_000})
    asked = await app.receive(place, "Tell me")
    task = asyncio.create_task(app.answering.drain(asked.thread))
    await until(lambda: app.slack.calls("agents.sessions.setStatus"))
    await stop_thread(app.core, asked.thread, stopped_ts=LATER)
    await asyncio.wait_for(task, 30)
    assert app.replies(asked) == [say("en", "stopped")]


async def test_a_turn_that_died_is_finished_not_repeated(app: App) -> None:
    """What a turn begun before had posted already is deleted for the whole answer."""
    place = app.slack.place()
    asked = await app.receive(place, "Hello")
    waiting = await take_message(app.core, asked.thread, uuid4())
    assert waiting is not None
    turn = await begin_turn(app.core, waiting, question="Hello", words="Hello")
    posted = await app.slack.client().chat_postMessage(
        channel=place.channel, thread_ts=asked.ts, text="Half of"
    )
    await record(app.pool, turn, posted["ts"])
    app.script("The whole answer.")
    await app.answering.drain(asked.thread)
    assert app.replies(asked) == ["The whole answer."]
    assert app.turn(asked)["reply_ts"] == [shown["ts"] for shown in app.shown(asked)]


_WRITES = (
    "chat.startStream",
    "chat.appendStream",
    "chat.stopStream",
    "chat.postMessage",
)


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="The worker that was taken over leaves a stream that runs.",
)
@pytest.mark.parametrize("moment", ["before the model", "in the words"])
async def test_a_worker_that_was_taken_over_touches_nothing_more(
    app: App, moment: str
) -> None:
    """A worker believed dead that lives on stops where it is, and the other's answer stays."""
    place = app.slack.place(channel="public")
    asked = await app.receive(place, "<@BOT> Hello", thread_ts=place.root)
    begun: Callable[[], object]
    if moment == "before the model":
        app.slack.fault("conversations.replies", delay_ms=2_000)
        begun = partial(app.find_turn, asked)
    else:
        app.script("The first. " + "word " * 600)
        app.stand_in.call("/_model/settings", {"token_ms": 30})
        begun = partial(app.slack.calls, "chat.appendStream")
    believed_dead = asyncio.create_task(app.answering.drain(asked.thread))
    await until(begun)
    # As if the process had been out of touch, suspended say.
    app.core.queue.pulse._last_beat -= 2 * SILENCE_SECONDS
    assert await take_message(app.core, asked.thread, uuid4())
    made = len(app.slack.calls(*_WRITES))
    await asyncio.wait_for(believed_dead, 60)
    assert len(app.slack.calls(*_WRITES)) == made
    assert moment != "before the model" or not app.prompts()
    assert app.event(asked)["status"] == "waiting"
    app.stand_in.call("/_model/settings", {"token_ms": 0, "first_token_ms": 0})
    app.script("The second.")
    # Two processes have died over it, as it seems: it is put off once.
    await app.answering.drain(asked.thread)
    assert app.event(asked)["status"] == "waiting"
    await app.answering.drain(asked.thread)
    assert app.replies(asked) == ["The second."]
    assert app.turn(asked)["reply"] == "The second."


@pytest.mark.parametrize(
    ("error", "level"),
    [
        ("is_archived", "WARNING"),
        ("msg_blocks_too_long", "ERROR"),
    ],
)
async def test_what_slack_does_not_take_is_given_up(
    app: App, caplog: pytest.LogCaptureFixture, error: str, level: str
) -> None:
    """An answer that Slack refuses fails the message; a closed conversation is only a warning."""
    place = app.slack.place()
    app.slack.fault("chat.startStream", error=error)
    app.slack.fault("chat.postMessage", error=error, times=None)
    asked = await app.ask(place, "Hello")
    assert app.event(asked)["status"] == "failed"
    assert app.replies(asked) == []
    [line] = [one for one in caplog.records if one.name == "bot.answering.attempts"]
    assert (line.levelname, error in line.getMessage()) == (level, True)
    assert bool(line.exc_info) is (level == "ERROR")


async def test_who_wrote_where_slack_takes_no_answer_is_told_once(app: App) -> None:
    """It is said in their direct messages, once a day."""
    place = app.slack.place(channel="public", text="<@BOT> hello")
    for _ in range(2):
        app.slack.fault("chat.startStream", error="restricted_action")
        app.slack.fault("chat.postMessage", error="restricted_action")
        asked = await app.ask(place, "<@BOT> hello")
        assert app.event(asked)["status"] == "failed"
    told = say("en", "place_refused", channel=f"<#{place.channel}>")
    posts = [one["args"] for one in app.slack.calls("chat.postMessage")]
    assert [one["text"] for one in posts if one["channel"] == place.user] == [told]


async def test_a_message_that_failed_too_often_gets_an_apology(app: App) -> None:
    """A message whose turn failed or ended its process too often gets one sentence instead."""
    place = app.slack.place()
    asked = await app.receive(place, "Hello, I like ramen")
    app.rows("UPDATE messages SET failures = %s WHERE ts = %s", MAX_FAILURES, asked.ts)
    await app.answering.drain(asked.thread)
    assert app.replies(asked) == [say("en", "turn_failed")]
    assert app.prompts() == []
    assert app.turn(asked)["status"] == "failed"
    assert app.event(asked)["status"] == "failed"


async def test_what_always_fails_is_given_up_in_the_end(app: App) -> None:
    """Where not even the apology works the message is failed; the others are answered."""
    place = app.slack.place(channel="public")
    asked = await app.receive(place, "<@BOT> hello")
    app.rows("ALTER TABLE conversations RENAME TO away")
    released = []
    try:
        while (event := app.event(asked))["status"] == "waiting":
            await app.answering.drain(asked.thread)
            # Meanwhile it waits, and no process answers it.
            released += app.rows(
                "SELECT failures FROM messages WHERE ts = %s AND token IS NULL",
                asked.ts,
            )
    finally:
        app.rows("ALTER TABLE away RENAME TO conversations")
    counted = [*range(1, MAX_FAILURES_WITH_APOLOGY + 1), MAX_FAILURES_WITH_APOLOGY]
    assert [row["failures"] for row in released] == counted
    assert event["status"] == "failed"
    again = await app.ask(place, "<@BOT> hello again")
    assert app.turn(again)["status"] == "answered"


async def test_a_message_waits_for_a_slack_that_is_away(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of Slack is no failure of the message, unless it takes longer than half an hour."""
    monkeypatch.setattr("bot.slack.retries.TROUBLE_SECONDS", 0.0)
    monkeypatch.setattr("bot.slack.posting.SETTLED_SECONDS", 0.0)
    for method in ("chat.startStream", "chat.postMessage"):
        app.slack.fault(method, status=500, times=None)
    asked = await app.receive(app.slack.place(), "Hello")
    pauses = []
    for _ in range(MAX_FAILURES_WITH_APOLOGY + 1):
        await app.answering.drain(asked.thread)
        pauses.append(app.answering.put_off[asked.thread])
    event = app.event(asked)
    assert (event["status"], event["token"], event["failures"]) == ("waiting", None, 0)
    assert pauses == [*range(5, 60, 5)]
    app.answering.attempts[asked.thread] = 30
    await app.answering.drain(asked.thread)
    assert app.event(asked)["failures"] == 1
    app.slack.clear()
    app.script("Here you are.")
    await app.answering.drain(asked.thread)
    assert app.replies(asked) == ["Here you are."]


async def test_words_stay_while_the_model_refuses_requests(app: App) -> None:
    """A model that refuses every request is asked again for the same words."""
    place = app.slack.place()
    asked = await app.ask(place, "I like ramen")
    for endpoint in ("responses", "chat"):
        app.fault(endpoint=endpoint, kind=None, status=400, times=-1)
    with pytest.raises(MemoryModelRefused):
        await app.form_words(asked.team_id, asked.user_id, "dm")
    assert app.turn(asked)["formed_at"] is None
    app.stand_in.call("/_model/faults", method="DELETE")
    await app.ask(place, "I like sushi")
    await app.form_words(asked.team_id, asked.user_id, "dm")
    assert len(await app.memories(asked.person)) == 2


async def test_waiting_for_a_pause_is_no_failure_of_a_formation(
    make_app: MakeApp,
) -> None:
    """Who wrote on for a while does not wait longer once the memory model fails."""
    app = await make_app(formation_delay=30.0)
    asked = await app.ask(app.slack.place(), "I like ramen")

    async def due_again() -> float:
        app.rows(
            "DELETE FROM procrastinate_jobs"
            " WHERE task_name <> %s OR args->>'user' IS DISTINCT FROM %s",
            *(FORM_MEMORIES, asked.user_id),
        )
        app.rows("UPDATE procrastinate_jobs SET scheduled_at = now()")
        await app.core.queue.run_until_empty()
        [job] = app.formations(asked.person)
        return float(job["due_in"])

    for _ in range(4):
        assert await due_again() > 20
    app.rows(
        "UPDATE messages SET ended_at = ended_at - interval '1 minute' WHERE user_id = %s",
        asked.user_id,
    )
    for endpoint in ("responses", "chat"):
        app.fault(endpoint=endpoint, kind=None, status=503, times=-1)
    assert await due_again() < 20
