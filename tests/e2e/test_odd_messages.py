"""Messages that are long or hold what cannot be stored are answered, and none is logged."""

from __future__ import annotations

from tests.e2e.messages import shown
from tests.e2e.world import World


def test_nul_byte_does_no_harm(world: World) -> None:
    """A character PostgreSQL cannot store costs neither the answer nor the memory."""
    ann = world.human()
    assert "ramen" in world.ask(ann, "\x00I love\x00 ramen").text
    assert [content["food_name"] for content in world.formed_contents(ann)] == ["ramen"]
    assert "ramen" in shown(world.command(ann, "/memories", "\x00"))


def test_no_text_is_logged_at_any_level(world: World) -> None:
    """With every line logged, none holds a word of a message, an answer or a memory."""
    ann = world.human()
    begin = len(world.app.said())
    world.script("The xylophone answers.", match="xylophone")
    said = world.say(ann, "I love xylophone marmalade")
    world.reply(said)
    world.formed(ann)
    world.command(ann, "/memories")
    world.command(ann, "/forget", "xylophone")
    world.model_fault(status=500, times=-1)
    world.model_fault(kind="formation", status=500, times=3)
    held = world.say(ann, "Shall I eat xylophone marmalade?", under=said)
    world.until(lambda: world.answers(held) or None, "a notice that the model is away")
    world.slack_fault("chat.startStream", error="internal_error")
    world.model_fault(event="failed", break_after_chars=5, times=-1)
    jam = world.say(world.human(), "And xylophone jam?")
    world.until(lambda: world.answers(jam) or None, "another such notice")
    assert "warning" in world.app.said()[begin:]
    assert "xylophone" not in world.app.said()[begin:]
