"""Which clicks and commands open a modal."""

from __future__ import annotations

from typing import Any

import pytest
from bot.ui.modal_triggers import ACTIONS, MY_MEMORIES, opens_modal


def click(action: str, **more: Any) -> dict[str, Any]:
    """Return a click on a button or menu."""
    return {"type": "block_actions", "actions": [{"action_id": action}], **more}


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_clicks_open_a_modal_or_push_one(action: str) -> None:
    """From a message or App Home a modal is opened, from a modal another is laid on top of it."""
    assert opens_modal(click(action)) == "views.open"
    assert opens_modal(click(action, view={"id": "V1"})) == "views.push"
    assert opens_modal(click(action, view={"id": "V1", "type": "home"})) == "views.open"


@pytest.mark.parametrize(
    ("text", "opens"),
    [
        ("edit 2", True),
        ("編集 2", True),
        ("EDIT", True),
        ("add", True),
        ("追加", True),
        ("add I live in Osaka", False),
        ("settings", True),
        ("pause until next friday", True),
        ("pause until tomorrow", True),
        ("一時停止 明日まで", True),
        ("pause", False),
        ("pause 30m", False),
        ("一時停止 今日", False),
        ("一時停止 2時間", False),
        ("", False),
        ("2", False),
        ("search edit", False),
        ("history", False),
    ],
)
def test_commands_that_open_a_modal(text: str, opens: bool) -> None:
    """A form is opened by its word, in each language; what stores at once opens none.

    A pause until what is none of the forms of a time is asked in a modal.
    """
    method = opens_modal({"command": "/memories", "text": text})
    assert method == ("views.open" if opens else None)
    assert opens_modal({"command": "/forget", "text": text}) is None


def test_a_shortcut_opens_the_list() -> None:
    """My Memories opens a modal."""
    shortcut = {"type": "shortcut", "callback_id": MY_MEMORIES, "trigger_id": "1.2.3"}
    assert opens_modal(shortcut) == "views.open"


@pytest.mark.parametrize(
    "body",
    [
        {"type": "shortcut", "callback_id": "another"},
        {"type": "message_action", "callback_id": "remember_this"},
        click("undo_change"),
        click("forget_memory"),
        {"type": "view_submission", "view": {}},
        {"type": "block_actions"},
        {},
    ],
)
def test_everything_else_opens_nothing(body: dict[str, Any]) -> None:
    """Other clicks, submissions and what is nothing of the kind open no modal."""
    assert opens_modal(body) is None
