"""Clicks on buttons."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from bot.listeners.privately import answer_privately
from bot.own_memories import OwnMemories
from bot.people import People
from bot.surfaces.memories import FORGET_ACTION, PAGE_ACTION


def register(app: AsyncApp, *, own: OwnMemories, people: People) -> None:
    """Register every button the app shows.

    What a click does is done in the namespace of the person who clicked: a button's value names a
    memory, never a person.
    """

    @app.action(FORGET_ACTION)
    async def forget(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        await answer_privately(
            body,
            respond,
            people,
            lambda person, language: own.forgotten(person, language, action["value"]),
            replace=True,
        )

    @app.action(re.compile(f"^{PAGE_ACTION}_[0-9]+$"))
    async def page(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        await answer_privately(
            body,
            respond,
            people,
            lambda person, language: own.listed(person, language, action["value"]),
            replace=True,
        )
