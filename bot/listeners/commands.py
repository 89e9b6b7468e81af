"""Slash commands and shortcuts."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.modals import open_modal
from bot.listeners.responder import Responder
from bot.locale import Language
from bot.memories.commands import CommandHandler, SlashCommands
from bot.memories.modals import Modals
from bot.views.blocks import Payload
from bot.views.modal_triggers import MY_MEMORIES, opens_modal
from memory import Person

REMEMBER_THIS = "remember_this"


def register(
    app: AsyncApp, *, commands: SlashCommands, modals: Modals, responder: Responder
) -> None:
    """Register every command and shortcut of manifest.yml."""

    @app.command("/memories")
    async def memories(
        ack: AsyncAck, respond: AsyncRespond, client: AsyncWebClient, command: dict[str, Any]
    ) -> None:
        await ack()
        if opens_modal(command):
            await open_modal(client, respond, command, modals, responder)
        else:
            await responder.respond(command, respond, partial(_typed, commands.memories, command))

    @app.command("/forget")
    async def forget(ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any]) -> None:
        await ack()
        await responder.respond(command, respond, partial(_typed, commands.forget, command))

    @app.message_shortcut(REMEMBER_THIS)
    async def remember(
        ack: AsyncAck, respond: AsyncRespond, client: AsyncWebClient, body: dict[str, Any]
    ) -> None:
        await ack()
        channel = str((body.get("channel") or {}).get("id") or "")
        message = body.get("message") or {}
        work = partial(commands.adding.pointed_at, channel=channel, message=message)
        await responder.respond(body, respond, work, client=client)

    @app.global_shortcut(MY_MEMORIES)
    async def my_memories(
        ack: AsyncAck, respond: AsyncRespond, client: AsyncWebClient, body: dict[str, Any]
    ) -> None:
        await ack()
        await open_modal(client, respond, body, modals, responder)


async def _typed(
    work: CommandHandler, command: dict[str, Any], person: Person, language: Language
) -> Payload:
    words = str(command.get("text") or "").strip()
    return await work(person, language, words, str(command.get("channel_id") or ""))
