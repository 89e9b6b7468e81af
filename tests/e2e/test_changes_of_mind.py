"""Stop, deleting and editing reach what waits and what runs."""

from __future__ import annotations

import json

import pytest

from bot.locale import say
from tests.e2e.answers import STORY, live, slowly
from tests.e2e.messages import Said, shown
from tests.e2e.world import World

pytestmark = pytest.mark.slow


def press_stop(world: World, said: Said) -> None:
    """Press Stop in the thread of a message."""
    where = {"user": said.human.id, "channel": said.channel, "thread_ts": said.thread_ts}
    world.playground("stop", where)


def test_stop_keeps_what_was_said_and_says_so(world: World) -> None:
    """Pressing Stop in the middle keeps the text so far, says "Stopped", and the thread goes on."""
    ann = world.human()
    slowly(world)
    said = world.say(ann, "Tell me a story")
    shown = live(world, said)
    press_stop(world, said)
    reply = world.reply(said)
    text, note = reply.text.split("\n\n")
    assert note == say("en", "stopped")
    [request] = world.until(lambda: world.journal("reply"), "an end of the request")
    assert request["answer"]["dropped"]
    assert STORY.startswith(text)
    assert shown["text"].strip() in text
    assert len(text) < len(STORY)
    assert [turn["status"] for turn in world.turns(said)] == ["stopped"]
    world.calm()
    assert "sushi" in world.ask(ann, "I love sushi", under=said).text


def test_a_message_edited_after_its_answer_is_answered_again(world: World) -> None:
    """Editing the question later deletes the answer and gives a new one, and a notice below it."""
    ann = world.human()
    said = world.say(ann, "I love ramen")
    first = world.reply(said)
    assert [c["food_name"] for c in world.formed_contents(ann)] == ["ramen"]
    world.edit(said, "I love sushi")
    world.until(lambda: "sushi" in json.dumps(world.answers(said)), "another answer")
    world.settled()
    reply = world.reply(said)
    assert reply.messages[0]["ts"] > first.messages[0]["ts"]
    assert "ramen" not in reply.text
    [last] = reply.messages
    kinds = [block["type"] for block in last["blocks"]]
    assert kinds[:3] == ["markdown", "context", "context_actions"]
    [notice] = world.notices(said)
    assert say("en", "notice_changed", count=2) in shown(notice)
    assert notice["ts"] > last["ts"]
    assert [c["food_name"] for c in world.formed_contents(ann)] == ["sushi"]
    assert [turn["status"] for turn in world.turns(said)] == ["answered"]
    world.edit(said, "I love sushi")
    world.all_delivered()
    assert world.handled(said)["status"] == "done"
    assert len(world.journal("reply", "responses")) == 2
