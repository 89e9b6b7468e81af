"""Whatever Slack's API does, one whole answer; then go on."""

from __future__ import annotations

import pytest

from tests.e2e.answers import STORY, goes_on, slowly
from tests.e2e.messages import Human
from tests.e2e.world import World

pytestmark = pytest.mark.slow


def story(world: World, human: Human) -> list[str]:
    """Ask for the story; return the parts of the answer."""
    return world.ask(human, "Tell me a story").parts


@pytest.mark.one_mode
@pytest.mark.parametrize(
    "error",
    ["unknown_method", "internal_error", "fatal_error", "ratelimited", "missing_scope"],
)
def test_without_streaming_the_answer_is_posted(world: World, error: str) -> None:
    """Where chat.startStream is refused the answer is posted, whole and once."""
    ann = world.human()
    world.script(STORY)
    world.slack_fault("chat.startStream", error=error, times=99)
    assert story(world, ann) == [STORY]
    assert len(world.calls("chat.postMessage")) == 1
    assert goes_on(world, ann)


def test_an_answer_streams(world: World) -> None:
    """Without a fault the answer grows in one message, by time and not by size."""
    ann = world.human()
    slowly(world)
    said = world.say(ann, "Tell me a story")
    live = world.until(
        lambda: [m for m in world.answers(said) if m.get("streaming")], "a live stream"
    )
    reply = world.reply(said)
    assert [message["ts"] for message in live] == [message["ts"] for message in reply.messages]
    assert reply.parts == [STORY]
    assert 1 <= len(world.calls("chat.appendStream", said.channel)) <= 5
    assert world.calls("chat.update") == world.calls("chat.postMessage") == []


@pytest.mark.one_mode
@pytest.mark.parametrize(
    "error",
    ["message_not_in_streaming_state", "internal_error", "ratelimited", "msg_too_long"],
)
def test_a_stream_that_fails_midway_becomes_whole(world: World, error: str) -> None:
    """Where chat.appendStream is refused, the message is updated to the whole answer."""
    ann = world.human()
    slowly(world)
    world.slack_fault("chat.appendStream", error=error, times=99)
    assert story(world, ann) == [STORY]
    assert goes_on(world, ann)


@pytest.mark.failed_calls(
    "chat.stopStream: message_not_in_streaming_state",
    because="chat.stopStream was carried out, and its answer was lost.",
)
@pytest.mark.one_mode
@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
def test_a_lost_connection_midway_repeats_nothing(world: World, method: str, drop: str) -> None:
    """A piece or an end that may or may not have arrived is in the answer once."""
    ann = world.human()
    slowly(world)
    world.slack_fault(method, drop=drop)
    assert story(world, ann) == [STORY]
    assert goes_on(world, ann)


@pytest.mark.failed_calls(
    "chat.appendStream: message_not_in_streaming_state",
    "chat.stopStream: message_not_in_streaming_state",
    because="Slack ended the stream.",
)
@pytest.mark.one_mode
def test_a_stream_that_slack_ended_becomes_whole(world: World) -> None:
    """A stream lost to Slack's own time limit is no loss to the reader."""
    ann = world.human()
    slowly(world)
    world.playground("settings", {"stream_seconds": 0.5})
    assert story(world, ann) == [STORY]
    failed = [call["outcome"] for call in world.calls("chat.appendStream")]
    assert "message_not_in_streaming_state" in failed
    assert goes_on(world, ann)


@pytest.mark.one_mode
@pytest.mark.parametrize("error", ["internal_error", "ratelimited"])
def test_an_end_of_the_stream_that_is_refused_once_is_made_good(world: World, error: str) -> None:
    """An end of the stream that is refused once leaves no message streaming."""
    ann = world.human()
    world.script(STORY)
    world.slack_fault("chat.stopStream", error=error)
    assert story(world, ann) == [STORY]
    assert goes_on(world, ann)


@pytest.mark.one_mode
def test_within_slacks_own_limits_all_are_answered(world: World) -> None:
    """With Slack's limits in force all are answered, those beyond the streams by a post."""
    people = [world.human() for _ in range(26)]
    world.playground("settings", {"rate_limits": True})
    asked = [world.say(human, "I love ramen") for human in people]
    assert all("ramen" in world.reply(said).text for said in asked)
    started = [call["outcome"] for call in world.calls("chat.startStream")]
    assert started.count("ok") == 20
    assert len(world.calls("chat.postMessage")) == 6
    refused = {call["method"] for call in world.calls() if call["outcome"] == "ratelimited"}
    assert refused == {"chat.startStream"}


