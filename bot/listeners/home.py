"""Clicks in App Home that only change what it shows, and its switches."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from bot.listeners.privately import PrivateAnswers
from bot.memories.controls import MemoryControls
from bot.views.home import HOME_INCOGNITO_ACTION, HOME_LANGUAGE_ACTION, HOME_PAUSE_ACTION
from bot.views.home_list import (
    ALL_KINDS,
    HOME_ALL_ACTION,
    HOME_KIND_ACTION,
    HOME_PAGE_ACTION,
    HOME_SEARCH_ACTION,
    ListPosition,
    position_of,
    searched_words,
)


def register(app: AsyncApp, *, controls: MemoryControls, answers: PrivateAnswers) -> None:
    """Register them; the page is that of the person who clicked."""

    @app.action(HOME_SEARCH_ACTION)
    async def search(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        where = position_of(body["view"])
        await answers.look(
            body, replace(where, page=1, words=searched_words(body["view"], where.words))
        )

    @app.action(HOME_KIND_ACTION)
    async def kind(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        chosen = str(action["selected_option"]["value"])
        words = searched_words(body["view"], position_of(body["view"]).words)
        await answers.look(
            body, ListPosition(kind="" if chosen == ALL_KINDS else chosen, words=words)
        )

    @app.action(re.compile(f"^{HOME_PAGE_ACTION}_[0-9]+$"))
    async def turn(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        where = position_of(body["view"])
        await answers.look(body, replace(where, page=int(action["value"])))

    @app.action(HOME_ALL_ACTION)
    async def show_all(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await answers.look(body, ListPosition())

    @app.action(HOME_PAUSE_ACTION)
    async def pause(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        chosen = str(action["selected_option"]["value"])
        await answers.give(body, respond, partial(controls.paused_in_home, chosen=chosen))

    @app.action(HOME_INCOGNITO_ACTION)
    async def incognito(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        chosen = str(action["value"])
        await answers.give(body, respond, partial(controls.incognito_in_home, chosen=chosen))

    @app.action(HOME_LANGUAGE_ACTION)
    async def language(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        chosen = str(action["selected_option"]["value"])
        await answers.give(body, respond, partial(controls.language_in_home, chosen=chosen))
