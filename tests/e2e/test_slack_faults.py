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


@pytest.mark.one_mode
@pytest.mark.parametrize("status", [500, 429, 400])
def test_an_answer_to_a_command_survives_a_refusal(world: World, status: int) -> None:
    """What Slack fails to take is sent again; what it refuses is sent as text without blocks."""
    ann = world.human()
    world.slack_fault("response_url", status=status)
    shown = world.command(ann, "/memories")
    refused, sent = world.calls("response_url")
    assert (refused["status"], sent["outcome"]) == (status, "ok")
    assert sent["args"]["text"] == refused["args"]["text"] == shown["text"]
    assert ("blocks" in sent["args"]) is (status != 400)
