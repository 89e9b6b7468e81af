"""An answer on its way into Slack: every rung of the ladder, against the playground's faults."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.acts.blocks import PART_LIMIT
from bot.cancellation import Stopped
from bot.locale import Language, say
from slack_playground.rich_text import count_translated_blocks
from tests.integration.deliveries import FOOTER, Answering, Thread, below, markdown
from tests.waiting import until


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show more every fifth of a second, and bear with Slack for one, so that less time goes by."""
    monkeypatch.setattr("bot.delivery.reply_sink.FLUSH_SECONDS", 0.2)
    monkeypatch.setattr("bot.slack.retries.TROUBLE_SECONDS", 1.0)
    monkeypatch.setattr("bot.slack.posting.SETTLED_SECONDS", 0.3)


async def begin(answer: Answering, text: str = "Hello ") -> None:
    """Write the first piece; it is shown at once."""
    await answer.stream.write(text)


async def end(answer: Answering) -> str:
    """Finish with what was written and one word more; return all of it."""
    text = answer.stream.text + "end."
    await answer.stream.finish(text)
    return text


async def test_all_content_of_a_stream_comes_in_chunks(thread: Thread) -> None:
    """Every call of a stream sends its content in chunks."""
    async with thread.answering() as answer:
        await thread.write_until(answer, "chat.appendStream")
        text = await end(answer)
    thread.whole(text)
    calls = thread.slack.calls(
        "chat.startStream", "chat.appendStream", "chat.stopStream"
    )
    assert len(calls) > 2
    assert all(call["args"]["chunks"] for call in calls)
    assert [call for call in calls if "markdown_text" in call["args"]] == []
    assert {call["outcome"] for call in calls} == {"ok"}


async def test_an_answer_that_was_never_streamed_is_posted(thread: Thread) -> None:
    """An answer that comes in one piece is one post, without unfurling, with a plain text."""
    async with thread.answering() as answer:
        await answer.stream.write("  \n")
        await answer.stream.finish("At once.")
    [message] = thread.whole("At once.")
    assert await thread.known() == [message["ts"]]
    [posted] = thread.slack.calls("chat.postMessage")
    assert posted["args"]["text"] == "At once."
    assert str(posted["args"]["unfurl_links"]).lower() in ("false", "0")
    assert str(posted["args"]["unfurl_media"]).lower() in ("false", "0")
    assert not thread.slack.calls("chat.startStream")


REFUSALS: list[dict[str, Any]] = [
    {"error": "unknown_method"},
    {"error": "ratelimited", "retry_after": 1},
    {"error": "internal_error"},
    {"status": 500},
    {"status": 503},
    {"drop": "before"},
    {"drop": "after"},
]


@pytest.mark.failed_calls(
    "chat.stopStream: message_not_in_streaming_state",
    "chat.delete: cant_delete_message",
    because="Whether Slack has carried out a call is not known.",
)
@pytest.mark.parametrize("fault", REFUSALS, ids=str)
@pytest.mark.parametrize(
    "method", ["chat.startStream", "chat.appendStream", "chat.stopStream"]
)
async def test_a_stream_that_fails_becomes_one_whole_answer(
    thread: Thread, method: str, fault: dict[str, Any]
) -> None:
    """Whichever call of a stream fails, and however, the thread shows the answer whole and once."""
    thread.slack.fault(method, **fault)
    async with thread.answering() as answer:
        await begin(answer)
        if method == "chat.appendStream":
            await thread.write_until(answer, method)
        text = await end(answer)
    [message] = thread.whole(text)
    assert await thread.known() == [message["ts"]]


@pytest.mark.failed_calls(
    "chat.appendStream: message_not_in_streaming_state",
    "chat.stopStream: message_not_in_streaming_state",
    because="Slack ended the stream.",
)
async def test_an_answer_whose_stream_expired_is_posted_whole(thread: Thread) -> None:
    """What a stream shows that Slack has ended by itself is deleted, and the answer posted."""
    thread.slack.control("settings", {"stream_seconds": 0.3})
    async with thread.answering() as answer:
        await begin(answer)
        await thread.write_until(answer, "chat.appendStream")
        text = await end(answer)
    [message] = thread.whole(text)
    assert await thread.known() == [message["ts"]]


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        ({"error": "ratelimited", "retry_after": 1}, 2),
        ({"status": 429, "retry_after": 1}, 2),
        ({"status": 500}, 2),
        ({"error": "internal_error"}, 2),
        ({"drop": "before"}, 2),
        ({"drop": "after"}, 1),
    ],
    ids=str,
)
async def test_a_post_that_fails_ends_as_one_post(
    thread: Thread, fault: dict[str, Any], calls: int
) -> None:
    """A post is made again only where it was not carried out: the answer is there exactly once."""
    thread.slack.fault("chat.postMessage", **fault)
    message = await thread.posted()
    assert await thread.known() == [message["ts"]]
    assert len(thread.slack.calls("chat.postMessage")) == calls


