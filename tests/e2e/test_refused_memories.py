"""A refused memory, its reason and [Store Anyway], as a person meets them in Slack."""

from __future__ import annotations

import pytest

from bot.locale import say
from bot.views.refusals import STORE_ACTION
from tests.e2e.test_changes_shown import button
from tests.e2e.world import World

LEAVE = "Sarah is on leave"
CONTENT = {"fact": LEAVE}


def refuse(world: World) -> None:
    """Let the next verdict be that it is about somebody else."""
    verdict = {"index": 0, "supported": True, "about": "other", "modality": "asserted"}
    verdict |= {"valid_until": None, "conflict": "none", "sensitive": "none"}
    call = {"name": "MemoryVerdicts", "arguments": {"verdicts": [verdict]}}
    script = {"endpoint": "responses", "kind": "verdict", "output": {"function_calls": [call]}}
    world.model("script", script)


@pytest.mark.one_mode
@pytest.mark.parametrize("kind", ["dm", "public"])
def test_a_refused_wish_is_told_to_the_person_alone(world: World, kind: str) -> None:
    """After the reply the reason comes to the asker; in a channel nobody else sees it."""
    ann, bob = world.human(), world.human("Bob")
    channel = "dm" if kind == "dm" else world.channel("public", ann, bob)
    wish = f"Remember that {LEAVE}"
    content = {"kind": "UserFact", **CONTENT}
    arguments = {"action": "create", "evidence": LEAVE, "content": content}
    world.script_calls(LEAVE, [("memory_change", arguments)], text="That is not about you.")
    refuse(world)
    said = world.say(ann, f"<@BOT> {wish}", channel=channel)
    world.reply(said)
    reason = say("en", "refused_other_person", what=wish)
    shown = world.until(
        lambda: [m for m in world.seen(ann, said.channel) if m["text"] == reason], "the reason"
    )
    assert len(shown) == 1
    if kind == "public":
        assert reason not in str(world.seen(bob, said.channel))
    world.click(ann, shown[0], said.channel, button(shown[0], STORE_ACTION))
    assert [row["value"]["content"]["fact"] for row in world.memories(ann)] == [wish]
