"""What people ask in plain words: the right tool, the right effect, and no harm without a click."""

from __future__ import annotations

import json

import pytest

from bot.locale import Language, say
from tests.e2e.messages import Json, Said, buttons, shown
from tests.e2e.world import World

PLACES = pytest.mark.parametrize("place", ["dm", "public"])


def proposals(world: World, said: Said) -> list[Json]:
    """Return what the app proposes to forget because of `said`; notices of changes apart."""
    return [
        notice
        for notice in world.notices(said)
        if any(button["action_id"].startswith("forget") for button in buttons(notice))
    ]


# --- the click -----------------------------------------------------------------------------


@pytest.mark.one_mode
def test_a_forgotten_request_is_not_context(world: World) -> None:
    """After the click neither what was said of it nor the request itself is told to the model."""
    ann = world.human()
    world.ask(ann, "I love tempura")
    world.formed(ann)
    world.ask(ann, "what shall I eat?")
    said = world.say(ann, "forget that I like tempura")
    world.reply(said)
    [notice] = world.notices(said)
    world.click(ann, notice, said.channel, buttons(notice)[0])
    assert world.memories(ann) == []
    world.ask(ann, "and tonight?", under=said)
    world.ask(ann, "and tomorrow?")
    for question in ("and tonight?", "and tomorrow?"):
        for prompt in world.prompts(question):
            assert "tempura" not in json.dumps(prompt["body"]["input"])
    world.settled()
    assert world.memories(ann) == []


# --- stories by the stand-in's own rules ---------------------------------------------------


@pytest.mark.parametrize(
    ("language", "like", "request_", "name"),
    [
        ("en", "I love ramen", "forget that I like ramen", "ramen"),
        ("ja", "ラーメンが大好きです", "ラーメンが好きなことは忘れて", "ラーメン"),
    ],
)
@PLACES
def test_story_forget(
    world: World, place: str, language: Language, like: str, request_: str, name: str
) -> None:
    """Told, asked to forget, offered to the asker alone, clicked, undone."""
    ann, bo = world.human(locale="ja-JP" if language == "ja" else "en-US"), world.human("Bo")
    channel = "dm" if place == "dm" else world.channel("public", ann, bo)
    mention = "" if place == "dm" else "<@BOT> "
    world.ask(ann, mention + like, channel=channel)
    before = world.formed(ann)
    said = world.say(ann, mention + request_, channel=channel)
    world.reply(said)
    [notice] = proposals(world, said)
    assert name in shown(notice)
    assert place == "dm" or world.notices(said, bo) == []
    assert world.formed(ann) == before
    gone = world.click(ann, notice, said.channel, buttons(notice)[0])
    assert world.memories(ann) == []
    world.click(ann, gone, said.channel, buttons(gone)[0])
    assert world.memories(ann) == before


@pytest.mark.parametrize(
    ("language", "request_", "question", "name"),
    [
        ("en", "remember that I'm allergic to peanuts", "What shall I eat?", "peanut"),
        ("ja", "ピーナッツアレルギーだと覚えておいて", "今日は何を食べよう？", "ピーナッツ"),
    ],
)
def test_story_remember(
    world: World, language: Language, request_: str, question: str, name: str
) -> None:
    """An allergy is remembered at once, once, listed in plain words and minded in an answer."""
    ann = world.human(locale="ja-JP" if language == "ja" else "en-US")
    world.ask(ann, request_)
    [before] = world.memories(ann)
    assert before["value"]["kind"] == "UserFact"
    assert [row["key"] for row in world.formed(ann)] == [before["key"]]
    assert name in world.ask(ann, question).text
    listed = world.command(ann, "/memories")
    assert say(language, "kind_fact") in shown(listed)
    assert name in shown(listed)


@pytest.mark.one_mode
def test_story_correct(world: World) -> None:
    """A name that is to be remembered replaces the one before, and the answer knows it."""
    ann = world.human()
    world.ask(ann, "My name is Clara")
    [before] = world.formed(ann)
    assert "I have changed that" in world.ask(ann, "Remember that my name is Claire").text
    [after] = world.formed(ann)
    assert (after["key"], after["value"]["content"]["fact"]) == (
        before["key"],
        "my name is Claire",
    )
    assert "Claire" in world.ask(ann, "What's my name?").text


@pytest.mark.one_mode
def test_story_news(world: World) -> None:
    """News are answered in the language of the question, and their source is named once."""
    reply = world.ask(world.human(locale="ja-JP"), "Rustの最近の動きを3点にまとめてください。")
    assert "何も検索していません" in reply.text
    assert reply.text.count("https://example.com/") == 1


@pytest.mark.parametrize(
    ("language", "like", "request_", "list_"),
    [
        ("en", "I love ramen", "forget everything about me", "what do you remember about me?"),
        ("ja", "ラーメンが大好きです", "私のことを全部忘れて", "私について何を覚えてる？"),
    ],
)
def test_story_everything(
    world: World, language: Language, like: str, request_: str, list_: str
) -> None:
    """Everything is asked about, forgotten by a click, empty in the list, and taken back."""
    ann = world.human(locale="ja-JP" if language == "ja" else "en-US")
    world.ask(ann, like)
    before = world.formed(ann)
    said = world.say(ann, request_)
    world.reply(said)
    [notice] = world.notices(said)
    assert world.formed(ann) == before
    gone = world.click(ann, notice, said.channel, buttons(notice)[0])
    assert world.memories(ann) == world.vectors(ann) == []
    texts = world.rows(
        "SELECT question, words, reply FROM turns WHERE user_id = %s AND (question <> ''"
        " OR words <> '' OR reply IS NOT NULL)",
        ann.id,
    )
    assert texts == []
    asked = world.say(ann, list_)
    world.reply(asked)
    [empty] = world.notices(asked)
    assert say(language, "memories_none") in shown(empty)
    world.click(ann, gone, said.channel, buttons(gone)[0])
    assert world.memories(ann) == before
