"""Finding one's own memories by words, and refusing foreign rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import (
    DM,
    PUBLIC,
    InvalidNamespace,
    Memory,
    Person,
    matching,
    memory_view,
    search_words,
)
from memory.store.memories import checked, person_range, read
from memory.store.words import folded_words

ALICE = Person("T1", "U1")
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def row(prefix: str = "chat.T1.U1.dm", key: str = "k", **value: Any) -> dict[str, Any]:
    """Return a row of `store`."""
    value = {"kind": "UserFoodPreference", "content": {"food_name": "寿司"}, **value}
    return {"prefix": prefix, "key": key, "value": value, "created_at": NOW, "updated_at": NOW}


def memory(**value: Any) -> Memory:
    """Return a memory of Alice's."""
    return read(row(**value))


def test_a_row_is_read_whole() -> None:
    """A stored row becomes a memory with its namespace, sources and what it supersedes."""
    found = read(
        row(
            sources=[{"evidence": "寿司が好き"}],
            supersedes=[{"audience": PUBLIC, "key": "old"}],
        )
    )
    assert found.namespace == ALICE.namespace(DM)
    assert found.reference == "dm/k"
    assert found.sources == ({"evidence": "寿司が好き"},)
    assert found.supersedes == ((PUBLIC, "old"),)


def test_rows_of_other_tools_are_read_too() -> None:
    """A row without a kind, or with a plain text as content, is a memory all the same."""
    found = read({**row(), "value": {"content": "likes sushi"}})
    assert (found.kind, found.content, found.sources) == ("Memory", {"content": "likes sushi"}, ())


def test_another_persons_row_shows_nothing_at_all() -> None:
    """One foreign row among the person's own makes the whole read fail."""
    rows = [row(), row("chat.T1.U12.dm", "k2")]
    with pytest.raises(InvalidNamespace, match="nothing was shown"):
        checked(rows, memory_view(ALICE.namespace(DM)))


def test_what_the_view_hides_is_left_out() -> None:
    """A row outside the view is not returned, though it is the person's own."""
    rows = [row(), row("chat.T1.U1.public", "k2")]
    seen = checked(rows, memory_view(ALICE.namespace(PUBLIC)))
    assert [m.reference for m in seen] == ["public/k2"]


def test_superseded_rows_are_hidden_where_the_newer_one_is_seen() -> None:
    """A superseded memory is hidden in a view that sees what supersedes it, shown elsewhere."""
    rows = [
        row("chat.T1.U1.public", "old"),
        row("chat.T1.U1.dm", "new", supersedes=[{"audience": PUBLIC, "key": "old"}]),
        row("chat.T1.U1.dm", "old"),
    ]
    in_dm = checked(rows, memory_view(ALICE.namespace(DM)))
    assert [m.reference for m in in_dm] == ["dm/new", "dm/old"]
    in_public = checked(rows, memory_view(ALICE.namespace(PUBLIC)))
    assert [m.reference for m in in_public] == ["public/old"]


def test_the_range_of_a_person_is_theirs_alone() -> None:
    """Every prefix in a person's range is theirs, and prefixes of neighbours lie outside."""
    bounds = person_range(ALICE)
    own = ["chat.T1.U1.dm", "chat.T1.U1.public", "chat.T1.U1.C0", "chat.T1.U1.ZZZ"]
    foreign = ["chat.T1.U12.dm", "chat.T1.U0.dm", "chat.T1.U1", "chat.T12.U1.dm", "chat.T1.U.dm"]
    assert all(bounds["low"] <= prefix < bounds["high"] for prefix in own)
    assert not any(bounds["low"] <= prefix < bounds["high"] for prefix in foreign)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ラーメン", True),
        ("ﾗｰﾒﾝ", True),
        ("MISO ramen", True),
        ("ramen, miso!", True),
        ("味噌 ramen", True),
        ("大好き", True),
        ("ramen pizza", False),
        ("75", True),
        ("", False),
        ("!!!", False),
        ("cuisine", False),
    ],
)
def test_matching(words: str, found: bool) -> None:
    """Every word must occur in the values or the quote, whatever its width or case."""
    one = memory(
        content={"food_name": "ラーメン Miso Ramen", "cuisine": None, "preference": 75},
        sources=[{"evidence": "味噌が大好きです"}, {}],
    )
    assert matching([one], words) == ([one] if found else [])


@pytest.mark.parametrize(
    ("words", "found"),
    [("I have a car", False), ("a carpet", True), ("car", False), ("AWS", True), ("興味", True)],
)
def test_matching_of_whole_words(words: str, found: bool) -> None:
    """A word is no part of a longer one; in Japanese, which has no spaces, it may be."""
    carpet = memory(content={"fact": "I have a carpet, AWSに興味があります"}, sources=[])
    assert matching([carpet], words, whole_words=True) == ([carpet] if found else [])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("C++", ["C++", "Rust, C++11"]),
        ("Ｃ＋＋", ["C++", "Rust, C++11"]),
        ("c#", ["C#が好き"]),
        ("c", ["C++", "C#が好き", "Rust, C++11"]),
        ("C++ cooking", []),
        ("🍜", ["好き🍜です"]),
        ("☕️", ["☕ in the morning"]),
        ("on", []),
        ("R&D", ["works in R&D"]),
        ("+ ramen", ["ramen"]),
        ("#ramen", ["ramen"]),
    ],
)
def test_names_with_symbols_and_short_words(words: str, found: list[str]) -> None:
    """C++, C# and emoji are names of their own; a word of one or two letters is no part of one."""
    facts = [
        *("C++", "C#が好き", "Rust, C++11", "onions", "cooking"),
        *("好き🍜です", "☕ in the morning", "works in R&D", "ramen"),
    ]
    memories = [memory(content={"fact": fact}) for fact in facts]
    assert [one.content["fact"] for one in matching(memories, words)] == found


@pytest.mark.parametrize(("words", "none"), [("🍜", False), ("?!", True), ("　", True)])
def test_what_has_no_words(words: str, none: bool) -> None:
    """An emoji can be looked for; punctuation and white space cannot."""
    assert (search_words(words) == []) is none


def test_the_other_things_of_one_message_do_not_match() -> None:
    """Words of a quote find a memory only where no memory is itself about them."""
    quote = [{"evidence": "I love ramen and I'm interested in AWS"}]
    ramen = memory(content={"food_name": "ramen"}, sources=quote)
    aws = memory(content={"topic": "AWS"}, sources=quote)
    assert matching([ramen, aws], "ramen") == [ramen]
    assert matching([aws], "ramen") == [aws]


def test_a_memory_edited_in_a_form_does_not_match_by_what_was_said_before() -> None:
    """Evidence counts from the last edit in a form on; sources that came later count too."""
    said = {"kind": "message", "evidence": "I like coffee in the morning"}
    entered = {"kind": "modal", "evidence": "flat white"}
    later = {"kind": "message", "evidence": "I love flat white, barista style"}
    unedited = memory(content={"food_name": "coffee"}, sources=[said])
    edited = memory(content={"food_name": "flat white"}, sources=[said, entered, later])
    assert matching([unedited], "morning") == [unedited]
    for words, found in (("coffee", []), ("flat", [edited]), ("barista", [edited])):
        assert matching([edited], words) == found


@given(st.text())
def test_folding_is_idempotent(text: str) -> None:
    """Folded text holds only words and single spaces, and folding it again changes nothing."""
    once = folded_words(text)
    assert once == once.strip()
    assert "  " not in once
    assert folded_words(once) == once
