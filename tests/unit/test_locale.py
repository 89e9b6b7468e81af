"""The language of a person, and the texts in it."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from bot.locale import Language, Localizer, language_of, say


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


@pytest.mark.parametrize(
    ("language", "names"),
    [("en", ("yesterday", "today", "tomorrow")), ("ja", ("昨日", "今日", "明日"))],
)
def test_a_day_near_by_has_a_name_where_it_is_read_at_once(
    language: Language, names: tuple[str, ...]
) -> None:
    """A weekday alone is one of the next days; a message, which may be read later, has dates."""
    panel = Localizer(language, read_at_once=True)
    message = Localizer(language)
    days = [panel.today() + timedelta(days=number) for number in range(-2, 9)]
    before, *near, after, later = map(panel.day, days)
    assert tuple(near[:3]) == names
    assert (before, after, later) == tuple(
        map(panel.calendar_day, [days[0], *days[-2:]])
    )
    for day, name in zip(days[4:9], near[3:], strict=True):
        assert name in {f"{day:%a}", message.calendar_day(day)[-2] + "曜日"}
    assert panel.day(days[2], time(12)).startswith(names[1])
    assert list(map(message.day, days)) == list(map(message.calendar_day, days))


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
