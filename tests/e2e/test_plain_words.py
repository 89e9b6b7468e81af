"""What people ask in plain words: the right tool, the right effect, and no harm without a click."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from bot.locale import Language, say
from tests.e2e.messages import Human, Json, Said, buttons, error_sentences
from tests.e2e.world import World

PLACES = pytest.mark.parametrize("place", ["dm", "public"])

LIST = [
    "what do you remember about me?",
    "What do you know about me?",
    "show me my memories",
    "list everything you have stored on me, please",
    "Tell me what you've learned about me so far",
    "which facts do you keep about me",
    "do you have anything on file about me?",
    "remind me what I told you",
    "私について何を覚えてる？",
    "私のことを何か知っていますか？",
    "覚えていることを全部見せて",
    "今までに私が話したことを教えてください",
    "記憶の一覧を出して",
    "僕の好み、何か覚えてる？",
]
FORGET = [
    "forget that I like ramen",
    "Please forget about ramen",
    "can you delete the ramen thing?",
    "I no longer want you to know that I like ramen",
    "remove ramen from your memory",
    "Erase what I said about ramen",
    "scrap the ramen preference, would you",
    "I don't like ramen anymore, forget it",
    "ラーメンが好きなことは忘れて",
    "ラーメンのことは忘れてください",
    "ラーメンの記憶を消して",
    "ラーメンの件、削除してもらえますか？",
    "もうラーメンは好きじゃないから忘れて",
    "ラーメン好きって覚えてるの、消しておいて",
]
EVERYTHING = [
    "forget everything about me",
    "wipe your memory of me",
    "Delete all you know about me",
    "please erase all my data",
    "I want a fresh start: forget it all",
    "私のことを全部忘れて",
    "覚えていることをすべて消してください",
    "記憶を全部リセットして",
    "今までのことは全部なかったことにして",
]
REMEMBER = [
    ("remember that I'm allergic to peanuts", "fact", "Allergic to peanuts"),
    ("Please note that I'm allergic to peanuts.", "fact", "Is allergic to peanuts"),
    ("Can you remember that I live in Osaka?", "fact", "Lives in Osaka"),
    ("FYI: I work night shifts", "fact", "Works night shifts"),
    ("don't forget that I hate natto!", "food", "natto"),
    ("keep in mind I'm learning Rust", "tech", "Rust"),
    ("save this: my favourite dish is okonomiyaki", "food", "okonomiyaki"),
    ("ピーナッツアレルギーだと覚えておいて", "fact", "ピーナッツアレルギー"),
    ("大阪に住んでいることを覚えておいてください", "fact", "大阪に住んでいる"),
    ("納豆が苦手なのを覚えておいてくれる？", "food", "納豆"),
    ("私は夜勤です。覚えておいてね", "fact", "夜勤で働いている"),
    ("Rustを勉強しているとメモして", "tech", "Rust"),
]


@dataclass(frozen=True)
class Place:
    """Where somebody asks, with somebody else in the room where there is one."""

    world: World
    ann: Human
    bo: Human
    channel: str
    audience: str

    def written(self, text: str) -> str:
        """Return the text as it is written there."""
        return text if self.channel == "dm" else f"<@BOT> {text}"


def place_of(world: World, place: str) -> Place:
    """Return a direct message, or a public channel with Bo in it."""
    ann, bo = world.human(), world.human("Bo")
    channel = "dm" if place == "dm" else world.channel("public", ann, bo)
    return Place(world, ann, bo, channel, place)


def stored(world: World, *humans: Human) -> list[Any]:
    """Return all rows and vectors of these people."""
    return [(world.memories(human), world.vectors(human)) for human in humans]


def content(kind: str, what: str) -> Json:
    """Return what a model would store."""
    if kind == "food":
        return {"kind": "UserFoodPreference", "food_name": what, "preference": 50}
    if kind == "tech":
        return {"kind": "UserTechInterest", "topic": what, "interest_level": 75}
    return {"kind": "UserFact", "fact": what}


def key_of(world: World, human: Human, food: str) -> str:
    """Return the id of somebody's memory of a food."""
    [row] = [r for r in world.memories(human) if r["value"]["content"].get("food_name") == food]
    return str(row["key"])


