"""Which texts are the same, and that a search finds whatever somebody would type."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memory.model.sameness import (
    MAX_PLAIN,
    is_same,
    needles,
    plain,
    plain_column,
    subject_column,
)
from memory.model.schemas import subject_key


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Node.js", "node js", True),
        ("ﾗｰﾒﾝ", "ラーメン！", True),
        ("C#", "c＃", True),
        ("Straße", "STRASSE", True),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς", True),
        ("ÉCOLE", "e\u0301cole", True),
        ("می\u200cخوانم", "میخوانم", True),
        ("ශ්\u200dරී", "ශ්රී", True),
        ("pass\u00adword", "password", True),
        ("İstanbul", "istanbul", True),
        ("❤\ufe0f", "❤", True),
        ("don’t", "don't", True),
        ("ﷺ", "صلى الله عليه وسلم", True),
        ("ı", "i", False),
        ("C", "C++", False),
        ("C", "C#", False),
        ("C++", "C#", False),
        ("दिन", "दान", False),
        # A number has its sign and its parts.
        ("1.5 mg", "15 mg", False),
        ("-5", "5", False),
        ("10:30", "1030", False),
        ("since 2020-", "since 2020", True),
        ("!", "?", False),
        ("語" * 2_000, "語" * 2_000 + "！", True),
        ("語" * 2_000, "語" * 1_999, False),
    ],
)
def test_things_are_told_apart_by_their_names(one: str, other: str, same: bool) -> None:
    """Width, case and punctuation make no other thing; symbols and vowel signs do."""
    things = [
        subject_key("UserTechInterest", {"topic": topic}) for topic in (one, other)
    ]
    assert (things[0] == things[1]) is same
    assert is_same(one, other) is same


@given(st.text(min_size=1, max_size=3_000))
def test_a_subject_fits_into_an_index(text: str) -> None:
    """PostgreSQL's takes 2,704 bytes, with the ids."""
    assert len(subject_column(text).encode()) <= 2_000


# Letters of scripts with and without spaces, marks, digits, and what is a mark in names.
TYPED = st.text(
    st.sampled_from(
        "aBéßİ09４味噌ーラ가ไ#+@.,-_/&%$€'’\"!?…(「🍜❤\ufe0f\u200d\u00ad\u0301 \n\t"
    ),
    max_size=60,
)


@given(TYPED | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60))
@example("ß\u0301 a\u200d\u0301")
def test_every_word_that_was_typed_is_found(text: str) -> None:
    """Each word as it stands in a text, also as a whole one, and all of them together."""
    searched = plain([text])
    for word in [*text.split(), text]:
        for whole in (False, True):
            missing = [one for one in needles(word, whole=whole) if one not in searched]
            assert missing == []
    visible = plain([text]).strip()
    assert bool(needles(text)) is bool(visible)


def test_quotes_are_searched_after_the_texts_and_newest_first() -> None:
    """A memory that is as long as may be is found by its last word."""
    content = {"fact": f"{'word ' * 398}the-end"}
    quotes = ("old quote", "new quote", "THE-END")
    sources = [{"evidence": quote} for quote in quotes]
    row = {"kind": "UserFact", "content": content, "sources": sources}
    searched = plain_column(row)
    assert searched.endswith(" the - end new quote old quote ")
    assert len(plain_column({"content": {"fact": "ﷺ" * 2_000}})) <= MAX_PLAIN
