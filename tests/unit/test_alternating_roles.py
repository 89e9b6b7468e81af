"""Messages whose roles alternate, for chat templates that refuse the usual ones."""

from __future__ import annotations

from typing import Any

from bot.reply_models.roles import with_alternating_roles

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
    assert with_alternating_roles(given) == [
        said("system", "s"),
        said("user", f"a\n\n{frame}"),
        call(1),
        output(1),
    ]
    shown = with_alternating_roles([said("user", frame), said("user", [words, IMAGE])])
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
    assert with_alternating_roles(given) == given
