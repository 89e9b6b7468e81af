"""People see and forget their own memories, and nobody else's."""

from __future__ import annotations

import json
import re

import pytest

from bot.locale import say
from tests.e2e.messages import Human, Json, buttons, shown
from tests.e2e.signed import signed_form
from tests.e2e.world import World

NO_MATCH = f"{say('en', 'forget_no_match', words='{}')}\n{say('en', 'forget_forms')}"


def numbered(message: Json) -> list[tuple[int, str]]:
    """Return the numbered lines of a list of memories: number and food."""
    found = re.findall(r"\*(\d+)\.\* Likes ([\w ]+?)(?: very much)? (?:\(|_\()", shown(message))
    return [(int(number), food) for number, food in found]


@pytest.mark.one_mode
def test_memories_come_in_pages(world: World) -> None:
    """25 memories are two pages, turned by a button or by `page`; a number is a memory's."""
    ann = world.human()
    foods = [f"dish{number}" for number in range(25, 0, -1)]
    world.remember(ann, *foods)
    first = world.command(ann, "/memories")
    assert numbered(first) == [(number, f"dish{number}") for number in range(1, 21)]
    [further] = buttons(first)
    assert further["text"]["text"] == say("en", "memories_next")
    second = world.click(ann, first, "dm", further)
    assert numbered(second) == [(number, f"dish{number}") for number in range(21, 26)]
    assert second["is_ephemeral"]
    [back] = buttons(second)
    assert numbered(world.click(ann, second, "dm", back)) == numbered(first)
    for words in ("page 2", "list page 2", "ページ 2", "2ページ目"):
        assert numbered(world.command(ann, "/memories", words)) == numbered(second)
    for words in ("2", "#2", "show 2", "number 2"):
        answer = world.command(ann, "/memories", words)
        assert numbered(answer) == [(2, "dish2")]
        assert answer["blocks"][0]["accessory"]["type"] == "overflow"
    assert numbered(world.command(ann, "/forget", "2")) == [(2, "dish2")]
    answer = world.command(ann, "/memories", "26")
    assert answer["text"] == say("en", "no_number", number="26", count=25)


@pytest.mark.one_mode
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", say("en", "forget_usage")),
        ("  ", say("en", "forget_usage")),
        ("!!", say("en", "forget_usage")),
        ("99", say("en", "no_number", number="99", count=2)),
        ("９" * 5_000, say("en", "no_number", number="999999", count=2)),
        ("0", say("en", "no_number", number="0", count=2)),
        ("pizza <b>", NO_MATCH.format("pizza &lt;b&gt;")),
        ("last month", NO_MATCH.format("last month")),
        ("%", say("en", "forget_usage")),
    ],
)
def test_forget_says_what_is_missing(world: World, words: str, sentence: str) -> None:
    """Without words, or with words or a number that fit nothing, nothing is offered."""
    ann = world.human()
    world.remember(ann, "ramen", "sushi")
    answer = world.command(ann, "/forget", words)
    assert answer["text"] == sentence
    assert buttons(answer) == []
    assert len(world.memories(ann)) == 2


@pytest.mark.one_mode
def test_several_matches_each_have_a_button(world: World) -> None:
    """Where words fit several memories, each can be forgotten by itself."""
    ann = world.human()
    world.remember(ann, "miso ramen", "sushi", "ramen salad")
    question = world.command(ann, "/forget", "RAMEN")
    assert numbered(question) == [(1, "ramen salad"), (3, "miso ramen")]
    _, miso, _ = buttons(question)
    world.click(ann, question, "dm", miso)
    assert [content["food_name"] for content in world.contents(ann)] == ["sushi", "ramen salad"]


def test_a_click_by_somebody_else_forgets_nothing(http_world: World) -> None:
    """The value of one person's button has no effect for another person."""
    world = http_world
    ann, bo = world.human(), world.human("Bo")
    world.remember(ann, "ramen")
    world.remember(bo, "sushi")
    [button] = buttons(world.command(ann, "/forget", "ramen"))
    bos = world.command(bo, "/forget", "sushi")
    command = world.playground("deliveries")["deliveries"][-1]["body"]
    click = _click(world, bo, button["value"]) | {"response_url": command["response_url"]}
    assert signed_form(world, {"payload": json.dumps(click)}) == 200
    world.until(
        lambda: [m for m in world.seen(bo) if m["text"] == say("en", "forgotten_already")],
        "an answer to Bo",
    )
    assert len(world.memories(ann)) == len(world.vectors(ann)) == 1
    [own] = buttons(bos)
    world.click(bo, bos, "dm", own)
    assert world.memories(bo) == []


def _click(world: World, human: Human, value: str) -> Json:
    identity = world.playground("state")
    return {
        "type": "block_actions",
        "team": {"id": world.team},
        "user": {"id": human.id, "team_id": world.team},
        "api_app_id": identity["app_id"],
        "container": {"type": "message", "is_ephemeral": True},
        "trigger_id": "1.2.3",
        "actions": [
            {"type": "button", "action_id": "forget_memory", "block_id": "b", "value": value}
        ],
    }
