"""Slash commands."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.modals import open_and_fill
from bot.listeners.privately import PrivateAnswers
from bot.locale import Language
from bot.memories.commands import Answer, SlashCommands
from bot.memories.modals import Modals
from bot.slack.text import storable
from bot.views.blocks import Payload
from bot.views.modal_triggers import opens_modal
from memory import Person

COMMANDS = ("/memories", "/forget")


def register(
    app: AsyncApp, *, commands: SlashCommands, modals: Modals, answers: PrivateAnswers
) -> None:
    """Register every command of manifest.yml."""

    @app.command("/memories")
    async def memories(
        ack: AsyncAck, respond: AsyncRespond, client: AsyncWebClient, command: dict[str, Any]
    ) -> None:
        await ack()
        if opens_modal(command):
            await open_and_fill(client, command, modals, answers)
        else:
            await answers.give(command, respond, partial(_typed, commands.memories, command))

    @app.command("/forget")
    async def forget(ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any]) -> None:
        await ack()
        await answers.give(command, respond, partial(_typed, commands.forget, command))


async def _typed(
    work: Answer, command: dict[str, Any], person: Person, language: Language
) -> Payload:
    words = storable(str(command.get("text") or "")).strip()
    return await work(person, language, words, str(command.get("channel_id") or ""))