async def test_a_post_whose_fate_cannot_be_looked_up_is_made_again(
    thread: Thread,
) -> None:
    """Where a post failed and the thread cannot be read, the answer is posted, not lost."""
    thread.slack.fault("chat.postMessage", drop="before")
    thread.slack.fault("conversations.replies", error="missing_scope")
    await thread.posted()


REFUSED_BLOCKS = ["invalid_blocks", "msg_blocks_too_long", "invalid_attachments"]
MARKED = "Use `a < b` & tell <!channel>."
ESCAPED = "Use `a &lt; b` &amp; tell &lt;!channel&gt;."


async def is_plain_text(thread: Thread) -> None:
    """Check that the thread has one message, `MARKED`, in which mentions are escaped."""
    [message] = thread.messages()
    assert message["text"] == ESCAPED
    assert not message.get("blocks")
    assert not thread.intended()
    assert await thread.known() == [message["ts"]]


@pytest.mark.parametrize("error", REFUSED_BLOCKS)
async def test_an_answer_whose_blocks_are_refused_is_posted_as_text(
    thread: Thread, caplog: pytest.LogCaptureFixture, error: str
) -> None:
    """Where Slack refuses the blocks of an answer, it is posted once more, without them."""
    thread.slack.fault("chat.postMessage", error=error)
    async with thread.answering() as answer:
        await answer.stream.finish(MARKED)
    await is_plain_text(thread)
    assert [
        error in one.getMessage()
        for one in caplog.records
        if one.levelname == "WARNING"
    ] == [True]


async def test_a_slack_that_is_away_for_too_long_is_not_a_refusal(
    thread: Thread,
) -> None:
    """Where Slack is in trouble for longer than one waits, the turn may be begun again."""
    thread.slack.fault("chat.postMessage", status=500, times=None)
    async with thread.answering() as answer:
        with pytest.raises(SlackApiError):
            await answer.stream.finish("Hello.")
    # As often as fits into the time, which passes faster on a busy machine.
    assert 1 < len(thread.slack.calls("chat.postMessage")) <= 6
    thread.slack.clear()
    async with thread.answering() as again:
        await again.stream.finish("Hello.")
    thread.whole("Hello.")


LONG = "".join(
    f"Line {i} of a long answer, and some more words in it.\n" for i in range(600)
)


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A stream could not be ended, and still runs.",
)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "posted"])
@pytest.mark.parametrize("refused", [True, False], ids=["broken", "smooth"])
async def test_long_answers_are_several_messages(
    thread: Thread, streamed: bool, refused: bool
) -> None:
    """An answer of 30,000 characters comes in parts, in order, each whole, with one footer."""
    if refused:
        thread.slack.fault("chat.stopStream", error="internal_error", times=1)
    async with thread.answering() as answer:
        if streamed:
            for start in range(0, 20_000, 4_000):
                await answer.stream.write(LONG[start : start + 4_000])
        await answer.stream.finish(LONG)
    messages = thread.whole(LONG)
    assert len(messages) >= 3
    assert await thread.known() == [m["ts"] for m in messages]
    assert all(len(markdown(m)) <= PART_LIMIT + 100 for m in messages)


@pytest.mark.parametrize(
    ("language", "stand_in", "informed", "keys"),
    [
        ("ja", False, True, ["footer"]),
        ("en", True, False, ["footer_stand_in", "footer_memory"]),
        ("ja", True, False, ["footer_stand_in", "footer_memory"]),
        ("en", True, True, []),
    ],
)
async def test_the_footer_is_the_persons(
    thread: Thread, language: Language, stand_in: bool, informed: bool, keys: list[str]
) -> None:
    """The footer is in the person's language; a stand-in is named in the first answer, once."""
    async with thread.answering(
        language=language, stand_in=stand_in, informed=informed
    ) as answer:
        await begin(answer)
        assert (await answer.stream.localizer()).language == language
        await answer.stream.finish("Hello you.")
    [message] = thread.messages()
    assert below(message) == [say(language, key) for key in keys]


async def test_nothing_runs_on_after_an_answer_broke_off(thread: Thread) -> None:
    """Of an answer that ended in an error nothing runs once the sessions are closed."""
    thread.slack.fault("agents.sessions.setStatus", delay_ms=30_000)
    # The pool starts tasks of its own at its first use.
    await thread.turn()
    tasks = asyncio.all_tasks()
    with pytest.raises(RuntimeError):
        await _break_off(thread)
    await thread.sender.app.sessions.close()
    assert {t for t in asyncio.all_tasks() if not t.done()} <= tasks


async def _break_off(thread: Thread) -> None:
    async with thread.answering():
        raise RuntimeError


def press_stop(thread: Thread) -> None:
    """Press Slack's Stop button; the app is not told of it."""
    place = thread.place
    where = {"user": place.user, "channel": place.channel, "thread_ts": place.root}
    thread.slack.control("stop", where)


LINE = say("en", "stopped")


