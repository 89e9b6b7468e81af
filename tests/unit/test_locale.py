"""The language of a person, and the texts in it."""

from __future__ import annotations

import pytest

from bot.locale import language_of, say


@pytest.mark.parametrize(
    ("locale", "text", "language"),
    [
        ("ja-JP", "hello", "ja"),
        ("ja", "", "ja"),
        ("JA-jp", "", "ja"),
        ("en-US", "こんにちは", "en"),
        ("de-DE", "こんにちは", "en"),
        (None, "こんにちは", "ja"),
        (None, "カタカナ", "ja"),
        (None, "hello", "en"),
        (None, "漢字", "en"),
        ("", "ひらがな", "ja"),
        (None, "", "en"),
    ],
)
def test_language_of(locale: str | None, text: str, language: str) -> None:
    """Slack's locale decides; where it is unknown, kana in the text mean Japanese."""
    assert language_of(locale, text) == language


def test_a_text_that_is_not_there_is_not_said() -> None:
    """A key without a text fails, with a number or without, rather than being shown."""
    with pytest.raises(KeyError):
        say("en", "no_such_text")
    with pytest.raises(KeyError):
        say("ja", "no_such_text", count=2)


def test_values_are_filled_in() -> None:
    """What is filled in may hold braces: only the catalogue's own are placeholders."""
    assert say("en", "forgotten", what="{count}") == "Forgotten: {count}"


@pytest.mark.parametrize(
    ("count", "text"), [(1, "1 memory"), (0, "0 memories"), (2, "2 memories")]
)
def test_a_number_agrees_with_its_noun(count: int, text: str) -> None:
    """English says one memory and two memories; Japanese has one form."""
    assert say("en", "counted_memories", count=count) == text
    assert f"{count}件" in say("ja", "counted_memories", count=count)
