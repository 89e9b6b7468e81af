"""Shortcuts: one in the menu of a message, one wherever the person is."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.modals import open_and_fill
from bot.listeners.privately import PrivateAnswers
from bot.memories.adding import MemoryAdder
from bot.memories.modals import Modals
from bot.views.modal_triggers import MY_MEMORIES

REMEMBER_THIS = "remember_this"
SHORTCUTS = {REMEMBER_THIS: "message", MY_MEMORIES: "global"}


def register(
    app: AsyncApp, *, adding: MemoryAdder, modals: Modals, answers: PrivateAnswers
) -> None:
    """Register every shortcut of manifest.yml."""

    @app.message_shortcut(REMEMBER_THIS)
    async def remember(ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any]) -> None:
        await ack()
        channel = str((body.get("channel") or {}).get("id") or "")
        message = body.get("message") or {}
        work = partial(adding.pointed_at, channel=channel, message=message)
        await answers.give(body, respond, work)

    @app.global_shortcut(MY_MEMORIES)
    async def my_memories(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        await ack()
        await open_and_fill(client, body, modals, answers)
