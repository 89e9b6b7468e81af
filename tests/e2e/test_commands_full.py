"""The commands in full: lists, search and help; forgetting by number, words or everything; Undo."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.locale import LANGUAGES, Language, say
from bot.views.dates import day
from bot.views.subcommands import help_groups
from tests.e2e.messages import Human, Json, buttons
from tests.e2e.world import World

KINDS = {
    "food": ("UserFoodPreference", "food_name"),
    "tech": ("UserTechInterest", "topic"),
    "fact": ("UserFact", "fact"),
}


def somebody(world: World, language: Language = "en") -> Human:
    """Return somebody who reads that language."""
    return world.human(locale="ja-JP" if language == "ja" else "en-US", tz=ZONE.key)


def remember(world: World, human: Human, *told: tuple[str, str]) -> None:
    """Give somebody memories (of `KINDS`, and what), each a day newer than the one before."""
    for number, (name, what) in enumerate(told):
        kind, field = KINDS[name]
        world.store(human, kind, {field: what}, datetime(2026, 1, 1 + number, tzinfo=UTC))


def shown(message: Json) -> str:
    """Return all texts of a message of blocks, without JSON's escapes."""
    return json.dumps(message["blocks"], ensure_ascii=False).replace("\\n", "\n")


def lines(message: Json) -> list[str]:
    """Return headings and numbered lines, unchanged."""
    return re.findall(r"\*[^*\n]+\*[^\n\"]*", shown(message))


def subjects(world: World, human: Human) -> set[str]:
    """Return what is remembered, each by its first text."""
    fields = dict(KINDS.values())
    return {row["value"]["content"][fields[row["value"]["kind"]]] for row in world.memories(human)}


TOLD = (
    ("food", "ramen"),
    ("tech", "Rust"),
    ("fact", "I live in Osaka"),
    ("food", "sushi"),
    ("tech", "Go"),
    ("food", "natto"),
)
ZONE = ZoneInfo("Pacific/Kiritimati")
# Grouped, the kind of the newest first, newest first within each.
NUMBERED = ["natto", "sushi", "ramen", "Go", "Rust", "I live in Osaka"]


# --- /memories -----------------------------------------------------------------------------


@pytest.mark.one_mode
@pytest.mark.parametrize("language", LANGUAGES)
def test_memories_are_grouped_numbered_and_dated(world: World, language: Language) -> None:
    """Each kind is under its heading in the person's language, each line with its date."""
    ann = somebody(world, language)
    remember(world, ann, *TOLD)
    answer = world.command(ann, "/memories")
    assert answer["is_ephemeral"]
    food = [say(language, "food", what=what) for what in ("natto", "sushi", "ramen")]
    tech = [say(language, "tech", what=what) for what in ("Go", "Rust")]

    def dated(number: int) -> str:
        return day(datetime(2026, 1, number, tzinfo=UTC), ZONE, language)

    assert lines(answer) == [
        f"*{say(language, 'kind_food')}*",
        f"*1.* {food[0]} _({dated(6)})_",
        f"*2.* {food[1]} _({dated(4)})_",
        f"*3.* {food[2]} _({dated(1)})_",
        f"*{say(language, 'kind_tech')}*",
        f"*4.* {tech[0]} _({dated(5)})_",
        f"*5.* {tech[1]} _({dated(2)})_",
        f"*{say(language, 'kind_fact')}*",
        f"*6.* I live in Osaka _({dated(3)})_",
    ]
    assert say(language, "memories_title") in shown(answer)
    assert say(language, "memories_all", count=6) in shown(answer)


@pytest.mark.one_mode
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "search ramen"),
        ("en", "Search  RAMEN"),
        ("en", "find ramen"),
        ("ja", "検索 ramen"),
        ("ja", "検索　ｒａｍｅｎ"),
        ("ja", "search ramen"),
    ],
)
def test_search_shows_what_has_the_words(world: World, language: Language, words: str) -> None:
    """A search shows the memories with these words, under the numbers of the whole list."""
    ann = somebody(world, language)
    remember(world, ann, *TOLD, ("food", "miso ramen"))
    answer = world.command(ann, "/memories", words)
    assert answer["is_ephemeral"]
    assert re.findall(r"\*(\d+)\.\*", shown(answer)) == ["1", "4"]
    assert "miso ramen" in shown(answer)
    assert "sushi" not in shown(answer)
    title = say(language, "search_title", words="X").partition("X")[2]
    assert title in shown(answer)


