"""Modals: read, then opened; a submission is answered with what the modal shows then."""

from __future__ import annotations

import asyncio
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
from bot.views.modal_triggers import in_modal, opens_modal
from bot.views.settings import PAUSE_FORM, SETTINGS_FORM, pause_form_errors
from bot.views.views import SlackView, loading_view, view_with_sentence
from memory import Person

log = logging.getLogger(__name__)

# Slack waits three seconds for the answer to a submission.
_ACK_SECONDS = 2.5
# The errors of a submitted view, by block; nothing is looked up for them.
Check: TypeAlias = Callable[[Mapping[str, Any]], dict[str, str] | None]
# Stores what was submitted, and returns what the modal shows then.
Submission: TypeAlias = Callable[[Person, Language, Mapping[str, Any]], Awaitable[SlackView]]


def register(app: AsyncApp, *, adding: MemoryAdder, modals: Modals, responder: Responder) -> None:
    """Register every submission.

    It is acknowledged with its errors, which are found without a look-up, or with the result.
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
        result = asyncio.ensure_future(responder.view(body, partial(_submitted, work, view)))
        await asyncio.wait({result}, timeout=_ACK_SECONDS)
        if result.done():
            shown = await result
            await (ack(response_action="update", view=shown) if shown else ack())
            return
        # A model took its time: the result is shown when it is there.
        await ack(response_action="update", view=loading_view())
        await responder.update(client, view["id"], await result)


async def open_modal(
    client: AsyncWebClient,
    respond: AsyncRespond,
    body: dict[str, Any],
    modals: Modals,
    responder: Responder,
) -> None:
    """Open a modal for a click or command, with its content.

    Where Slack opens none, the person is told so: in the modal they clicked in, else as an answer.
    """
    view = await responder.view(body, partial(modals.content, body))
    trigger = str(body.get("trigger_id") or "")
    call = client.views_push if opens_modal(body) == "views.push" else client.views_open
    try:
        await call(trigger_id=trigger, view=view or loading_view())
    except SLACK_FAULTS as error:
        log.warning("a modal could not be opened: %s", error_code(error) or fault(error))
        if in_modal(body):
            told = await responder.view(body, partial(_not_opened_on, body["view"]))
            await responder.update(client, body["view"]["id"], told)
        else:
            await responder.respond(body, respond, _not_opened)


async def _not_opened(_: Person, language: Language) -> Payload:
    return ephemeral_payload(say(language, "modal_not_opened"))


async def _not_opened_on(view: Mapping[str, Any], _: Person, language: Language) -> SlackView:
    return view_with_sentence(view, say(language, "modal_not_opened"))


def _no_errors(_: Mapping[str, Any]) -> None:
    """Return no errors: Slack submits only the options that the form offers."""


async def _submitted(
    work: Submission, view: Mapping[str, Any], person: Person, language: Language
) -> SlackView:
    return await work(person, language, view)
