"""Taking everything along and erasing it: commands, modals and files in Slack."""

from __future__ import annotations

from typing import Any

import pytest

from bot.locale import LANGUAGES, Language, say
from tests.e2e.messages import Human, Json, shown
from tests.e2e.test_changes_shown import PersonScreen, button
from tests.e2e.world import World

pytestmark = pytest.mark.slow


def new_person(world: World, language: Language) -> PersonScreen:
    """Return a new person who reads that language."""
    return PersonScreen(world, world.human(locale="ja-JP" if language == "ja" else "en-US"))


def received(world: World, human: Human) -> list[tuple[Json, Json]]:
    """Return the files in a person's DM: the message, and what it holds."""
    return [
        (message, world.playground(f"files/{file['id']}?as={human.id}"))
        for message in world.seen(human)
        for file in message.get("files", [])
    ]


def rows(world: World, human: Human) -> list[Any]:
    """Return every byte of a person's memories and their vectors."""
    return world.rows(
        "SELECT s.prefix, s.key, s.value::text, s.created_at, s.updated_at, v.embedding::text"
        " FROM store s LEFT JOIN store_vectors v USING (prefix, key)"
        " WHERE starts_with(s.prefix, %s) ORDER BY s.prefix, s.key",
        world.prefix(human, ""),
    )


@pytest.mark.one_mode
@pytest.mark.parametrize("language", LANGUAGES)
def test_export_and_erase(world: World, language: Language) -> None:
    """The file comes to one's own DM; erasing takes the typed word."""
    ann, other = new_person(world, language), world.human()
    for text in ("I love ramen", "I'm interested in Kubernetes"):
        world.ask(ann.human, text)
    world.formed(ann.human)
    before = rows(world, ann.human)
    assert len(before) == 2
    general = world.channel("public", ann.human, other)
    usage = say(language, "usage_export").removeprefix("/memories ")
    answer = world.command(ann.human, "/memories", usage, channel=general)
    assert say(language, "exported") in shown(answer)
    [(message, document)] = received(world, ann.human)
    assert message["user"] == world.bot
    assert document["format"] == "kioku-export"
    assert {one["content"].get("food_name") for one in document["memories"]} == {"ramen", None}
    assert received(world, other) == []
    assert not any("files" in one for one in world.seen(ann.human, general))
    # Erased, by typing the word.
    forget = say(language, "usage_forget_everything").removeprefix("/forget ")
    asked = world.command(ann.human, "/forget", forget)
    ann.click(asked, **button(asked, "erase_everything"))
    form = ann.modal(say(language, "erase_stays"))
    for typed in ("erase it", "delete", "\uff24ELETE"):
        wrong = ann.submit(form, **{"erase.word": typed})
        assert wrong["ack"]["errors"].keys() == {"erase.word"}
    assert rows(world, ann.human) == before
    assert ann.submit(form, **{"erase.word": f" {say(language, 'erase_word')}"})["ok"]
    receipt = ann.modal(say(language, "erased_none_left"))
    assert say(language, "counted_memories", count=2) in shown(receipt)
    assert rows(world, ann.human) == []


@pytest.mark.one_mode
@pytest.mark.parametrize("text", ["export my memories", "記憶を書き出して"])
def test_an_export_asked_for_in_plain_words(world: World, text: str) -> None:
    """In plain words the file is offered, to the asker alone, and comes with their click."""
    ann = PersonScreen(world, world.human())
    said = world.say(ann.human, text)
    world.reply(said)
    offer = world.until(
        lambda: next((m for m in world.notices(said) if "export_memories" in shown(m)), None),
        "the offer",
    )
    assert received(world, ann.human) == []
    ann.click(offer, **button(offer, "export_memories"))
    world.until(lambda: received(world, ann.human) or None, "the file")
