"""What a person tells is remembered, built on, changed and kept apart."""

from __future__ import annotations

from bot.locale import say
from tests.e2e.world import World


def test_food_story_updates_one_row_and_removes_another(world: World) -> None:
    """Miso ramen changes the row of ramen, its key kept; pasta's row and vector go."""
    ann = world.human()
    for text in ("I love ramen!!", "I like pasta too"):
        ann.ask(text)
    before = {
        row["value"]["content"]["food_name"]: row["key"] for row in world.formed(ann)
    }
    for text in ("For ramen, I like miso ramen", "I don't like pasta anymore"):
        ann.ask(text)
    [after] = world.formed(ann)
    assert set(before) == {"ramen", "pasta"}
    assert after["key"] == before["ramen"]
    world.settled()
    assert [vector["key"] for vector in world.vectors(ann)] == [before["ramen"]]
    assert "miso" in str(world.contents(ann))
    assert "miso" in ann.ask("What shall I eat for lunch?").text


def test_words_that_cannot_be_read_hold_up_no_others(world: World) -> None:
    """The next message is remembered within a minute, and a line tells what was not read.

    Nothing that waits is hurried.
    """
    ann = world.human()
    poison = "Nobody reads this, nobody"
    for endpoint in ("responses", "chat"):
        world.model_fault(
            endpoint, kind="formation", match=poison, times=-1, status=500
        )
    unread = ann.say(poison)
    world.reply(unread)
    ann.ask("I like udon")
    [food] = world.until(lambda: world.contents(ann), "a memory")
    assert food["food_name"] == "udon"
    told = say("en", "messages_unread")

    def says_so() -> bool:
        return any(one["text"] == told for one in ann.seen(unread.channel))

    world.until(says_so, "a line that says so")
