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

# What the model makes of such sentences is scripted; that a model understands many more is measured
# by `kioku eval` with a real one.
LIST = ["what do you remember about me?", "私について何を覚えてる？"]
FORGET = ["forget that I like ramen", "ラーメンが好きなことは忘れて"]
EVERYTHING = ["forget everything about me", "私のことを全部忘れて"]
REMEMBER = [
    ("remember that I'm allergic to peanuts", "fact", "Allergic to peanuts"),
    ("don't forget that I hate natto!", "food", "natto"),
    ("ピーナッツアレルギーだと覚えておいて", "fact", "ピーナッツアレルギー"),
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
        return {"kind": "UserFoodPreference", "food_name": what, "preference": 10}
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


# --- what is asked in plain words ----------------------------------------------------------


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
    world.script_calls(text, [("memory_settings", {"action": "show_memories"})], text="Look below.")
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
        [("memory_search", {"query": "ramen"})],
        [("memory_change", {"action": "delete", "id": key, "evidence": text})],
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
    world.script_calls(
        text, [("memory_settings", {"action": "forget_everything"})], text="It is up to you."
    )
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
    arguments = {"action": "create", "evidence": text, "content": content(kind, what)}
    world.script_calls(text, [("memory_change", arguments)], text="Noted.")
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
        {"action": "create", "content": content("food", "natto"), "evidence": "I love natto"},
        {"action": "create", "content": content("food", "natto"), "evidence": ""},
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
    text = "forget ramen, and sushi, and what Bo said"
    names = {
        "INVENTED": str(uuid4()),
        "OWN": key_of(world, at.ann, "ramen"),
        "BOS": key_of(world, at.bo, "sushi"),
        "SECRET": secret,
    }
    if isinstance(arguments, dict):
        arguments = {k: names.get(v, v) if isinstance(v, str) else v for k, v in arguments.items()}
        arguments = {"evidence": text, **arguments}
    before = stored(world, at.ann, at.bo)
    world.script_calls(text, [("memory_change", arguments)], text="I could not.")
    said = world.say(at.ann, at.written(text), channel=at.channel)
    assert world.reply(said).text == "I could not."
    [output] = world.tool_outputs(text)
    assert stored(world, at.ann, at.bo) == before
    # A quote of what was not typed is refused, and the person told so; all else is an error.
    assert "error" in output or output["refused"] == "no_evidence"
    assert [buttons(notice) for notice in world.notices(said)] == [[]] * ("refused" in output)
    if place == "public":
        assert world.notices(said, at.bo) == []


@pytest.mark.one_mode
def test_a_model_that_is_told_of_its_error_can_do_better(world: World) -> None:
    """After an error the same turn goes on, and the right call works."""
    ann, text = world.human(), "remember that I'm allergic to peanuts"
    wrong = {"action": "create", "evidence": text, "content": {"kind": "Allergy", "to": "peanuts"}}
    right = {**wrong, "content": content("fact", "Allergic to peanuts")}
    world.script_calls(text, [("memory_change", wrong)], [("memory_change", right)], text="Noted.")
    assert world.ask(ann, text).text == "Noted."
    error, [told] = world.tool_outputs(text)
    assert "kind" in error["error"]
    assert told["done"] == "remembered"


@pytest.mark.one_mode
def test_words_of_others_are_not_remembered_as_ones_own(world: World) -> None:
    """What Ann says of her wife, or quotes, is not stored, however the model puts it."""
    ann = world.human()
    for text, evidence in (
        ("remember that my wife loves ramen", "my wife loves ramen"),
        ("> I love ramen\nremember that", "I love ramen"),
    ):
        arguments = {"action": "create", "evidence": evidence, "content": content("food", "ramen")}
        world.script_calls(
            text.splitlines()[-1], [("memory_change", arguments)], text="I could not."
        )
        assert world.ask(ann, text).text == "I could not."
    assert [row["value"]["content"] for row in world.memories(ann)] == []


@pytest.mark.one_mode
def test_what_the_words_do_not_say_is_refused_and_shown_with_the_reason(world: World) -> None:
    """A quote that does not say it: nothing is stored, and the person sees why, with a button."""
    ann, text = world.human(), "remember that I'm allergic to peanuts"
    arguments = {
        "action": "create",
        "evidence": text,
        "content": content("fact", "Lives in Osaka"),
    }
    world.script_calls(text, [("memory_change", arguments)], text="I could not.")
    said = world.say(ann, text)
    assert world.reply(said).text == "I could not."
    [output] = world.tool_outputs(text)
    assert (output["done"], output["refused"]) == (False, "unsupported")
    [notice] = world.notices(said)
    assert [button["text"]["text"] for button in buttons(notice)] == [say("en", "refused_store")]
    assert "Osaka" not in str(world.memories(ann))


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
            "output": {"function_calls": [{"name": "memory_search", "arguments": {"query": "x"}}]},
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
    world.script_calls(text, [("memory_search", {"query": "food"})], text="Done.")
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
    arguments = {"action": "delete", "id": key, "evidence": text}
    world.script_calls(text, [("memory_change", arguments)], text="Click.")
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
