"""Which clicks, commands and shortcuts open a modal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bot.views.subcommands import command_opens_modal

MENU_ACTION = "memory_menu"
USED_ACTION = "memories_used"
VIEW_ACTION = "view_changes"
SETTINGS_ACTION = "open_settings"
ERASE_ACTION = "erase_everything"
# The menu in App Home; its options to switch incognito are the only ones without a modal.
HOME_MORE_ACTION = "home_more"
INCOGNITO_SWITCHES = ("on", "off")
# A shortcut, by its callback_id.
MY_MEMORIES = "my_memories"
# One action for both buttons below a reply: the value begins with the rating.
FEEDBACK_ACTION = "feedback"
GOOD, BAD = "good", "bad"
ADD_ACTION = "add_memory"
ACTIONS = frozenset(
    {
        MENU_ACTION,
        USED_ACTION,
        VIEW_ACTION,
        SETTINGS_ACTION,
        ERASE_ACTION,
        ADD_ACTION,
    }
)


def in_modal(body: Mapping[str, Any]) -> bool:
    """Say whether a click was made in a modal; App Home is a view, too, and none."""
    return bool(body.get("view")) and not in_home(body)


def in_home(body: Mapping[str, Any]) -> bool:
    """Say whether a click was made in App Home."""
    return (body.get("view") or {}).get("type") == "home"


def opens_modal(body: Mapping[str, Any]) -> Literal["views.open", "views.push"] | None:
    """Return the method by which `body`, a command, click or shortcut, opens a modal, if it does.

    It is called with the body's `trigger_id`; pushed, the modal lies on top of the one that was
    clicked in.
    """
    if body.get("type") == "block_actions":
        if not any(_action_opens_modal(action) for action in body.get("actions") or ()):
            return None
        return "views.push" if in_modal(body) else "views.open"
    if body.get("type") == "shortcut":
        return "views.open" if body.get("callback_id") == MY_MEMORIES else None
    opens = command_opens_modal(str(body.get("command") or ""), str(body.get("text") or ""))
    return "views.open" if opens else None


def _action_opens_modal(action: Mapping[str, Any]) -> bool:
    if action.get("action_id") == FEEDBACK_ACTION:
        return str(action.get("value")).startswith(BAD)
    if action.get("action_id") == HOME_MORE_ACTION:
        return (action.get("selected_option") or {}).get("value") not in INCOGNITO_SWITCHES
    return action.get("action_id") in ACTIONS
