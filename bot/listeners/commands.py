"""Slash commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from bot.listeners.privately import PrivateAnswers
from bot.locale import Language
from bot.own_memories import OwnMemories
from bot.surfaces.blocks import Payload
from bot.words import storable
from memory import Person

COMMANDS = ("/memories", "/forget")


def register(app: AsyncApp, *, own: OwnMemories, answers: PrivateAnswers) -> None:
    """Register every command of manifest.yml."""

    @app.command("/memories")
    async def memories(ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any]) -> None:
        await ack()
        work = partial(_with_words, own.memories_command, command)
        await answers.give(command, respond, work)

    @app.command("/forget")
    async def forget(ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any]) -> None:
        await ack()
        work = partial(_with_words, own.forget_command, command)
        await answers.give(command, respond, work)


async def _with_words(
    work: Callable[[Person, Language, str], Awaitable[Payload]],
    command: dict[str, Any],
    person: Person,
    language: Language,
) -> Payload:
    words = storable(str(command.get("text") or "")).strip()
    return await work(person, language, words)
