"""Who typed a command or clicked, and where: read from what Slack sends of it."""

from __future__ import annotations

import asyncio
import logging
from typing import TypeAlias

from bot.acts.kinds import Place, Position, panel_position, submitted_act
from bot.acts.receipt import blocks_above
from bot.app import App
from bot.delivery.reply_sink import MORE
from bot.slack.messages import (
    CONTROL,
    Installation,
    installation_team,
    is_direct,
    is_outsider,
)
from memory import Person
from memory.model import Json

log = logging.getLogger(__name__)

_OUTSIDER_SECONDS = 1.0

Body: TypeAlias = Json
"""A command, shortcut, click or submission, as Slack sends it."""


def place_of(body: Body) -> Place:
    """Return where a command, shortcut or click was made.

    A click in a form counts as one where the form was opened.
    """
    view = body.get("view")
    if view is None:
        return _place_of_message(body)
    if form := submitted_act(view):
        return form.place
    # What a view of another version is cannot be read: the panel is shown in its place.
    position = panel_position(view) or Position()
    above = blocks_above(view.get("blocks") or [], clicked_block(body))
    view_id = ""
    if view.get("type") == "modal":
        view_id = str(view["id"])
    return Place(view=view_id, position=position, above=above)


def _place_of_message(body: Body) -> Place:
    """Return where a command or shortcut was used, or a button of a message clicked."""
    conversation = body.get("channel") or {}
    channel = body.get("channel_id") or conversation.get("id")
    url = body.get("response_url")
    container = body.get("container") or {}
    # What others see, too, stays as it is, and so does an answer.
    is_shown_once = bool(container.get("is_ephemeral"))
    is_own = is_shown_once or is_direct(str(channel or ""))
    is_replaced = "actions" in body and clicked_block(body) != MORE
    is_clicked = is_replaced and is_own
    return Place(
        url=str(url or ""),
        clicked=is_clicked,
        stays=is_clicked and not is_shown_once,
        channel=str(channel or ""),
    )


def clicked_block(body: Body) -> str:
    """Return the id of the clicked block; "" without one."""
    [action, *_] = body.get("actions") or [{}]
    return str(action.get("block_id") or "")


def person_of(body: Body, installation: Installation) -> Person:
    """Return who typed a command or clicked, from Slack's own ids.

    Raises `memory.InvalidNamespace` where one is missing.
    """
    user = body.get("user") or {}
    user_id = body.get("user_id") or user.get("id")
    return Person(installation.team_id, str(user_id or ""))


async def is_by_outsider(app: App, body: Body) -> bool:
    """Return whether a person of another organisation typed a command or clicked.

    A click names their workspace. Slack is asked where that does not tell: about a person of an
    organisation with several workspaces, and about whoever typed a command.
    """
    installation = app.slack.installation_in(installation_team(body))
    home = (body.get("user") or {}).get("team_id")
    if home and not is_outsider(home, installation, shared=True):
        return False
    if home and not installation.enterprise_id:
        return True
    person = person_of(body, installation)
    try:
        async with asyncio.timeout(_OUTSIDER_SECONDS):
            return await app.members.is_outsider(person)
    except TimeoutError:
        log.info("whether a person is of another organisation was not known in time")
        return False


def typed_words(command: Body) -> str:
    """Return the words after a command, which Slack sends as they were typed.

    There are single spaces between them.
    """
    text = CONTROL.sub("", str(command.get("text") or ""))
    return " ".join(text.split())
