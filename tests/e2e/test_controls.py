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


def test_pausing_by_command_and_resuming_by_click(world: World) -> None:
    """`/memories pause` answers with a button; its click switches memory on again."""
    ann = world.human()
    world.remember(ann, "ramen")
    answer = world.command(ann, "/memories", "pause 2h")
    assert "Memory is paused until" in answer["text"]
    world.ask(ann, "What shall I eat?")
    assert "ramen" not in prompt(world, "What shall I eat?")
    [button] = buttons(answer)
    assert world.click(ann, answer, "dm", button)["text"] == say("en", "resumed")
    world.ask(ann, "What shall I drink and eat?")
    assert "ramen" in prompt(world, "What shall I drink and eat?")


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("I love natto, but don't remember this", "en-US"),
        ("納豆が大好きです。これは覚えないで", "ja-JP"),
    ],
)
def test_do_not_remember_this(world: World, text: str, locale: str) -> None:
    """A message that its author excludes is never formed; a click deletes its text at once."""
    ann = world.human(locale=locale)
    said = world.say(ann, text)
    world.reply(said)
    assert world.formed(ann) == []
    answer = pressed(world, ann, said, "delete_withheld")
    assert answer["text"] == say("ja" if locale == "ja-JP" else "en", "withheld_deleted")
    [turn] = world.turns(said)
    assert (turn["question"], turn["words"], turn["reply"]) == ("", "", None)


def test_an_incognito_thread_in_plain_words(world: World) -> None:
    """In a channel's thread one person's memory is neither read nor written from then on."""
    ann, bo = world.human(), world.human("Bo")
    general = world.channel("public", ann, bo)
    world.remember(ann, "ramen", audience="public")
    root = world.say(ann, "<@BOT> make this thread incognito", channel=general)
    world.reply(root)
    [notice] = world.until(lambda: world.notices(root), "a word about it")
    assert say("en", "incognito_on_thread") in shown(notice)
    assert world.notices(root, bo) == []
    later = world.say(ann, "I love sushi. What shall I eat?", under=root)
    world.reply(later)
    assert "ramen" not in prompt(world, "I love sushi. What shall I eat?")
    assert [content["food_name"] for content in world.formed_contents(ann)] == ["ramen"]
    [reply] = world.reply(later).messages
    [end] = [b for b in buttons(reply) if b["action_id"] == "incognito_off"]
    pressed_there = {"action_id": end["action_id"], "block_id": end["block_id"]}
    world.playground(
        "actions",
        {"user": ann.id, "channel": general, "message_ts": reply["ts"], **pressed_there},
    )
    off = say("en", "incognito_off_thread")
    world.until(lambda: off in json.dumps(world.notices(root)), "a word about its end")
    again = world.say(ann, "What shall I eat?", under=root)
    world.reply(again)
    assert "ramen" in prompt(world, "What shall I eat?")


@pytest.mark.parametrize("text", ["forget everything I told you today", "今日話したことを忘れて"])
def test_forgetting_today_in_plain_words(world: World, text: str) -> None:
    """Forgetting by time is only proposed; the click does it, and Undo takes it back."""
    ann = world.human(locale="ja-JP" if "今日" in text else "en-US")
    world.remember(ann, "ramen")
    world.ask(ann, "I love sushi")
    world.formed(ann)
    said = world.say(ann, text)
    world.reply(said)
    assert len(world.memories(ann)) == 2
    answer = pressed(world, ann, said, "forget_period")
    assert [content["food_name"] for content in world.contents(ann)] == ["ramen"]
    [undo] = [b for b in buttons(answer) if b["action_id"] == "undo_forget"]
    world.click(ann, answer, said.channel, undo)
    assert len(world.memories(ann)) == 2


def test_a_pause_is_chosen_in_a_form(world: World) -> None:
    """`/memories pause` with words that name no time opens a form; its moment holds at once."""
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

    def paused() -> str | None:
        [view] = world.playground(f"views?as={ann.id}")["views"]
        text = json.dumps(view, ensure_ascii=False)
        return text if say("en", "paused_means") in text else None

    assert f"<!date^{later}^" in world.until(paused, "the answer")


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


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("show me the history of your memory", "history_title"),
        ("open my settings", "settings_title"),
        ("what can I do with my memories?", "help_title"),
        ("what could you use in this conversation?", "preview_why_dm"),
    ],
)
def test_what_is_asked_for_is_shown(world: World, text: str, what: str) -> None:
    """What the commands show is shown when it is asked for in words, to the asker alone."""
    ann = world.human()
    world.ask(ann, "I love ramen")
    world.formed(ann)
    said = world.say(ann, text)
    world.reply(said)
    [notice] = world.until(lambda: world.notices(said), "the answer")
    assert say("en", what) in shown(notice)
