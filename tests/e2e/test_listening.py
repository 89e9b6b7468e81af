"""One answer where the app is addressed, none where it is not."""

from __future__ import annotations

import pytest

from tests.e2e.messages import told
from tests.e2e.world import World


def nothing_came_of(world: World, channel: str) -> bool:
    """Wait for every ack; say whether nothing is stored of a channel and nothing was posted."""
    world.all_delivered()
    stored = world.rows("SELECT 1 FROM inbox_events WHERE channel_id = %s", channel)
    posted = [
        call
        for method in ("chat.startStream", "chat.postMessage", "agents.sessions.setStatus")
        for call in world.calls(method)
        if channel in (call["args"].get("channel"), call["args"].get("channel_id"))
    ]
    return not stored and not posted


def test_one_event_delivered_four_times_is_answered_once(world: World) -> None:
    """Slack's retries of one event, at once or later, bring one reply and one memory."""
    ann = world.human()
    general = world.channel("public", ann)
    world.playground("delivery", {"deliveries": 4})
    for channel, text in (("dm", "I love ramen"), (general, "<@BOT> I love sushi")):
        said = world.say(ann, text, channel=channel)
        assert len(world.reply(said).messages) == 1
        world.all_delivered()
        assert len(world.inbox(said)) == len(world.turns(said)) == 1
        assert len(world.answers(said)) == 1
    assert len(world.formed(ann)) == 2
    assert len(world.journal("reply", "responses")) == 2


def test_other_bots_are_not_answered(world: World) -> None:
    """Another app's bot that mentions this one, or writes in its thread, is left alone."""
    ann, robot = world.human(), world.human("Robot", is_bot=True)
    general = world.channel("public", ann, robot)
    world.say(robot, "<@BOT> I love ramen", channel=general)
    assert nothing_came_of(world, general)
    said = world.say(ann, "<@BOT> hello", channel=general)
    world.reply(said)
    mine = world.say(robot, "I love ramen", under=said)
    world.settled()
    assert world.inbox(mine) == []
    assert world.formed(ann) == []
    assert len(world.answers(said)) == 1


def test_two_people_in_one_thread_are_not_mixed_up(world: World) -> None:
    """Each is remembered for themself and answered from their own memories."""
    ann, bo = world.human(), world.human("Bo")
    general = world.channel("public", ann, bo)
    world.ask(ann, "<@BOT> I love ramen", channel=general)
    world.ask(bo, "<@BOT> I love sushi", channel=general)
    world.formed(ann)
    world.formed(bo)
    root = world.say(ann, "<@BOT> hello", channel=general)
    world.reply(root)
    anns = world.say(ann, "What shall I eat now?", under=root)
    bos = world.say(bo, "<@BOT> And what shall I eat?", under=root)
    world.handled(anns)
    world.handled(bos)
    to_ann, to_bo = (world.turns(said)[0]["reply"] for said in (anns, bos))
    assert ("ramen" in to_ann, "sushi" in to_ann) == (True, False)
    assert ("ramen" in to_bo, "sushi" in to_bo) == (False, True)
    [to_bo_prompt] = world.prompts("And what shall I eat?")
    memories = told(to_bo_prompt).split("<memories>")[2].split("</memories>")[0]
    assert ("ramen" in memories, "sushi" in memories) == (False, True)
    assert [c["food_name"] for c in world.formed_contents(ann)] == ["ramen"]
    assert [c["food_name"] for c in world.formed_contents(bo)] == ["sushi"]


@pytest.mark.one_mode
def test_another_persons_words_in_the_thread_form_no_memory_of_mine(world: World) -> None:
    """What Bo says in the thread becomes Bo's memory, also when Ann is answered next."""
    ann, bo = world.human(), world.human("Bo")
    root = world.say(ann, "<@BOT> hello", channel=world.channel("public", ann, bo))
    world.reply(root)
    world.ask(bo, "<@BOT> I love ramen", under=root)
    world.ask(ann, "that is good to know", under=root)
    assert [c["food_name"] for c in world.formed_contents(bo)] == ["ramen"]
    assert world.formed(ann) == []


def test_a_follow_up_needs_no_mention(world: World) -> None:
    """Once in a thread the bot answers there, and not outside of it."""
    ann = world.human()
    general = world.channel("public", ann)
    root = world.say(ann, "<@BOT> hello", channel=general)
    world.reply(root)
    assert "ramen" in world.ask(ann, "I love ramen", under=root).text
    outside = world.say(ann, "I love sushi", channel=general)
    world.settled()
    assert world.inbox(outside) == []
