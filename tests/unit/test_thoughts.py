"""The thoughts in a model's text are not part of its answer."""

import pytest

from memory.model import without_thoughts


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