def shown(message: Json) -> str:
    """Return all that a message of blocks says."""
    return json.dumps(message["blocks"], ensure_ascii=False)


# --- paraphrases ---------------------------------------------------------------------------


def test_there_are_enough_paraphrases() -> None:
    """At least forty ways of asking are tried."""
    assert len([*LIST, *FORGET, *EVERYTHING, *REMEMBER]) >= 40


def proposals(world: World, said: Said) -> list[Json]:
    """Return what the app proposes to forget because of `said`; notices of changes apart."""
    return [
        notice
        for notice in world.notices(said)
        if any(button["action_id"].startswith("forget") for button in buttons(notice))
    ]


@pytest.mark.one_mode
@PLACES
@pytest.mark.parametrize("text", LIST)
def test_a_list_comes_to_the_asker_only(world: World, place: str, text: str) -> None:
    """Whoever asks what is remembered is shown it, and nobody else is."""
    at = place_of(world, place)
    world.remember(at.ann, "ramen", "sushi")
    world.script_calls(text, [("list_memories", {})], text="Look below.")
    said = world.say(at.ann, at.written(text), channel=at.channel)
    assert world.reply(said).text == "Look below."
    [notice] = world.notices(said)
    assert "ramen" in shown(notice)
    assert "sushi" in shown(notice)
    if place == "public":
        assert notice["is_ephemeral"]
        assert world.notices(said, at.bo) == []
        assert "ramen" not in json.dumps(world.seen(at.bo, at.channel))
    assert world.tool_outputs(text) == [{"shown_privately": True}]


@pytest.mark.one_mode
@PLACES
@pytest.mark.parametrize("text", FORGET)
def test_forgetting_is_only_proposed(world: World, place: str, text: str) -> None:
    """A request to forget brings a button to the asker; without a click nothing ever changes."""
    at = place_of(world, place)
    world.remember(at.ann, "ramen", "sushi", audience=at.audience)
    before = stored(world, at.ann)
    key = key_of(world, at.ann, "ramen")
    world.script_calls(
        text,
        [("search_memory", {"query": "ramen"})],
        [("manage_memory", {"action": "delete", "id": key})],
        text="It is up to you.",
    )
    said = world.say(at.ann, at.written(text), channel=at.channel)
    assert world.reply(said).text == "It is up to you."
    found, proposed = world.tool_outputs(text)
    assert {one["content"]["food_name"] for one in found} == {"ramen", "sushi"}
    assert proposed == {"proposed": True, "done": False, "id": key}
    [notice] = world.notices(said)
    [button] = buttons(notice)
    assert json.loads(button["value"]) == {"memories": [f"{at.audience}/{key}"]}
    assert button["style"] == "danger"
    assert button["confirm"]
    assert "sushi" not in shown(notice)
    if place == "public":
        assert notice["is_ephemeral"]
        assert world.notices(said, at.bo) == []
    world.formed(at.ann)
    assert stored(world, at.ann) == before


@pytest.mark.one_mode
@PLACES
@pytest.mark.parametrize("text", EVERYTHING)
def test_forgetting_everything_is_only_proposed(world: World, place: str, text: str) -> None:
    """A request to forget everything brings the button to the asker, and changes nothing."""
    at = place_of(world, place)
    world.remember(at.ann, "ramen", "sushi")
    before = stored(world, at.ann)
    world.script_calls(text, [("forget_everything", {})], text="It is up to you.")
    said = world.say(at.ann, at.written(text), channel=at.channel)
    assert world.reply(said).text == "It is up to you."
    [notice] = world.notices(said)
    button, _ = buttons(notice)
    assert button["action_id"] == "forget_everything"
    if place == "public":
        assert notice["is_ephemeral"]
        assert world.notices(said, at.bo) == []
    world.formed(at.ann)
    assert stored(world, at.ann) == before