@pytest.mark.one_mode
@pytest.mark.parametrize("language", LANGUAGES)
def test_search_offers_what_is_near(world: World, language: Language) -> None:
    """Where nothing has the words, the nearest in meaning are shown, and said to be that."""
    ann = somebody(world, language)
    world.ask(ann, "I love tonkotsu ramen")
    world.ask(ann, "I'm interested in Kubernetes")
    world.formed(ann)
    answer = world.command(ann, "/memories", "search ramens")
    assert say(language, "search_similar", words="ramens") in shown(answer)
    # What is about something else is not similar.
    [near] = lines(answer)
    assert "ramen" in near


@pytest.mark.one_mode
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("help", "help_title"),
        ("ヘルプ", "help_title"),
        ("?", "help_title"),
        ("search", "search_usage"),
        ("search ", "search_usage"),
    ],
)
def test_help_and_usage(world: World, language: Language, words: str, key: str) -> None:
    """What can be typed is told in the language read: all of it, or for the use that was typed."""
    answer = world.command(somebody(world, language), "/memories", words)
    assert answer["is_ephemeral"]
    assert answer["text"].startswith(say(language, key))
    if key == "help_title":
        assert all(group in answer["text"] for group in help_groups(language))


@pytest.mark.one_mode
@pytest.mark.parametrize(
    ("words", "near"), [("serch ramen", "usage_search"), ("zzzz", ""), ("-1", "")]
)
def test_what_is_not_known_gets_the_nearest(world: World, words: str, near: str) -> None:
    """A use that does not exist is answered in one sentence, with the nearest that does."""
    answer = world.command(somebody(world), "/memories", words)
    word = words.split()[0]
    if near:
        assert answer["text"] == say("en", "use_meant", word=word, usage=say("en", near))
    else:
        assert answer["text"] == say("en", "use_unknown", word=word)


# --- /forget -------------------------------------------------------------------------------


@pytest.mark.one_mode
@pytest.mark.parametrize("number", range(1, 7))
def test_the_number_shown_is_the_number_taken(world: World, number: int) -> None:
    """`/forget N` offers line N of the list, and its click forgets that and nothing else."""
    ann = somebody(world)
    remember(world, ann, *TOLD)
    line = next(one for one in lines(world.command(ann, "/memories")) if f"*{number}.*" in one)
    question = world.command(ann, "/forget", str(number))
    assert question["is_ephemeral"]
    assert lines(question) == [line]
    [button] = buttons(question)
    world.click(ann, question, "dm", button)
    assert subjects(world, ann) == set(NUMBERED) - {NUMBERED[number - 1]}


@pytest.mark.one_mode
def test_a_number_of_an_older_list_forgets_nothing_unseen(world: World) -> None:
    """Newer memories move the numbers: the question names what is now 2, its click forgets that."""
    ann = somebody(world)
    remember(world, ann, ("food", "ramen"), ("food", "sushi"))
    assert "ramen" in lines(world.command(ann, "/memories"))[2]
    remember(world, ann, ("food", "eel"), ("food", "udon"), ("food", "natto"))
    question = world.command(ann, "/forget", "2")
    [line] = lines(question)
    told = {"ramen", "sushi", "eel", "udon", "natto"}
    [named] = [food for food in told if food in line]
    assert named != "ramen"
    assert subjects(world, ann) == told
    remember(world, ann, *[("food", f"{day} rice") for day in ("Monday", "Friday", "Sunday")])
    [button] = buttons(question)
    world.click(ann, question, "dm", button)
    assert subjects(world, ann) & told == told - {named}
    assert len(subjects(world, ann)) == 7


@pytest.mark.parametrize("language", LANGUAGES)
def test_forget_words_then_undo(world: World, language: Language) -> None:
    """What matches is shown, forgotten by one click, all or one by one, and restored by Undo."""
    ann = somebody(world, language)
    remember(world, ann, *TOLD, ("food", "miso ramen"))
    before = world.memories(ann), world.vectors(ann)
    question = world.command(ann, "/forget", "ramen")
    assert say(language, "forget_ask_many", count=2) in shown(question)
    first, second, both = buttons(question)
    assert both["text"]["text"] == say(language, "forget_all_button", count=2)
    for button in (first, second, both):
        assert button["style"] == "danger"
        assert "confirm" not in button
    assert (world.memories(ann), world.vectors(ann)) == before
    gone = world.click(ann, question, "dm", both)
    assert say(language, "forgotten_many", count=2) in shown(gone)
    assert say(language, "undo_note") in shown(gone)
    assert subjects(world, ann) == set(NUMBERED) - {"ramen"}
    assert len(world.vectors(ann)) == 5
    [undo] = buttons(gone)
    assert undo["text"]["text"] == say(language, "undo_button")
    back = world.click(ann, gone, "dm", undo)
    assert say(language, "undone", count=2) in shown(back)
    assert (world.memories(ann), world.vectors(ann)) == before


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "everything"), ("en", "ALL"), ("ja", "すべて"), ("ja", "全部"), ("ja", "everything")],
)
def test_forget_everything_then_undo(world: World, language: Language, words: str) -> None:
    """Everything is asked about with its number, forgotten by one click, and brought back."""
    ann, bo = somebody(world, language), somebody(world)
    remember(world, ann, *TOLD)
    remember(world, bo, *TOLD)
    world.ask(ann, "I love tempura")
    world.formed(ann)
    before = [world.memories(ann), world.vectors(ann), texts(world, ann)]
    question = world.command(ann, "/forget", words)
    assert question["is_ephemeral"]
    assert say(language, "forget_everything_ask", count=7) in shown(question)
    button, _ = buttons(question)
    assert button["confirm"]["style"] == "danger"
    gone = world.click(ann, question, "dm", button)
    assert [world.memories(ann), world.vectors(ann)] == [[], []]
    assert {text for row in texts(world, ann) for text in row.values()} <= {"", None}
    assert len(world.memories(bo)) == 6
    assert say(language, "memories_none") in world.command(ann, "/memories")["text"]
    [undo] = buttons(gone)
    world.click(ann, gone, "dm", undo)
    assert [world.memories(ann), world.vectors(ann), texts(world, ann)] == before


