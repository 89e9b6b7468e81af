"""Memory controlled as people do it: commands, clicks, a form, and plain words."""

from __future__ import annotations

import json
import time

import pytest

from bot.locale import say
from tests.e2e.messages import Human, Json, Said, buttons, shown
from tests.e2e.test_changes_shown import PersonScreen
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
    ann = PersonScreen(world, world.human())
    ann.types("pause till june")
    form = ann.modal("pause.until")
    refused = ann.submit(form, **{"pause.until": 1_000_000_000})
    assert say("en", "pause_past") in json.dumps(refused, ensure_ascii=False)
    later = int(time.time()) + 7_200
    assert ann.submit(form, **{"pause.until": later})["ok"]
    done = ann.modal(say("en", "paused_means"))
    assert f"<!date^{later}^" in shown(done)
    ann.click(done, action_id="resume_memory")
    ann.modal(say("en", "resumed"))


def test_the_settings_are_a_form(world: World) -> None:
    """`/memories settings` opens a form; what is saved holds at once, the language too."""
    ann = PersonScreen(world, world.human())
    ann.types("settings")
    form = ann.modal("retention")
    chosen = {"memory": "off", "notices": [], "language": "ja", "retention": "90"}
    assert ann.submit(form, **chosen)["ok"]
    assert say("ja", "off_refused") in shown(ann.modal(say("ja", "settings_saved")))
    assert say("ja", "memories_none") in world.command(ann.human, "/memories")["text"]


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
