"""Clicks on the buttons below an answer that rate it, and the form of a bad rating."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.modals import open_and_fill
from bot.listeners.privately import PrivateAnswers
from bot.locale import Language
from bot.memories.feedback import Feedback
from bot.memories.modals import Modals
from bot.views.blocks import Payload
from bot.views.feedback import FEEDBACK_FORM, feedback_errors
from bot.views.modal_triggers import FEEDBACK_ACTION, opens_modal
from bot.views.views import loading_view
from memory import Person


def register(app: AsyncApp, *, feedback: Feedback, modals: Modals, answers: PrivateAnswers) -> None:
    """Register the rating of a reply: a good one is thanked for, a bad one asked about."""

    @app.action(FEEDBACK_ACTION)
    async def rate(
        ack: AsyncAck,
        respond: AsyncRespond,
        client: AsyncWebClient,
        body: dict[str, Any],
        action: dict[str, Any],
    ) -> None:
        await ack()
        if opens_modal(body):
            await open_and_fill(client, body, modals, answers)
            return

        async def thanked(person: Person, language: Language) -> Payload:
            return await feedback.clicked(person, language, str(action["value"]))

        await answers.give(body, respond, thanked)

    @app.view(FEEDBACK_FORM)
    async def explain(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        if errors := feedback_errors(body["view"]):
            await ack(response_action="errors", errors=errors)
            return
        await ack(response_action="update", view=loading_view())
        work = partial(feedback.explained, view=body["view"])
        await answers.fill(body, client, body["view"]["id"], work, acked=True)
