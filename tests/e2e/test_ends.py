"""It must show 5: however the app ends, each message is answered once."""

from __future__ import annotations

from tests.e2e.answers import STORY, live, slowly
from tests.e2e.world import World


def test_line_5_kill_9_between_store_and_answer(own_world: World) -> None:
    """Line 5: killed before one answer and in the middle of another, it gives each once, whole."""
    world = own_world
    ann, bo, cy = world.human(), world.human("Bo"), world.human("Cy")
    world.script(STORY, times=-1)
    world.pace(chunk_chars=20, token_ms=60)
    begun = world.say(ann, "I love ramen")
    live(world, begun)
    world.pace(first_token_ms=20_000)
    stored = world.say(bo, "I love sushi")
    world.until(lambda: world.turns(stored), "a turn that waits for the model")
    world.app.kill()
    unseen = world.say(cy, "I love tempura")
    world.pace(first_token_ms=0, token_ms=0)
    world.app.start()
    for said in (begun, stored, unseen):
        assert world.reply(said, 40).parts == [STORY]
        assert len(world.turns(said)) == len(world.inbox(said)) == 1
    for human, food in ((ann, "ramen"), (bo, "sushi"), (cy, "tempura")):
        assert [c["food_name"] for c in world.formed_contents(human)] == [food]


def test_line_5_sigterm_in_the_middle_of_an_answer(own_world: World) -> None:
    """Line 5: told to stop, it completes what it has begun, ends with 0 and loses no memory."""
    world = own_world
    ann = world.human()
    slowly(world)
    said = world.say(ann, "I love ramen")
    live(world, said)
    assert world.app.terminate() == 0
    [row] = world.inbox(said)
    assert row["status"] == "done"
    [answer] = world.answers(said)
    assert answer["text"] == STORY
    assert not answer["streaming"]
    assert "Traceback" not in world.app.said()
    world.app.start()
    assert world.reply(said).parts == [STORY]
    assert [c["food_name"] for c in world.formed_contents(ann)] == ["ramen"]
