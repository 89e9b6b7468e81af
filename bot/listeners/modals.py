"""Modals: opened empty at once, filled when their content is known, submitted."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.privately import Content, PrivateAnswers
from bot.logs import fault
from bot.memories.modals import Modals
from bot.slack.client import SLACK_FAULTS, error_code
from bot.views.audiences import AUDIENCE_FORM
from bot.views.erasing import ERASE_FORM
from bot.views.forgetting import FORGET_FORM
from bot.views.forms import FORM, KIND_ACTION
from bot.views.modal_triggers import ACTIONS, OPENED, opens_modal
from bot.views.settings import PAUSE_FORM, SETTINGS_FORM, pause_form_errors
from bot.views.transfer import IMPORT_FORM, IMPORT_PAGE_ACTION, IMPORT_PREVIEW
from bot.views.views import language_of_view, loading_view

log = logging.getLogger(__name__)


def register(app: AsyncApp, *, modals: Modals, answers: PrivateAnswers) -> None:
    """Register every click that opens a modal, and every submission.

    A submission is acknowledged with what is wrong with it, which the schema alone says, or with
    the empty modal; what is stored of it, and shown, comes afterwards.
    """

    async def opened(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        await ack()
        await open_and_fill(client, body, modals, answers)

    for action in sorted(ACTIONS):
        app.action(action)(opened)

    @app.action(KIND_ACTION)
    async def kind(
        ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        view = body["view"]
        chosen = str(action["selected_option"]["value"])
        blank = modals.editing.blank(language_of_view(view), chosen)
        try:
            await client.views_update(view_id=view["id"], view=blank)
        except SLACK_FAULTS as error:
            log.warning("a modal was not updated: %s", error_code(error) or fault(error))

    async def stored(
        ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any], work: Content
    ) -> None:
        await ack(response_action="update", view=loading_view())
        await answers.fill(body, client, body["view"]["id"], work, acked=True)

    @app.view(FORM)
    async def form(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        if errors := modals.editing.read(body["view"]).errors:
            await ack(response_action="errors", errors=errors)
            return
        await stored(ack, client, body, partial(modals.saved, view=body["view"]))

    @app.view(AUDIENCE_FORM)
    async def place(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        if errors := modals.editing.read_place(body["view"]).errors:
            await ack(response_action="errors", errors=dict(errors))
            return
        await stored(ack, client, body, partial(modals.editing.moved, view=body["view"]))

    @app.view(SETTINGS_FORM)
    async def settings(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        work = partial(modals.controls.settings_saved, view=body["view"])
        await stored(ack, client, body, work)

    @app.view(PAUSE_FORM)
    async def pause(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        if errors := pause_form_errors(body["view"]):
            await ack(response_action="errors", errors=errors)
            return
        work = partial(modals.controls.pause_saved, view=body["view"])
        await stored(ack, client, body, work)

    @app.view(IMPORT_FORM)
    async def import_(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        if errors := modals.importing.errors(body["view"]):
            await ack(response_action="errors", errors=errors)
            return
        await stored(ack, client, body, partial(modals.importing.previewed, view=body["view"]))

    @app.view(IMPORT_PREVIEW)
    async def import_agreed(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        await stored(ack, client, body, partial(modals.importing.imported, view=body["view"]))

    @app.action(re.compile(f"^{IMPORT_PAGE_ACTION}_[0-9]+$"))
    async def import_page(
        ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        work = partial(modals.importing.turned_to, view=body["view"], page=str(action["value"]))
        await answers.fill(body, client, body["view"]["id"], work)

    @app.view(ERASE_FORM)
    async def erase(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        if errors := modals.erasing.errors(body["view"]):
            await ack(response_action="errors", errors=errors)
            return
        work = partial(modals.erasing.erased, view=body["view"])
        await stored(ack, client, body, work)

    @app.view(FORGET_FORM)
    async def forget(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        await stored(ack, client, body, partial(modals.editing.forgotten, view=body["view"]))


async def open_and_fill(
    client: AsyncWebClient, body: dict[str, Any], modals: Modals, answers: PrivateAnswers
) -> None:
    """Open a modal for a click or command, before anything is looked up, and then fill it."""
    view_id = await _opened(client, body)
    if view_id is not None:
        await answers.fill(body, client, view_id, partial(modals.content, body))


async def _opened(client: AsyncWebClient, body: dict[str, Any]) -> str | None:
    """Return the id of the empty modal; None where Slack takes none: the person clicks again."""
    if opened_already := body.get(OPENED):
        return str(opened_already)
    trigger = str(body.get("trigger_id") or "")
    call = client.views_push if opens_modal(body) == "views.push" else client.views_open
    try:
        opened = await call(trigger_id=trigger, view=loading_view())
    except SLACK_FAULTS as error:
        log.warning("a modal could not be opened: %s", error_code(error) or fault(error))
        return None
    return str((opened.get("view") or {}).get("id") or "") or None
