"""Modals: opened empty at once, filled when their content is known, submitted."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.responder import Responder
from bot.locale import Language, say
from bot.logs import fault
from bot.memories.adding import MemoryAdder
from bot.memories.modals import Modals
from bot.slack.client import SLACK_FAULTS, error_code
from bot.views.adding import ADD_FORM, add_errors
from bot.views.audiences import AUDIENCE_FORM, read_audience_form
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.erasing import ERASE_FORM
from bot.views.feedback import FEEDBACK_FORM
from bot.views.forgetting import FORGET_FORM
from bot.views.forms import MEMORY_FORM
from bot.views.modal_triggers import OPENED, in_modal, opens_modal
from bot.views.settings import PAUSE_FORM, SETTINGS_FORM, pause_form_errors
from bot.views.views import SlackView, form_with_errors, loading_view
from memory import Person

log = logging.getLogger(__name__)

# The errors of a submitted view, by block; nothing is looked up for them.
Check: TypeAlias = Callable[[Mapping[str, Any]], dict[str, str] | None]
# Stores what was submitted, and returns what the modal shows then.
Submission: TypeAlias = Callable[[Person, Language, Mapping[str, Any]], Awaitable[SlackView]]


def register(app: AsyncApp, *, adding: MemoryAdder, modals: Modals, responder: Responder) -> None:
    """Register every submission.

    It is acknowledged with its errors, which are found without a look-up, or with the empty modal.
    What is stored and shown comes afterwards.
    """
    submissions: dict[str, tuple[Check, Submission]] = {
        ADD_FORM: (add_errors, adding.submitted),
        MEMORY_FORM: (lambda view: modals.editing.read(view).errors, modals.editing.saved),
        AUDIENCE_FORM: (lambda view: read_audience_form(view).errors, modals.audiences.submitted),
        FORGET_FORM: (_no_errors, modals.editing.forgotten),
        SETTINGS_FORM: (_no_errors, modals.controls.settings_saved),
        PAUSE_FORM: (pause_form_errors, modals.controls.pause_saved),
        ERASE_FORM: (modals.erasing.errors, modals.erasing.erased),
        FEEDBACK_FORM: (_no_errors, modals.feedback.explained),
    }

    @app.view(re.compile(f"^({'|'.join(submissions)})$"))
    async def submitted(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        view = body["view"]
        check, work = submissions[view["callback_id"]]
        if errors := check(view):
            await ack(response_action="errors", errors=errors)
            return
        await ack(response_action="update", view=loading_view())
        await responder.fill(body, client, view["id"], partial(_submitted, work, view), acked=True)


async def open_and_fill(
    client: AsyncWebClient,
    respond: AsyncRespond,
    body: dict[str, Any],
    modals: Modals,
    responder: Responder,
) -> None:
    """Open a modal for a click or command, before anything is looked up, and then fill it.

    Where Slack opens none, the person is told so: in the modal they clicked in, else as an answer.
    """
    view_id = await _opened(client, body)
    if view_id is not None:
        await responder.fill(body, client, view_id, partial(modals.content, body))
    elif in_modal(body):
        await responder.fill(
            body, client, body["view"]["id"], partial(_not_opened_on, body["view"])
        )
    else:
        await responder.respond(body, respond, _not_opened)


async def _not_opened(_: Person, language: Language) -> Payload:
    return ephemeral_payload(say(language, "modal_not_opened"))


async def _not_opened_on(view: Mapping[str, Any], _: Person, language: Language) -> SlackView:
    """Return a modal as it is, with what was entered, below the sentence that none was opened."""
    first = str(view["blocks"][0]["block_id"])
    return form_with_errors(view, {first: say(language, "modal_not_opened")})


async def _opened(client: AsyncWebClient, body: dict[str, Any]) -> str | None:
    """Return the id of the empty modal; None where Slack takes none."""
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


def _no_errors(_: Mapping[str, Any]) -> None:
    """Return no errors: Slack submits only the options that the form offers."""


async def _submitted(
    work: Submission, view: Mapping[str, Any], person: Person, language: Language
) -> SlackView:
    return await work(person, language, view)
