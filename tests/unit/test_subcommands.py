"""The table of what can be typed after a slash command."""

from __future__ import annotations

import pytest
from bot.ui.subcommands import (
    HELP,
    MEMORIES,
    Subcommand,
    closest_subcommand,
    command_opens_modal,
    forget_words,
    help_groups,
    numbers_in,
    parse_forget,
    parse_memories,
    sentence_in,
)
from hypothesis import given
from hypothesis import strategies as st

from bot.locale import LANGUAGES, Language, say

FORGET = tuple(use for uses in HELP["help_forget"].values() for use in uses)


@pytest.mark.parametrize("uses", [MEMORIES, FORGET], ids=["memories", "forget"])
def test_each_word_means_one_use(uses: tuple[Subcommand, ...]) -> None:
    """No word names two uses of a command, and each use has an English and a Japanese one."""
    words = [word for use in uses for word in use.words]
    assert len(words) == len(set(words))
    for use in uses:
        assert use.name.isascii()
        assert any(not word.isascii() for word in use.words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_usage_is_what_it_says(language: Language) -> None:
    """The example of each use, typed unchanged, is that use; help shows each but itself."""
    for use in MEMORIES:
        found = parse_memories(say(language, use.usage).removeprefix("/memories"))
        assert found is not None
        assert found[0] is use
    for use in FORGET:
        assert parse_forget(say(language, use.usage).removeprefix("/forget ")) is use
    shown = "\n".join(help_groups(language))
    for use in (*MEMORIES, *FORGET):
        assert (f"`{say(language, use.usage)}`" in shown) == (use.name != "help")


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", "list", ""),
        (" 2 ", "number", "2"),
        ("#2", "number", "#2"),
        ("2番", "number", "2番"),
        ("show 2", "number", "2"),
        ("page 2", "page", "2"),
        ("all page 2", "page", "2"),
        ("ページ2", "page", "2"),
        ("２ページ目", "page", "2"),
        ("list", "list", ""),
        ("Search  Miso Ramen", "search", "Miso Ramen"),
        ("検索　ラーメン", "search", "ラーメン"),
        ("検索ラーメン", "search", "ラーメン"),
        ("ＳＥＡＲＣＨ ramen", "search", "ramen"),
        ("pause 2h", "pause", "2h"),
        ("pause until tomorrow", "pause", "until tomorrow"),
        ("一時停止2時間", "pause", "2時間"),
        ("再開", "resume", ""),
        ("再開してください", "resume", "してください"),
        ("add I live in Osaka", "add", "I live in Osaka"),
        ("設定", "settings", ""),
        ("show", "list", ""),
        ("undo", "history", ""),
        ("off", "pause", ""),
        ("off 2h", "pause", "2h"),
        ("on", "resume", ""),
    ],
)
def test_what_is_typed(text: str, name: str, words: str) -> None:
    """The first word names the use, in either language and width; the rest are its words."""
    found = parse_memories(text)
    assert found is not None
    assert (found[0].name, found[1]) == (name, words)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2", "number"),
        ("everything", "everything"),
        ("Last Hour", "last 2 hours"),
        ("last 2 hours", "last 2 hours"),
        ("3d", "last 2 hours"),
        ("直近30分", "last 2 hours"),
        ("今日", "today"),
        ("last week", "last week"),
        ("先週", "last week"),
        ("this week", "last 2 hours"),
        ("last 3 weeks", "last 2 hours"),
        ("直近2週間", "last 2 hours"),
        ("last month", "words"),
        ("このスレッド", "this thread"),
        ("ramen", "words"),
        ("the ramen of today", "words"),
    ],
)
def test_what_is_to_be_forgotten(text: str, name: str) -> None:
    """A time, a thread or everything is meant only where nothing else was typed."""
    assert parse_forget(text).name == name


@pytest.mark.parametrize(
    ("word", "name"),
    [("serch", "search"), ("paus", "pause"), ("setings", "settings"), ("hist", "history")],
)
def test_the_nearest_is_offered(word: str, name: str) -> None:
    """A slip of the finger finds what was meant."""
    use = closest_subcommand(word)
    assert use is not None
    assert use.name == name


@pytest.mark.parametrize(
    "word", ["ramen", "one", "of", "fine", "lost", "exit", "設備", "tea", "zzzz"]
)
def test_another_word_is_not_taken_for_a_slip(word: str) -> None:
    """A word that is not like the name of a use gets no suggestion, and is no use."""
    assert closest_subcommand(word) is None
    assert parse_memories(word) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("delete ramen", "ramen"),
        ("Remove  2", "2"),
        ("erase", ""),
        ("forget that I like ramen", "that I like ramen"),
        ("ラーメンを忘れて", None),
        ("削除 ラーメン", "ラーメン"),
        ("削除ラーメン", "ラーメン"),
        ("forget　ラーメン", "ラーメン"),
        ("delete\u00a0C++", "C++"),
        ("deleted", None),
        ("list", None),
    ],
)
def test_other_words_for_forgetting(text: str, words: str | None) -> None:
    """`/memories delete ramen` means `/forget ramen`."""
    assert forget_words(text) == words


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2", [2]),
        ("#1", [1]),
        ("1 2", [1, 2]),
        ("1, 2,3", [1, 2, 3]),
        ("＃１と２", [1, 2]),
        ("2 2", [2]),
        ("2番", [2]),
        ("１番と３番目", [1, 3]),
        ("2番線", []),
        ("99999999999", [999_999]),
        ("2 ramen", []),
        ("2 days", []),
        ("", []),
    ],
)
def test_numbers_of_the_list(text: str, numbers: list[int]) -> None:
    """One or more numbers, however they are separated; anything else is words."""
    assert numbers_in(text) == numbers


def test_the_sentence_after_that() -> None:
    """`/forget that I like ramen` names a sentence, `/forget Thatcher` words."""
    assert sentence_in("that I like ramen") == "I like ramen"
    assert sentence_in("Thatcher") is None


@pytest.mark.parametrize("text", ["オンライン", "オフィスは東京", "ページャー", "オフー"])
def test_another_name_in_katakana_is_no_use(text: str) -> None:
    """A name that only begins with the name of a use is not that use."""
    assert parse_memories(text) is None


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    """Whatever is typed finds a use or none, and never an error."""
    found = parse_memories(text)
    assert found is None or found[0] in MEMORIES
    assert parse_forget(text) in FORGET
    assert command_opens_modal("/memories", text) in (True, False)
    assert not command_opens_modal("/forget", text)
