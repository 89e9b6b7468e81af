"""Slash commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.modals import open_and_fill
from bot.listeners.privately import PrivateAnswers
from bot.locale import Language
from bot.modals import Modals
from bot.openings import opens_modal
from bot.own_memories import OwnMemories
from bot.previews import Previews
from bot.surfaces.blocks import Payload
from bot.words import plain, storable
from memory import Person

COMMANDS = ("/memories", "/forget")


def register(
    app: AsyncApp,
    *,
    own: OwnMemories,
    modals: Modals,
    previews: Previews,
    answers: PrivateAnswers,
) -> None:
    """Register every command of manifest.yml."""

    @app.command("/memories")
    async def memories(
        ack: AsyncAck, respond: AsyncRespond, client: AsyncWebClient, command: dict[str, Any]
    ) -> None:
        await ack()
        if opens_modal(command):
            await open_and_fill(client, command, modals, answers)
            return
        work = partial(_memories, own, modals, previews, command)
        await answers.give(command, respond, work)

    @app.command("/forget")
    async def forget(ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any]) -> None:
        await ack()
        work = partial(_with_words, own.forget_command, command)
        await answers.give(command, respond, work)


async def _memories(
    own: OwnMemories,
    modals: Modals,
    previews: Previews,
    command: dict[str, Any],
    person: Person,
    language: Language,
) -> Payload:
    words = storable(str(command.get("text") or "")).strip()
    first, *rest = words.split(maxsplit=1) or [""]
    if first.casefold() in ("history", "履歴"):
        return await modals.changes.history_command(person, language)
    if first.casefold() in ("preview", "プレビュー"):
        channel = str(command.get("channel_id") or "")
        return await previews.command(person, language, "".join(rest), channel)
    return await own.memories_command(person, language, plain(words))


async def _with_words(
    work: Callable[[Person, Language, str], Awaitable[Payload]],
    command: dict[str, Any],
    person: Person,
    language: Language,
) -> Payload:
    words = storable(str(command.get("text") or "")).strip()
    return await work(person, language, words)
