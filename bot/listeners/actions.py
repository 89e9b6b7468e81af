"""Clicks on buttons and menus, in messages, modals and App Home.

What a click does is done in the namespace of the person who clicked: a button's value names a
memory, never a person.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.modals import open_modal
from bot.listeners.responder import Responder
from bot.locale import Language
from bot.memories.adding import MemoryAdder
from bot.memories.modals import Modals, action_value
from bot.views.audiences import MOVE_ACTION
from bot.views.blocks import Payload
from bot.views.changes import ANSWER_ACTION, UNDO_CHANGE_ACTION
from bot.views.export import EXPORT_ACTION
from bot.views.forgetting import (
    FORGET_ACTION,
    FORGET_ALL_ACTION,
    FORGET_PERIOD_ACTION,
    UNDO_ACTION,
)
from bot.views.history import HISTORY_ACTION
from bot.views.home import HOME_PAUSE_ACTION
from bot.views.home_list import (
    HOME_ALL_ACTION,
    HOME_KIND_ACTION,
    HOME_PAGE_ACTION,
    HOME_SEARCH_ACTION,
    position_after,
)
from bot.views.memories import PAGE_ACTION
from bot.views.memory_state import (
    AGREE_ACTION,
    END_INCOGNITO_ACTION,
    INCOGNITO_OFF_ACTION,
    REFUSE_ACTION,
    RESUME_ACTION,
)
from bot.views.modal_triggers import (
    ACTIONS,
    FEEDBACK_ACTION,
    HOME_MORE_ACTION,
    in_modal,
    opens_modal,
)
from bot.views.refusals import STORE_ACTION
from bot.views.settings import RETENTION_ACTION
from bot.views.views import SlackView, payload_view
from memory import Person

# Person, language and the value of the button or of the chosen option.
Click: TypeAlias = Callable[[Person, Language, str], Awaitable[Payload | None]]
ModalClick: TypeAlias = Callable[[Person, Language, str], Awaitable[SlackView]]

# Buttons below an answer, which must not be replaced.
_BELOW_REPLY = (INCOGNITO_OFF_ACTION, FEEDBACK_ACTION)
# Buttons of one row have different ids: what follows the action is in the button's value, too.
_SUFFIX = "(?:_(?:[0-9]+|all|first|next|yes|no|both))?"


def register(app: AsyncApp, *, adding: MemoryAdder, modals: Modals, responder: Responder) -> None:
    """Register every button and menu the app shows.

    The result takes the place of the message or modal that was clicked in. In App Home it is shown
    where the click was.
    """
    actions, changes, controls = modals.actions, modals.changes, modals.controls
    clicks: dict[str, Click] = {
        FORGET_ACTION: actions.forgotten,
        FORGET_ALL_ACTION: actions.everything_forgotten,
        FORGET_PERIOD_ACTION: actions.period_forgotten,
        UNDO_ACTION: actions.brought_back,
        PAGE_ACTION: actions.listed,
        STORE_ACTION: adding.stored_anyway,
        MOVE_ACTION: modals.audiences.moved,
        UNDO_CHANGE_ACTION: changes.undone,
        ANSWER_ACTION: changes.answered,
        HISTORY_ACTION: changes.page,
        RESUME_ACTION: controls.resumed,
        AGREE_ACTION: controls.agreed,
        REFUSE_ACTION: controls.refused,
        RETENTION_ACTION: controls.retention_chosen,
        INCOGNITO_OFF_ACTION: controls.incognito.ended,
        END_INCOGNITO_ACTION: controls.incognito.ended,
        HOME_PAUSE_ACTION: controls.pause_chosen,
        HOME_MORE_ACTION: controls.incognito.in_home,
        EXPORT_ACTION: modals.exporting.exported,
        FEEDBACK_ACTION: modals.feedback.clicked,
    }
    clicks_in_modals: dict[str, ModalClick] = {
        PAGE_ACTION: modals.listed,
        UNDO_CHANGE_ACTION: changes.undone_in_modal,
        ANSWER_ACTION: changes.answered_in_modal,
        HISTORY_ACTION: changes.page_in_modal,
    }

    @app.action(re.compile(f"^({'|'.join(clicks)}){_SUFFIX}$"))
    async def clicked(
        ack: AsyncAck,
        client: AsyncWebClient,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
    ) -> None:
        await ack()
        if opens_modal(body):
            await open_modal(client, respond, body, modals, responder)
            return
        name = _name(action, clicks)
        if not in_modal(body):
            work = partial(_payload, clicks[name], action)
            replace = name not in _BELOW_REPLY
            await responder.respond(body, respond, work, replace=replace, client=client)
            return
        filled = partial(_view, clicks[name], clicks_in_modals.get(name), action)
        await responder.update(client, body["view"]["id"], await responder.view(body, filled))

    for name in sorted(ACTIONS):
        app.action(name)(clicked)

    moves = (HOME_SEARCH_ACTION, HOME_KIND_ACTION, HOME_PAGE_ACTION, HOME_ALL_ACTION)

    @app.action(re.compile(f"^({'|'.join(moves)}){_SUFFIX}$"))
    async def home_list(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        await responder.show_home(body, position_after(body["view"], action))


def _name(action: Mapping[str, Any], clicks: Mapping[str, Click]) -> str:
    name = str(action["action_id"])
    return name if name in clicks else name.rpartition("_")[0]


async def _payload(
    click: Click, action: Mapping[str, Any], person: Person, language: Language
) -> Payload | None:
    return await click(person, language, action_value(action))


async def _view(
    click: Click,
    in_modal: ModalClick | None,
    action: Mapping[str, Any],
    person: Person,
    language: Language,
) -> SlackView | None:
    if in_modal is not None:
        return await in_modal(person, language, action_value(action))
    payload = await click(person, language, action_value(action))
    if not payload or payload.get("stays"):
        return None
    return payload_view(language, "memory_title", payload)
