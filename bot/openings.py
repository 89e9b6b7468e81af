"""Which clicks and commands open a modal, and opening it: at once, before anything is looked up.

A trigger lives three seconds, a database that sleeps wakes up in fifteen. So a modal is opened with
nothing in it, by this table alone, and filled when its content is known.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.logs import fault
from bot.slack import SLACK_FAULTS, error_code
from bot.subcommands import use_opens_modal
from bot.surfaces.menus import MENU_ACTION
from bot.surfaces.notices import VIEW_ACTION
from bot.surfaces.settings import SETTINGS_ACTION
from bot.surfaces.used import USED_ACTION
from bot.surfaces.views import loading_view

log = logging.getLogger(__name__)

ACTIONS = frozenset({MENU_ACTION, USED_ACTION, VIEW_ACTION, SETTINGS_ACTION})


def opens_modal(body: Mapping[str, Any]) -> bool:
    """Say whether what Slack sent, a command or a click, is answered with a modal."""
    if body.get("type") == "block_actions":
        return any(action.get("action_id") in ACTIONS for action in body.get("actions") or ())
    return use_opens_modal(str(body.get("command") or ""), str(body.get("text") or ""))


async def open_loading(client: AsyncWebClient, body: Mapping[str, Any]) -> str | None:
    """Open an empty modal for `body`, on top of the one that was clicked in; return its id.

    None where Slack does not take it, as when the trigger is too old: the person clicks again.
    """
    trigger = str(body.get("trigger_id") or "")
    call = client.views_push if body.get("view") else client.views_open
    try:
        opened = await call(trigger_id=trigger, view=loading_view())
    except SLACK_FAULTS as error:
        log.warning("a modal could not be opened: %s", error_code(error) or fault(error))
        return None
    return str((opened.get("view") or {}).get("id") or "") or None
