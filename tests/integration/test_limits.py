"""An answer within Slack's limits: streamed while they last, held, waited for, never dropped."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from bot.slack.client import APPEND
from tests.integration.deliveries import Sender, Thread

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show more every tenth of a second, so that these tests take less time."""
    monkeypatch.setattr("bot.delivery.reply_sink.FLUSH_SECONDS", 0.1)


async def test_beyond_the_streams_of_a_minute_answers_are_posted(
    sender: Sender,
) -> None:
    """With Slack's limits twenty answers at once are streamed; each of the others is one post."""
    places = [sender.slack.place() for _ in range(26)]
    sender.slack.control("settings", {"rate_limits": True})

    await asyncio.gather(*(Thread(sender, place).hello() for place in places))
    outcomes = [call["outcome"] for call in sender.slack.calls("chat.startStream")]
    assert outcomes.count("ok") == 20
    assert set(outcomes) == {"ok", "ratelimited"}
    assert len(sender.slack.calls("chat.stopStream")) == 20
    assert len(sender.slack.calls("chat.postMessage")) == 6
    await Thread(sender, sender.slack.place()).hello()
    assert len(sender.slack.calls("chat.startStream")) == len(outcomes)


@pytest.mark.parametrize("known", [False, True], ids=["refused", "refused before"])
async def test_words_that_may_not_be_shown_yet_are_held(
    sender: Sender, known: bool
) -> None:
    """While a stream may not grow its words are held, none is lost, and it is the same message."""
    place = sender.slack.place()
    if known:
        sender.refuse(APPEND, 30)
    else:
        sender.slack.fault("chat.appendStream", error="ratelimited", retry_after=30)
    async with Thread(sender, place).answering() as answer:
        for number in range(8):
            await answer.stream.write(f"{number} ")
            await asyncio.sleep(0.11)
        await answer.stream.finish(answer.stream.text)
    Thread(sender, place).whole("0 1 2 3 4 5 6 7 ")
    assert len(sender.slack.calls("chat.appendStream")) == (0 if known else 1)
    assert not sender.slack.calls("chat.postMessage")


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A stream that still runs is to be deleted.",
)
@pytest.mark.parametrize(
    "method", ["chat.stopStream", "chat.delete", "chat.postMessage"]
)
async def test_a_refusal_is_waited_for_however_often(
    sender: Sender, method: str
) -> None:
    """A call that Slack refuses time and again is made when it may be: no answer is dropped."""
    place = sender.slack.place()
    sender.slack.fault(method, error="ratelimited", retry_after=1, times=2)
    async with Thread(sender, place).answering() as answer:
        if method != "chat.postMessage":
            await answer.stream.write("Hello ")
        if method == "chat.delete":
            answer.stream.start_over()
        await answer.stream.finish("Hello you.")
    Thread(sender, place).whole("Hello you.")
    calls = sender.slack.calls(method)
    times = [call["time"] for call in calls]
    # What streams is refused to be deleted, and deleted once it is stopped.
    assert len(times) == (4 if method == "chat.delete" else 3)
    assert all(later - sooner >= 1 for sooner, later in pairwise(times[:3]))