@pytest.mark.one_mode
@PLACES
@pytest.mark.parametrize(("text", "kind", "what"), REMEMBER)
def test_what_is_to_be_remembered_is_stored_at_once(
    world: World, place: str, text: str, kind: str, what: str
) -> None:
    """A request to remember is stored before the reply is whole, and confirmed to the model."""
    at = place_of(world, place)
    arguments = {"action": "create", "content": content(kind, what)}
    world.script_calls(text, [("manage_memory", arguments)], text="Noted.")
    said = world.say(at.ann, at.written(text), channel=at.channel)
    assert world.reply(said).text == "Noted."
    [[told]] = world.tool_outputs(text)
    rows = {row["key"]: row for row in world.memories(at.ann)}
    assert told["done"] == "remembered"
    row = rows[told["id"]]
    assert row["prefix"] == world.prefix(at.ann, at.audience)
    assert what in row["value"]["content"].values()
    assert row["value"]["sources"][0]["kind"] == "tool"
    assert (row["value"]["sources"][0]["channel"], row["value"]["sources"][0]["ts"]) == (
        said.channel,
        said.ts,
    )
    assert len([v for v in world.vectors(at.ann) if v["key"] == told["id"]]) == 1
    assert proposals(world, said) == []


# --- a model that goes wrong ---------------------------------------------------------------


@pytest.mark.one_mode
@PLACES
@pytest.mark.parametrize(
    "arguments",
    [
        {"action": "delete", "id": "INVENTED"},
        {"action": "delete", "id": "BOS"},
        {"action": "delete", "id": "SECRET"},
        {"action": "delete"},
        {"action": "delete", "id": "ramen"},
        {"action": "update", "id": "INVENTED", "content": content("food", "ramen")},
        {"action": "update", "id": "BOS", "content": content("food", "ramen")},
        {"action": "update", "id": "OWN", "content": {}},
        {"action": "update", "id": "OWN", "content": {**content("food", "ramen"), "preference": 0}},
        {"action": "update", "content": content("food", "ramen")},
        {"action": "create"},
        {"action": "create", "content": {}},
        {"action": "create", "content": None},
        {"action": "create", "content": ""},
        {"action": "create", "content": {"kind": "UserFact", "fact": ""}},
        {"action": "create", "content": {"kind": "Invented", "fact": "ramen"}},
        {"action": "create", "content": content("fact", "Lives in Osaka")},
        {"action": "create", "content": content("food", "natto"), "user_id": "BOS"},
        "{not json",
        "[]",
    ],
)
def test_a_model_that_goes_wrong_changes_nothing(
    world: World, place: str, arguments: Json | str
) -> None:
    """Invented ids, other people's, empty contents, inventions: errors, and nothing else."""
    at = place_of(world, place)
    other = world.channel("private", at.ann)
    world.remember(at.ann, "ramen", audience=at.audience)
    world.remember(at.bo, "sushi", audience=at.audience)
    # A memory of another audience; in a direct message it may be seen, so it is somebody else's.
    world.remember(at.ann if place == "public" else at.bo, "natto", audience=other)
    secret = key_of(world, at.ann if place == "public" else at.bo, "natto")
    names = {
        "INVENTED": str(uuid4()),
        "OWN": key_of(world, at.ann, "ramen"),
        "BOS": key_of(world, at.bo, "sushi"),
        "SECRET": secret,
    }
    if isinstance(arguments, dict):
        arguments = {k: names.get(v, v) if isinstance(v, str) else v for k, v in arguments.items()}
    text = "forget ramen, and sushi, and what Bo said"
    before = stored(world, at.ann, at.bo)
    world.script_calls(text, [("manage_memory", arguments)], text="I could not.")
    said = world.say(at.ann, at.written(text), channel=at.channel)
    assert world.reply(said).text == "I could not."
    [output] = world.tool_outputs(text)
    assert list(output) == ["error"]
    assert stored(world, at.ann, at.bo) == before
    assert world.notices(said) == []
    assert world.notices(said, at.bo if place == "public" else at.ann) == []


@pytest.mark.one_mode
def test_a_model_that_is_told_of_its_error_can_do_better(world: World) -> None:
    """After an error the same turn goes on, and the right call works."""
    ann, text = world.human(), "remember that I'm allergic to peanuts"
    wrong = {"action": "create", "content": {"kind": "Allergy", "to": "peanuts"}}
    right = {"action": "create", "content": content("fact", "Allergic to peanuts")}
    world.script_calls(text, [("manage_memory", wrong)], [("manage_memory", right)], text="Noted.")
    assert world.ask(ann, text).text == "Noted."
    error, [told] = world.tool_outputs(text)
    assert "kind" in error["error"]
    assert told["done"] == "remembered"


