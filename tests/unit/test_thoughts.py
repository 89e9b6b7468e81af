"""The thoughts in a model's text are not part of its answer."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.model import ThoughtFilter, without_thoughts


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Hello.", "Hello."),
        ("  two\n\nparagraphs  ", "  two\n\nparagraphs  "),
        ("<think>\nhm\n</think>\n\nHello.", "Hello."),
        ("<THINK>hm</Think>Hello.", "Hello."),
        ("<thinking>hm</thinking>Hello.", "Hello."),
        ("<think></think>Hello.", "Hello."),
        ("Hello.<think>hm</think> Bye.", "Hello. Bye."),
        ("<think>a</think>one<think>b</think> two", "one two"),
        ("<think>a <think>b</think> c</think>Hello.", "Hello."),
        # The thought is not ended: the answer was cut off within it.
        ("<think>Let me see", ""),
        ("Hello.\n<think>Let me see", "Hello."),
        # The template began the thought.
        ("Let me see.\n</think>\n\nHello.", "Hello."),
        ("Let me see.</think>", ""),
        ("hm</think>Hello.<think>hm</think> Bye.", "Hello. Bye."),
        # An answer about the tag.
        ("Put `<think>` before it, `</think>` after it.",) * 2,
        ("a < b, <thinker>, think>",) * 2,
        ("", ""),
    ],
)
def test_thoughts_are_taken_out(text: str, answer: str) -> None:
    """What stands between the tags goes, also where one of them is missing."""
    assert without_thoughts(text) == answer


TOKENS = [
    "<think>",
    "</think>",
    "<Thinking>",
    "</thinking>",
    "<",
    "</",
    "`",
    " ",
    "\n",
    "Hi.",
    "日本",
]


def shown_of(pieces: list[str]) -> str:
    """Return what is shown of a text that comes in pieces."""
    thoughts = ThoughtFilter()
    shown = ""
    for piece in pieces:
        text = thoughts.feed(piece)
        shown = text if thoughts.restarts else shown + text
    return shown + thoughts.flush()


@given(
    st.lists(st.sampled_from(TOKENS), max_size=12),
    st.lists(st.integers(0, 60), max_size=8),
)
def test_pieces_show_what_the_whole_text_shows(
    tokens: list[str], cuts: list[int]
) -> None:
    """Wherever a text is cut, also within a tag, the same is shown as of the whole."""
    text = "".join(tokens)
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(at)]
    assert "".join(pieces) == text
    assert shown_of(pieces).strip() == without_thoughts(text).strip()


def test_what_is_not_thought_is_shown_at_once() -> None:
    """Only what may be the beginning of a tag waits for the next piece."""
    thoughts = ThoughtFilter()
    shown = [
        thoughts.feed(piece) for piece in ("One ", "< two ", "<thi", "s> three", " <")
    ]
    assert shown == ["One ", "< two ", "", "<this> three", " "]
    assert thoughts.flush() == "<"
