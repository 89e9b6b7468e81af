"""Whatever the models do, one whole answer or one clear sentence; then go on."""

from __future__ import annotations

from typing import Any

import pytest

from bot.locale import say
from tests.e2e.answers import STORY, goes_on
from tests.e2e.messages import markdown
from tests.e2e.world import World

pytestmark = pytest.mark.slow


@pytest.mark.one_mode
@pytest.mark.parametrize(
    ("fault", "key"),
    [
        ({"status": 500}, "held_down"),
        ({"break_after_chars": 30}, "held_down"),
        ({"status": 429, "retry_after": 0.1}, "held_busy"),
    ],
    ids=str,
)
def test_while_the_model_is_away_the_message_is_safe(
    world: World, fault: dict[str, Any], key: str
) -> None:
    """Each message says so once, after four requests at most; that becomes the answer."""
    ann = world.human()
    world.script(STORY, times=-1)
    world.model_fault(times=-1, kind="reply", **fault)
    said = world.say(ann, "Tell me a story")
    [notice] = world.until(
        lambda: [m for m in world.answers(said) if markdown(m) == say("en", key)], "a notice"
    )
    assert len(world.journal("reply", "responses")) <= 4
    world.calm()
    world.model_fault(times=-1, kind="reply", status=500)
    other = world.say(ann, "And another one")
    [waits] = world.until(
        lambda: [m for m in world.answers(other) if markdown(m) == say("en", "held_down")],
        "a second notice",
    )
    world.calm()
    world.script(STORY, times=-1)
    world.settled()
    reply = world.reply(said)
    assert reply.parts == world.reply(other).parts == [STORY]
    assert [message["ts"] for message in reply.messages] == [notice["ts"]]
    assert [message["ts"] for message in world.reply(other).messages] == [waits["ts"]]
    assert goes_on(world, ann)


@pytest.mark.one_mode
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429, "retry_after": 0.1},
        {"drop": True},
        {"break_after_chars": 30},
        {"break_after_chars": 700},
        {"event": "failed", "break_after_chars": 30},
        {"event": "error", "break_after_chars": 700},
    ],
    ids=str,
)
def test_a_model_that_fails_once_is_asked_again(world: World, fault: dict[str, Any]) -> None:
    """One failure, also in the middle of the answer, is not seen: the answer is whole."""
    ann = world.human()
    world.script(STORY, times=-1)
    world.model_fault(kind="reply", **fault)
    assert world.ask(ann, "Tell me a story").parts == [STORY]
    assert goes_on(world, ann)


@pytest.mark.one_mode
def test_a_formation_that_fails_gives_way_to_the_next(world: World) -> None:
    """A formation fails while the next one waits already: that one forms both messages."""
    ann = world.human()
    world.model_fault(kind="formation", status=500, delay_ms=800)
    world.ask(ann, "I love ramen")
    world.until(
        lambda: world.rows("SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'"),
        "a formation at work",
    )
    world.ask(ann, "I love sushi")
    assert {c["food_name"] for c in world.formed_contents(ann)} == {"ramen", "sushi"}
