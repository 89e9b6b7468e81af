"""Answers that take their time, and whether the app goes on answering."""

from __future__ import annotations

from tests.e2e.messages import Json
from tests.e2e.world import World
from tests.person import Said

UNDERSTOOD = "Understood."
"""The stand-in's answer to a plain statement."""
STORY = " ".join(f"Sentence number {number} of the story." for number in range(1, 31))


def slowly(world: World) -> None:
    """Let the model take about a second and a half for `STORY`: it is streamed in several pieces.

    It does so whenever it is asked: a turn that cannot go on is begun again, and asks again.
    """
    world.script(STORY, times=-1)
    world.pace(chunk_chars=len(STORY) // 60, token_ms=25)


def live(world: World, said: Said) -> Json:
    """Wait until some of the answer is to be read; return the message."""
    return world.until(
        lambda: next((m for m in world.answers(said) if m.get("streaming")), None),
        "a live stream",
    )