@pytest.mark.one_mode
def test_words_of_others_are_not_remembered_as_ones_own(world: World) -> None:
    """What Ann says of her wife, or quotes, is not stored, however the model puts it."""
    ann = world.human()
    for text in ("remember that my wife loves ramen", "> I love ramen\nremember that"):
        world.script_calls(
            text.splitlines()[-1],
            [("manage_memory", {"action": "create", "content": content("food", "ramen")})],
            text="I could not.",
        )
        assert world.ask(ann, text).text == "I could not."
    assert [row["value"]["content"] for row in world.memories(ann)] == []


@pytest.mark.one_mode
def test_a_model_that_calls_for_ever_is_stopped(world: World) -> None:
    """A model that only calls tools costs five requests, and the person gets one sentence."""
    ann = world.human()
    world._model(
        "script",
        {
            "endpoint": "responses",
            "kind": "reply",
            "match": "round and round",
            "times": -1,
            "output": {"function_calls": [{"name": "search_memory", "arguments": {"query": "x"}}]},
        },
    )
    reply = world.ask(ann, "round and round")
    assert any(sentence in reply.text for sentence in error_sentences("model_empty"))
    assert len(world.prompts("round and round")) == 5


@pytest.mark.one_mode
def test_tools_see_what_the_place_may(world: World) -> None:
    """In a public channel a search brings nothing that was said in private."""
    at = place_of(world, "public")
    world.remember(at.ann, "ramen")
    world.remember(at.ann, "sushi", audience="public")
    text = "search for what I like"
    world.script_calls(text, [("search_memory", {"query": "food"})], text="Done.")
    world.ask(at.ann, at.written(text), channel=at.channel)
    [found] = world.tool_outputs(text)
    assert [one["content"]["food_name"] for one in found] == ["sushi"]


# --- the click -----------------------------------------------------------------------------


@PLACES
def test_click_then_undo(world: World, place: str) -> None:
    """The click forgets, row and vector; Undo brings back the same; a second Undo says no."""
    at = place_of(world, place)
    world.remember(at.ann, "ramen", "sushi", audience=at.audience)
    before = stored(world, at.ann)
    text, key = "forget that I like ramen", key_of(world, at.ann, "ramen")
    world.script_calls(text, [("manage_memory", {"action": "delete", "id": key})], text="Click.")
    said = world.say(at.ann, at.written(text), channel=at.channel)
    world.reply(said)
    [notice] = world.notices(said)
    gone = world.click(at.ann, notice, said.channel, buttons(notice)[0])
    assert say("en", "forgotten", what="Likes ramen") in shown(gone)
    assert [one["food_name"] for one in world.contents(at.ann)] == ["sushi"]
    assert len(world.vectors(at.ann)) == 1
    [undo] = buttons(gone)
    back = world.click(at.ann, gone, said.channel, undo)
    assert say("en", "undone", count=1) in shown(back)
    assert stored(world, at.ann) == before
    assert buttons(back) == []


@pytest.mark.one_mode
def test_a_forgotten_request_is_not_context(world: World) -> None:
    """After the click neither what was said of it nor the request itself is told to the model."""
    ann = world.human()
    world.ask(ann, "I love ramen")
    world.formed(ann)
    world.ask(ann, "what shall I eat?")
    said = world.say(ann, "forget that I like ramen")
    world.reply(said)
    [notice] = world.notices(said)
    world.click(ann, notice, said.channel, buttons(notice)[0])
    assert world.memories(ann) == []
    world.ask(ann, "and tonight?", under=said)
    world.ask(ann, "and tomorrow?")
    for question in ("and tonight?", "and tomorrow?"):
        for prompt in world.prompts(question):
            assert "ramen" not in json.dumps(prompt["body"]["input"])


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
    """Told, asked to forget, clicked, undone: with the stand-in's own understanding."""
    ann = world.human(locale="ja-JP" if language == "ja" else "en-US")
    channel = "dm" if place == "dm" else world.channel("public", ann)
    mention = "" if place == "dm" else "<@BOT> "
    world.ask(ann, mention + like, channel=channel)
    before = world.formed(ann)
    said = world.say(ann, mention + request_, channel=channel)
    world.reply(said)
    [notice] = proposals(world, said)
    assert name in shown(notice)
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
