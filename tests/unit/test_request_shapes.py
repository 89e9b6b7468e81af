"""Shapes of a conversation for chat templates that refuse the usual one."""

from __future__ import annotations

from typing import Any

import pytest

from bot.reply_models.request_shapes import (
    SHAPES,
    alternating,
    one_call_at_a_time,
    with_short_call_ids,
)

IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}


def said(role: str, content: Any) -> dict[str, Any]:
    """Return a message."""
    return {"type": "message", "role": role, "content": content}


def call(number: int) -> dict[str, Any]:
    """Return a call of a tool."""
    return {
        "type": "function_call",
        "call_id": f"call_{number}",
        "name": "look",
        "arguments": "{}",
    }


def output(number: int) -> dict[str, Any]:
    """Return the output of a call."""
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": "{}"}


def test_neighbours_of_one_role_become_one_message() -> None:
    """Texts are joined by a blank line, frames stay whole, and images follow them in order."""
    frame = "<files>\n{}\n</files>"
    words = {"type": "input_text", "text": "q"}
    given = [
        said("system", "s"),
        said("user", "a"),
        said("user", frame),
        call(1),
        output(1),
    ]
    assert alternating(given) == [
        said("system", "s"),
        said("user", f"a\n\n{frame}"),
        call(1),
        output(1),
    ]
    shown = alternating([said("user", frame), said("user", [words, IMAGE])])
    assert shown == [
        said("user", [{"type": "input_text", "text": frame}, words, IMAGE])
    ]


def test_a_conversation_that_alternates_is_unchanged() -> None:
    """Nothing is joined over a call, or over a message of the other role."""
    given = [
        said("user", "a"),
        said("assistant", "b"),
        call(1),
        output(1),
        said("assistant", "c"),
    ]
    assert alternating(given) == given


def test_ids_of_calls_stay_pairs() -> None:
    """Each id is nine letters and digits, the same for a call and its output."""
    first, second, its_output, other = with_short_call_ids(
        [call(1), call(2), output(1), output(2)]
    )
    ids = [one["call_id"] for one in (first, second, its_output, other)]
    assert ids == [*ids[:2], *ids[:2]]
    assert all(len(one) == 9 and one.isalnum() for one in ids)
    assert len({*ids}) == 2
    assert with_short_call_ids([first]) == [first]


def test_each_call_is_followed_by_its_output() -> None:
    """Calls keep their order, and so does what stands around them."""
    given = [
        said("user", "q"),
        call(1),
        call(2),
        output(1),
        output(2),
        said("assistant", "a"),
    ]
    assert one_call_at_a_time(given) == [
        said("user", "q"),
        call(1),
        output(1),
        call(2),
        output(2),
        said("assistant", "a"),
    ]


@pytest.mark.parametrize(
    ("told", "name"),
    [
        # Mistral Nemo, Ministral 3 and Mistral Small 3.2; Gemma 2.
        (
            "After the optional system message, conversation roles must alternate"
            " user/assistant/user/assistant/...",
            "alternating roles",
        ),
        (
            "Conversation roles must alternate user/assistant/user/assistant",
            "alternating roles",
        ),
        (
            "Tool call IDs should be alphanumeric strings with length 9!",
            "call ids of nine characters",
        ),
        ("This model only supports single tool-calls at once!", "one call at a time"),
    ],
)
def test_a_refusal_names_the_shape(told: str, name: str) -> None:
    """What templates say, within what the server says around it."""
    text = f"While executing CallExpression at line 48: {{{{ raise_exception('{told}') }}}}"
    assert [shape.name for shape in SHAPES if shape.refusal.search(text)] == [name]
