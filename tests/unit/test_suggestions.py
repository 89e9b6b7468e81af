"""Suggested prompts: chosen by what is remembered, and safe to click."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.locale import LANGUAGES, Language
from bot.views.suggestions import MAX_PROMPTS, suggested_prompts
from memory import Memory
from tests.unit.memories import food, memory


def topic(name: str, interest: int = 80) -> Memory:
    """Return an interest."""
    return memory(kind="UserTechInterest", topic=name, interest_level=interest)


def said(language: Language, *memories: Memory, off: bool = False) -> str:
    """Return all that is suggested, as text."""
    return "\n".join(one["message"] for one in suggested_prompts(language, memories, off=off))


@pytest.mark.parametrize("language", LANGUAGES)
def test_somebody_new_is_shown_what_it_can_do(language: Language) -> None:
    """Without memories the prompts are the same for everybody, the last about memory itself."""
    prompts = suggested_prompts(language, [])
    assert len(prompts) == MAX_PROMPTS
    assert len({prompt["title"] for prompt in prompts}) == MAX_PROMPTS
    last = {"en": "What do you remember about me?", "ja": "私について何を覚えていますか？"}
    assert prompts[-1]["message"] == last[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_known_is_built_on(language: Language) -> None:
    """Tastes and interests appear by name, newest first, and the last prompt stays."""
    text = said(language, food("ramen"), topic("AWS"), topic("Rust"), food("sushi"))
    assert "ramen" in text
    assert "AWS" in text
    assert "Rust" in text
    assert "sushi" not in text
    assert (
        len(suggested_prompts(language, [food("ramen"), topic("AWS"), topic("Rust")]))
        == MAX_PROMPTS
    )


def test_what_is_not_liked_is_not_suggested() -> None:
    """A distaste and an interest that has ended make no prompt."""
    text = said("en", food("natto", preference=10), topic("COBOL", 0))
    assert "natto" not in text
    assert "COBOL" not in text


def test_off_means_not_read() -> None:
    """While memory is off no prompt is made of it, nor speaks of it."""
    text = said("en", food("ramen"), topic("AWS"), off=True)
    assert "ramen" not in text
    assert "AWS" not in text
    assert "remember" not in text
    assert "know about me" not in text


def test_news_need_a_search() -> None:
    """Where nothing can be searched for no prompt asks for news."""
    memories = [topic("AWS"), topic("Rust")]
    for able in (True, False):
        prompts = suggested_prompts("en", memories, web_search=able)
        assert any("What is new in" in prompt["message"] for prompt in prompts) == able


@given(
    language=st.sampled_from(LANGUAGES),
    names=st.lists(st.text(max_size=300), max_size=5),
    off=st.booleans(),
)
def test_prompts_fit_whatever_is_remembered(
    language: Language, names: list[str], off: bool
) -> None:
    """Whatever a memory holds: at most four prompts, each one line with a title and a message."""
    memories = [make(name) for name in names for make in (food, topic)]
    prompts = suggested_prompts(language, memories, off=off)
    assert 3 <= len(prompts) <= MAX_PROMPTS
    for prompt in prompts:
        assert prompt.keys() == {"title", "message"}
        assert all(text.strip() and "\n" not in text for text in prompt.values())
        assert len(prompt["title"]) <= 100
        assert len(prompt["message"]) <= 200
