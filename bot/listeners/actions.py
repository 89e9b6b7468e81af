"""Clicks on buttons."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.privately import PrivateAnswers
from bot.locale import Language
from bot.memories.actions import MemoryActions
from bot.memories.adding import MemoryAdder
from bot.memories.controls import MemoryControls
from bot.memories.exporting import Exporter
from bot.memories.forget_period import PeriodForgetter
from bot.memories.modals import Modals
from bot.slack.ephemeral import Work
from bot.views.blocks import Payload
from bot.views.forgetting import (
    FORGET_ACTION,
    FORGET_ALL_ACTION,
    FORGET_PERIOD_ACTION,
    UNDO_ACTION,
)
from bot.views.memories import PAGE_ACTION
from bot.views.memory_state import (
    AGREE_ACTION,
    INCOGNITO_OFF_ACTION,
    REFUSE_ACTION,
    RESUME_ACTION,
)
from bot.views.modal_triggers import in_modal
from bot.views.refusals import STORE_ACTION
from bot.views.settings import DELETE_WITHHELD_ACTION, RETENTION_ACTION, UNDO_CONTROL_ACTION
from bot.views.transfer import EXPORT_ACTION
from bot.views.views import View, payload_view
from memory import Person


def register(
    app: AsyncApp,
    *,
    own: MemoryActions,
    adding: MemoryAdder,
    controls: MemoryControls,
    periods: PeriodForgetter,
    exporting: Exporter,
    modals: Modals,
    answers: PrivateAnswers,
) -> None:
    """Register every button the app shows.

    What a click does is done in the namespace of the person who clicked: a button's value names a
    memory, never a person.
    """

    async def clicked(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], work: Work
    ) -> None:
        await ack()
        await answers.give(body, respond, work, replace=True)

    @app.action(re.compile(f"^{FORGET_ACTION}(_all)?$"))
    async def forget(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await clicked(ack, respond, body, partial(_with_value, own.forgotten, action))

    @app.action(FORGET_ALL_ACTION)
    async def forget_everything(ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any]) -> None:
        await clicked(ack, respond, body, own.everything_forgotten)

    @app.action(UNDO_ACTION)
    async def undo(
        ack: AsyncAck,
        client: AsyncWebClient,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
    ) -> None:
        work = partial(_with_value, own.brought_back, action)
        if not in_modal(body):
            await clicked(ack, respond, body, work)
            return

        async def work_in_modal(person: Person, language: Language) -> View:
            return payload_view(language, "memory_title", await work(person, language))

        await ack()
        await answers.fill(body, client, body["view"]["id"], work_in_modal)

    @app.action(re.compile(f"^{PAGE_ACTION}_[0-9]+$"))
    async def page(
        ack: AsyncAck,
        client: AsyncWebClient,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
    ) -> None:
        if not body.get("view"):
            await clicked(ack, respond, body, partial(_with_value, own.listed, action))
            return
        await ack()
        work = partial(modals.listed, page=str(action["value"]))
        await answers.fill(body, client, body["view"]["id"], work)

    @app.action(FORGET_PERIOD_ACTION)
    async def forget_period(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await clicked(ack, respond, body, partial(_with_value, periods.forgotten, action))

    @app.action(STORE_ACTION)
    async def store_anyway(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await clicked(ack, respond, body, partial(_with_value, adding.stored_anyway, action))

    @app.action(RETENTION_ACTION)
    async def keep_for(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await clicked(ack, respond, body, partial(_with_value, controls.kept_for, action))

    @app.action(INCOGNITO_OFF_ACTION)
    async def end_incognito(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        # The button is below an answer, which must not be replaced.
        work = partial(_with_value, controls.incognito_ended, action)
        await answers.give(body, respond, work)

    @app.action(UNDO_CONTROL_ACTION)
    async def undo_control(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await clicked(ack, respond, body, partial(_with_value, controls.undoing.undone, action))

    @app.action(DELETE_WITHHELD_ACTION)
    async def delete_withheld(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await clicked(ack, respond, body, partial(_with_value, controls.undoing.deleted, action))

    switches: dict[str, Work] = {
        RESUME_ACTION: controls.resumed,
        AGREE_ACTION: controls.agreed,
        REFUSE_ACTION: controls.refused,
        EXPORT_ACTION: exporting.exported,
    }

    @app.action(re.compile(f"^({'|'.join(switches)})$"))
    async def switch(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await clicked(ack, respond, body, switches[action["action_id"]])


async def _with_value(
    work: Callable[[Person, Language, str], Awaitable[Payload]],
    action: dict[str, Any],
    person: Person,
    language: Language,
) -> Payload:
    return await work(person, language, str(action["value"]))
