"""What a person tells is remembered, built on, changed and kept apart."""

from __future__ import annotations

from tests.e2e.world import World


def test_food_story_updates_one_row_and_removes_another(world: World) -> None:
    """Miso ramen changes the row of ramen, its key kept; pasta's row and vector go."""
    ann = world.human()
    for text in ("I love ramen!!", "I like pasta too"):
        ann.ask(text)
    before = {row["value"]["content"]["food_name"]: row["key"] for row in world.formed(ann)}
    for text in ("For ramen, I like miso ramen", "I don't like pasta anymore"):
        ann.ask(text)
    [after] = world.formed(ann)
    assert set(before) == {"ramen", "pasta"}
    assert after["key"] == before["ramen"]
    world.settled()
    assert [vector["key"] for vector in world.vectors(ann)] == [before["ramen"]]
    assert "miso" in str(world.contents(ann))
    assert "miso" in ann.ask("What shall I eat for lunch?").text
