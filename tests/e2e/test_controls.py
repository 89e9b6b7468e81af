"""Memory controlled as people do it: commands, clicks, a form, and plain words."""

from __future__ import annotations

import json
import time

import pytest

from bot.locale import Language, say
from tests.e2e.messages import Human, Json, Said, buttons
from tests.e2e.world import World

pytestmark = [pytest.mark.slow, pytest.mark.one_mode]


def shown(message: Json) -> str:
    """Return all that a message of blocks says."""
    return json.dumps(message["blocks"], ensure_ascii=False)


def prompt(world: World, text: str) -> str:
    """Return all that the newest request for a reply to `text` told the model."""
    return json.dumps(world.prompts(text)[-1]["body"], ensure_ascii=False)


def pressed(world: World, human: Human, said: Said, action: str) -> Json:
    """Wait for the button under an answer, click it, and return what takes its place."""

    def there() -> tuple[Json, Json] | None:
        found = [(m, b) for m in world.notices(said) for b in buttons(m)]
        return next((pair for pair in found if pair[1]["action_id"] == action), None)

    message, button = world.until(there, f"a button {action}")
    return world.click(human, message, said.channel, button)


@pytest.mark.parametrize(
    ("language", "pause", "resume"),
    [
        ("en", "pause your memory for 2 hours", "resume your memory"),
        ("ja", "2時間、記憶を止めて", "記憶を再開して"),
    ],
)
def test_pausing_and_resuming_in_plain_words(
    world: World, language: Language, pause: str, resume: str
) -> None:
    """A request in words pauses memory at once and says until when; resuming takes a click."""
    ann = world.human(locale={"en": "en-US", "ja": "ja-JP"}[language])
    world.remember(ann, "ramen")
    world.ask(ann, pause)
    reply = world.ask(ann, "I love sushi. What shall I eat?")
    assert "ramen" not in prompt(world, "I love sushi. What shall I eat?")
    paused = {"en": "Memory is paused until", "ja": "一時停止中です"}[language]
    assert any(paused in line for line in footer_lines(reply.messages[-1]))
    asked = world.say(ann, resume)
    world.reply(asked)
    pressed(world, ann, asked, "resume_memory")
    resumed = world.ask(ann, "What shall I eat?")
    assert not any(paused in line for line in footer_lines(resumed.messages[-1]))
    assert "ramen" in prompt(world, "What shall I eat?")
    assert "sushi" not in prompt(world, "What shall I eat?")
    assert [content["food_name"] for content in world.formed_contents(ann)] == ["ramen"]


def footer_lines(message: Json) -> list[str]:
    """Return the small print of a message."""
    blocks = [block for block in message["blocks"] if block["type"] == "context"]
    return [str(element.get("text")) for block in blocks for element in block["elements"]]


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