def texts(world: World, human: Human) -> list[Json]:
    """Return the texts of a person's turns, oldest first."""
    return world.rows(
        "SELECT question, words, reply FROM turns WHERE team_id = %s AND user_id = %s"
        " ORDER BY question_ts",
        world.team,
        human.id,
    )


@pytest.mark.one_mode
@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_became_no_memory_yet(world: World, language: Language) -> None:
    """Who has no memory yet but has said something can have that forgotten, and taken back."""
    ann = somebody(world, language)
    assert world.command(ann, "/forget", "all")["text"] == say(language, "memories_none")
    world.ask(ann, "ok thanks")
    before = texts(world, ann)
    question = world.command(ann, "/forget", "all")
    assert say(language, "forget_words_ask") in shown(question)
    gone = world.click(ann, question, "dm", buttons(question)[0])
    assert say(language, "forgotten_words") in shown(gone)
    assert {text for row in texts(world, ann) for text in row.values()} <= {"", None}
    back = world.click(ann, gone, "dm", buttons(gone)[0])
    assert say(language, "undone_words") in shown(back)
    assert texts(world, ann) == before


def test_in_a_channel_nobody_else_sees_any_of_it(world: World) -> None:
    """List, search, help, question, notice and Undo are all shown to the person alone."""
    ann, bo = somebody(world), somebody(world)
    general = world.channel("public", ann, bo)
    remember(world, ann, *TOLD)
    remember(world, bo, ("food", "pizza"))
    before = world.seen(bo, general)
    for command, words in (
        ("/memories", ""),
        ("/memories", "search ramen"),
        ("/memories", "help"),
        ("/forget", ""),
        ("/forget", "everything"),
    ):
        assert world.command(ann, command, words, channel=general)["is_ephemeral"]
    question = world.command(ann, "/forget", "ramen", channel=general)
    gone = world.click(ann, question, general, buttons(question)[0])
    assert gone["is_ephemeral"]
    assert world.click(ann, gone, general, buttons(gone)[0])["is_ephemeral"]
    assert world.seen(bo, general) == before
    assert [line.split(" _(")[0] for line in lines(world.command(bo, "/memories"))[1:]] == [
        "*1.* Likes pizza"
    ]


def test_other_ways_to_ask_for_forgetting(world: World) -> None:
    """Several numbers, a whole sentence, and `/memories delete` lead to the same question."""
    ann = somebody(world)
    remember(world, ann, *TOLD)
    several = world.command(ann, "/forget", "#1 2")
    assert say("en", "forget_ask_many", count=2) in shown(several)
    for command, words in (("/forget", "that I like ramen"), ("/memories", "delete ramen")):
        assert len(buttons(world.command(ann, command, words))) == 1
    assert say("en", "forget_usage") in shown(world.command(ann, "/memories", "remove"))
    assert say("en", "help_title") in shown(world.command(ann, "/forget", "help"))


@pytest.mark.slow
@pytest.mark.one_mode
@pytest.mark.parametrize("status", [500, 429, 400])
def test_an_answer_to_a_command_survives_a_refusal(world: World, status: int) -> None:
    """What Slack fails to take is sent again; what it refuses is sent as text without blocks."""
    ann = world.human()
    world.slack_fault("response_url", status=status)
    shown = world.command(ann, "/memories")
    refused, sent = world.calls("response_url")
    assert (refused["status"], sent["outcome"]) == (status, "ok")
    assert sent["args"]["text"] == refused["args"]["text"] == shown["text"]
    assert ("blocks" in sent["args"]) is (status != 400)