@pytest.mark.failed_calls(
    "chat.appendStream: stopped_by_user",
    "chat.appendStream: message_not_in_streaming_state",
    "chat.stopStream: message_not_in_streaming_state",
    because="Slack ended the stream.",
)
@pytest.mark.parametrize(
    "how", ["told", "pressed", "pressed and told", "expired", "silent"]
)
async def test_after_stop_the_streamed_message_stays(thread: Thread, how: str) -> None:
    """Nothing is deleted or posted again: one line says that it was stopped, and Stop goes."""
    async with thread.answering() as answer:
        await begin(answer, "Half of ")
        [before] = thread.messages()
        if how == "silent":
            thread.slack.fault("chat.appendStream", status=503, times=None)
        if how.startswith("pressed"):
            press_stop(thread)
        if how == "expired":
            thread.slack.control("settings", {"stream_seconds": 0.01})
            await until(lambda: not thread.messages()[0]["streaming"])
        if "told" in how:
            answer.press_stop()
        with suppress(Stopped):
            await thread.write_until(answer, "chat.appendStream")
        text = await answer.stream.stop()
    first, *others = thread.messages()
    assert (first["ts"], markdown(first)) == (before["ts"], "Half of")
    if how == "expired":
        [line] = others
        assert (markdown(line), below(line)) == (LINE, [FOOTER])
    else:
        assert (others, below(first)) == ([], [LINE, FOOTER])
    assert text == f"Half of\n\n{LINE}"
    assert not thread.slack.calls("chat.delete")
    assert await thread.known() == [one["ts"] for one in thread.messages()]
    await until(lambda: session_of(thread) == "active")


def session_of(thread: Thread) -> str:
    """Return the status of the agent session of a thread."""
    place = thread.place
    seen = thread.slack.control(f"channels/{place.channel}/messages?user={place.user}")[
        "threads"
    ]
    return next(str(one["session"]) for one in seen if one["ts"] == place.root)


async def test_what_was_not_streamed_is_posted_after_stop(thread: Thread) -> None:
    """Where Slack took no stream, the text so far is one message, with the line below it."""
    thread.slack.fault("chat.startStream", error="channel_type_not_supported")
    async with thread.answering() as answer:
        await begin(answer, "Half of it")
        answer.press_stop()
        assert await answer.stream.stop() == f"Half of it\n\n{LINE}"
    thread.whole(f"Half of it\n\n{LINE}")


@pytest.mark.failed_calls(
    "chat.stopStream: stopped_by_user",
    because="Stop was pressed as the answer was complete.",
)
async def test_stop_in_the_last_moment_keeps_the_whole_answer(thread: Thread) -> None:
    """What a stopped stream does not take of a complete answer is posted below it."""
    async with thread.answering() as answer:
        await begin(answer, "Nearly all, ")
        press_stop(thread)
        await answer.stream.finish("Nearly all, and the rest.")
    thread.whole("Nearly all, and the rest.")
    assert not thread.slack.calls("chat.delete")


def handbook(sections: int) -> str:
    """Return what models write for a long question: headings, tables, code and paragraphs."""
    parts = []
    for number in range(1, sections + 1):
        parts += [
            f"## Part {number}",
            f"What part {number} is about, in some words. " * 4,
            f"| Step | What |\n|---|---|\n| {number}.1 | Prepare |\n| {number}.2 | Do |",
            f"```sh\nmake part-{number}\n```",
        ]
    return "\n\n".join(parts)


async def write_pieces(answer: Answering, text: str) -> None:
    """Write a text in pieces, each of which is shown at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.delivery.reply_sink.FLUSH_SECONDS", 0.0)
        for start in range(0, len(text), 700):
            await answer.stream.write(text[start : start + 700])


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "posted"])
@pytest.mark.parametrize("sections", [21, 40])
async def test_a_long_structured_answer_keeps_its_structure(
    thread: Thread, streamed: bool, sections: int
) -> None:
    """It is messages of at most fifty blocks as Slack counts them, none behind a heading.

    As much as the first one holds is streamed; the others are posted at the end.
    """
    text = handbook(sections)
    async with thread.answering() as answer:
        if streamed:
            await write_pieces(answer, text)
            [shown] = thread.messages()
            assert shown["streaming"]
            assert session_of(thread) == "processing"
        await answer.stream.finish(text)
    await until(lambda: session_of(thread) == "active")
    messages = thread.whole(text)
    assert await thread.known() == [one["ts"] for one in messages]
    assert all(
        count_translated_blocks(markdown(one)) + len(one["blocks"]) - 1 <= 50
        for one in messages
    )
    assert all(
        not markdown(one).rstrip().split("\n")[-1].startswith("#") for one in messages
    )
    assert not thread.slack.calls("chat.delete")
    starts = thread.slack.calls("chat.startStream")
    posts = thread.slack.calls("chat.postMessage")
    assert len(starts) == int(streamed)
    assert len(posts) == len(messages) - int(streamed)
