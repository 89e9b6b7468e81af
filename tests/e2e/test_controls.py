"""Memory controlled as people do it: commands, clicks, a form, and plain words."""

from __future__ import annotations

import json
import time

import pytest

from bot.locale import say
from tests.e2e.messages import Human, Json, Said, buttons
from tests.e2e.world import World

pytestmark = [pytest.mark.slow, pytest.mark.one_mode]


def pressed(world: World, human: Human, said: Said, action: str) -> Json:
    """Wait for the button under an answer, click it, and return what takes its place."""

    def there() -> tuple[Json, Json] | None:
        found = [(m, b) for m in world.notices(said) for b in buttons(m)]
        return next((pair for pair in found if pair[1]["action_id"] == action), None)

    message, button = world.until(there, f"a button {action}")
    return world.click(human, message, said.channel, button)


def test_a_pause_is_chosen_in_a_form(world: World) -> None:
    """`/memories pause` with words that name no time opens a form; its moment holds at once.

    Resume in the modal that says so ends the pause, and the modal shows that.
    """
    ann = world.human()
    typed = {"user": ann.id, "channel": "dm", "command": "/memories", "text": "pause till june"}
    world.playground("commands", typed)

    def opened() -> Json | None:
        views = world.playground(f"views?as={ann.id}")["views"]
        return next((v for v in views if v.get("callback_id") == "pause_memory"), None)

    form = world.until(opened, "the form")
    submission = {"user": ann.id, "view_id": form["id"], "values": {"pause.until": 1_000_000_000}}
    refused = world.playground("views/submit", submission)
    assert say("en", "pause_past") in json.dumps(refused)
    later = int(time.time()) + 7_200
    submission["values"] = {"pause.until": later}
    done = world.playground("views/submit", submission)
    assert done["ok"], done

    def showing(key: str) -> str | None:
        [view] = world.playground(f"views?as={ann.id}")["views"]
        text = json.dumps(view, ensure_ascii=False)
        return text if say("en", key) in text else None

    assert f"<!date^{later}^" in world.until(lambda: showing("paused_means"), "the answer")
    click = {"user": ann.id, "view_id": form["id"], "action_id": "resume_memory"}
    assert world.playground("actions", click)["ok"]
    world.until(lambda: showing("resumed"), "the end of the pause")


def test_the_settings_are_a_form(world: World) -> None:
    """`/memories settings` opens a form; what is saved holds at once, the language too."""
    ann = world.human()
    world.playground(
        "commands",
        {"user": ann.id, "channel": "dm", "command": "/memories", "text": "settings"},
    )

    def filled() -> Json | None:
        views = world.playground(f"views?as={ann.id}")["views"]
        return next((v for v in views if v.get("callback_id") == "settings_form"), None)

    form = world.until(filled, "the form")
    done = world.playground(
        "views/submit",
        {
            "user": ann.id,
            "view_id": form["id"],
            "values": {
                "memory": "off",
                "notices": [],
                "language": "ja",
                "retention": "90",
            },
        },
    )
    assert done["ok"], done

    def saved() -> str | None:
        [view] = world.playground(f"views?as={ann.id}")["views"]
        text = json.dumps(view, ensure_ascii=False)
        return text if say("ja", "settings_saved") in text else None

    assert say("ja", "off_refused") in world.until(saved, "the answer")
    assert say("ja", "memories_none") in world.command(ann, "/memories")["text"]


@pytest.mark.parametrize("own_world", [{"KIOKU_CONSENT": "ask"}], indirect=True)
def test_people_are_asked_first(own_world: World) -> None:
    """With KIOKU_CONSENT=ask the first reply brings the question, and memory begins with a Yes."""
    world = own_world
    ann, bo = world.human(), world.human("Bo")
    first = world.say(ann, "I love ramen")
    world.reply(first)
    answer = pressed(world, ann, first, "agree_to_memory")
    assert answer["text"] == say("en", "consent_agreed")
    world.ask(ann, "I love sushi")
    assert [content["food_name"] for content in world.formed_contents(ann)] == ["sushi"]
    general = world.channel("public", ann, bo)
    asked = world.say(bo, "<@BOT> I love soba", channel=general)
    world.reply(asked)
    assert world.notices(asked, ann) == []
    answer = pressed(world, bo, asked, "refuse_memory")
    assert answer["text"] == say("en", "consent_refused")
    world.ask(bo, "<@BOT> I love udon", channel=general)
    assert world.formed(bo) == []
