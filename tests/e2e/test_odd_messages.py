"""Messages that are long or hold what cannot be stored are answered, and none is logged."""

from __future__ import annotations

from tests.e2e.world import World


def test_no_text_is_logged_at_any_level(world: World) -> None:
    """With every line logged, none holds a word of a message, an answer or a memory."""
    ann = world.human()
    begin = len(world.app.said())
    world.script("The xylophone answers.", match="xylophone")
    said = ann.say("I love xylophone marmalade")
    world.reply(said)
    world.formed(ann)
    ann.command("/memories")
    ann.command("/forget xylophone")
    world.model_fault(status=500, times=-1)
    world.model_fault(kind="formation", status=500, times=3)
    held = ann.say("Shall I eat xylophone marmalade?", under=said)
    world.until(lambda: world.answers(held) or None, "a notice that the model is away")
    world.fault("chat.startStream", error="internal_error")
    world.model_fault(event="failed", break_after_chars=5, times=-1)
    jam = world.human().say("And xylophone jam?")
    world.until(lambda: world.answers(jam) or None, "another such notice")
    assert "warning" in world.app.said()[begin:]
    assert "xylophone" not in world.app.said()[begin:]
