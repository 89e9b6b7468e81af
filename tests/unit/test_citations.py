"""What an answer cites: marks are taken out, checked and collected, wherever the text is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering.filters import CitationFilter

KNOWN = ("m1", "m2", "m12", "k1")
TABLE = {
    "Penelope [m1].": ("Penelope.", ["m1"]),
    "Penelope[M2] and orion [k1]": ("Penelope and orion", ["m2", "k1"]),
    "both [m1, k1], [m1][m12]": ("both,", ["m1", "k1", "m12"]),
    "a list [m1, 2; k1 m12]": ("a list", ["m1", "m2", "k1", "m12"]),
    "ペネロペさん［ｍ１］、オリオン【k1】です〔m２〕": (
        "ペネロペさん、オリオンです",
        ["m1", "k1", "m2"],
    ),
    "out of range [m3] [k0] [m9999]": ("out of range", []),
    # What is no mark of the prompt's, and what clients show as something else.
    "`[m1]` and ``x [m1] ` [m1]``": (None, []),
    "```\nrow[m1]\n```\nthen [m2]": ("```\nrow[m1]\n```\nthen", ["m2"]),
    "~~~\nrow[m1]\n~~~\nthen [m2]": ("~~~\nrow[m1]\n~~~\nthen", ["m2"]),
    "[m1](https://a.example) and [m1] (so)": (
        "[m1](https://a.example) and (so)",
        ["m1"],
    ),
    "[m], [mm1], [m1.5], [m12345], m1, (m1), [note m1]": (None, []),
    "cut off [m1": (None, []),
    "blanks  \t[m1]  stay": ("blanks  stay", ["m1"]),
    "h[m1]ttps://evil.example": ("https://evil.example", ["m1"]),
}


def read(text: str, cuts: list[int] | None = None) -> tuple[str, list[str]]:
    """Return what is shown of an answer in pieces that end at these places, and what it cites."""
    marks = CitationFilter(KNOWN)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts or [])})
    pieces = [text[start:end] for start, end in pairwise(places)]
    shown = "".join([marks.feed(piece) for piece in pieces]) + marks.flush()
    return shown, marks.cited


@pytest.mark.parametrize("text", TABLE)
def test_marks_are_taken_out_wherever_the_text_is_cut(text: str) -> None:
    """Cut after every character, and not at all."""
    shown, cited = TABLE[text]
    expected = (text if shown is None else shown, cited)
    assert read(text) == expected
    assert read(text, list(range(len(text)))) == expected


@given(
    st.text(st.sampled_from("[]［】mk1２ ,`~\n(x")),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_where_an_answer_is_cut_changes_nothing(text: str, cuts: list[int]) -> None:
    """Every mark that is collected is one of the prompt's."""
    assert read(text, cuts) == read(text)
    assert set(read(text)[1]) <= set(KNOWN)