@pytest.mark.one_mode
def test_a_refused_update_is_posted_instead(world: World) -> None:
    """Where the streamed half can be neither continued nor updated, the whole is posted."""
    ann = world.human()
    slowly(world)
    world.slack_fault("chat.appendStream", error="internal_error", times=99)
    world.slack_fault("chat.update", error="edit_window_closed", times=99)
    parts = story(world, ann)
    assert parts[-1] == STORY
    assert goes_on(world, ann)


@pytest.mark.one_mode
def test_a_rate_limited_post_waits_as_told(world: World) -> None:
    """429 with Retry-After on chat.postMessage delays the answer, and doubles nothing."""
    ann = world.human()
    world.script(STORY)
    world.slack_fault("chat.startStream", error="unknown_method")
    world.slack_fault("chat.postMessage", error="ratelimited", retry_after=1)
    assert story(world, ann) == [STORY]
    limited, posted = world.calls("chat.postMessage")
    assert posted["time"] - limited["time"] >= 1
    assert goes_on(world, ann)


@pytest.mark.one_mode
@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 503}, {"status": 429}, {"drop": "before"}, {"drop": "after"}],
    ids=str,
)
def test_a_post_of_unknown_fate_is_made_once(world: World, fault: dict[str, object]) -> None:
    """A post that may have been carried out is looked for before it is repeated."""
    ann = world.human()
    world.script(STORY)
    world.slack_fault("chat.startStream", error="unknown_method")
    world.slack_fault("chat.postMessage", **fault)
    assert story(world, ann) == [STORY]
    assert goes_on(world, ann)


@pytest.mark.one_mode
@pytest.mark.parametrize("fault", [{"status": 500}, {"drop": "before"}, {"drop": "after"}], ids=str)
def test_a_beginning_of_unknown_fate_leaves_one_answer(
    world: World, fault: dict[str, object]
) -> None:
    """A stream that may have begun does not stay beside the answer."""
    ann = world.human()
    world.script(STORY)
    world.slack_fault("chat.startStream", **fault)
    assert story(world, ann) == [STORY]
    assert goes_on(world, ann)


@pytest.mark.one_mode
def test_without_people_and_conversations_the_answer_comes(world: World) -> None:
    """With users.info and conversations.info down nothing is guessed, all is answered."""
    ann = world.human()
    general = world.channel("public", ann)
    world.slack_fault("users.info", error="internal_error", times=99)
    world.slack_fault("conversations.info", error="internal_error", times=99)
    assert "ramen" in world.ask(ann, "<@BOT> I love ramen", channel=general).text
    assert "sushi" in world.ask(ann, "I love sushi").text
    prefixes = {row["prefix"] for row in world.formed(ann)}
    assert prefixes == {world.prefix(ann, general), world.prefix(ann, "dm")}
    assert goes_on(world, ann)


@pytest.mark.one_mode
@pytest.mark.parametrize("fault", [{"error": "internal_error"}, {"delay_ms": 4_000}], ids=str)
def test_a_status_line_that_fails_holds_nothing_up(world: World, fault: dict[str, object]) -> None:
    """Where the status line fails or hangs the answer comes all the same."""
    ann = world.human()
    world.script(STORY)
    world.slack_fault("agents.sessions.setStatus", times=99, **fault)
    reply = world.reply(world.say(ann, "Tell me a story"), 3.8)
    assert reply.parts == [STORY]
    assert goes_on(world, ann)


@pytest.mark.one_mode
def test_a_thread_that_cannot_be_read_is_answered(world: World) -> None:
    """Called into a running thread that Slack does not show, the app answers without."""
    ann = world.human()
    root = world.say(ann, "I love ramen", channel=world.channel("public", ann))
    world.slack_fault("conversations.replies", error="internal_error", times=99)
    assert "sushi" in world.ask(ann, "<@BOT> I love sushi", under=root).text


@pytest.mark.failed_calls(
    "chat.startStream: is_archived",
    "chat.postMessage: is_archived",
    because="The channel is archived.",
)
@pytest.mark.one_mode
def test_an_archived_channel_stops_nobody_else(world: World) -> None:
    """An answer that can be delivered in no way is given up, and the app goes on."""
    ann = world.human()
    general = world.channel("public", ann)
    world.pace(first_token_ms=700)
    said = world.say(ann, "<@BOT> I love ramen", channel=general)
    world.until(lambda: world.journal("reply") or world.turns(said), "a begun turn")
    world.playground("channels/update", {"channel": general, "archived": True})
    assert world.handled(said)["status"] == "failed"
    assert goes_on(world, ann)
