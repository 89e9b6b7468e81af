"""Clicks on what became of memories: Undo, answers to questions, pages of the history."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.listeners.privately import PrivateAnswers
from bot.locale import Language, say
from bot.memories.audience_proposals import AudienceProposals
from bot.memories.changes import ChangeHistory
from bot.memories.recall_preview import RecallPreviews
from bot.views.audiences import MOVE_ACTION
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.changes import ANSWER_ACTION, UNDO_CHANGE_ACTION
from bot.views.history import HISTORY_ACTION
from bot.views.memories import PREVIEW_ACTION
from bot.views.modal_triggers import in_modal
from bot.views.views import View, sentence_view
from memory import Person

# Does what a button's value names; returns the key of a sentence where it could not be done.
Deed: TypeAlias = Callable[[Person, str], Awaitable[str | None]]


def register(
    app: AsyncApp,
    *,
    changes: ChangeHistory,
    previews: RecallPreviews,
    placing: AudienceProposals,
    answers: PrivateAnswers,
) -> None:
    """Register these buttons, in messages and in modals alike.

    What a click does is done in the namespace of the person who clicked.
    """

    async def done(
        client: AsyncWebClient,
        respond: AsyncRespond,
        body: dict[str, Any],
        deed: Callable[[Person], Awaitable[str | None]],
        where: str,
    ) -> None:
        if in_modal(body):

            async def done_in_modal(person: Person, language: Language) -> View:
                if problem := await deed(person):
                    return sentence_view(language, "memory_title", say(language, problem))
                return await changes.view_anew(person, language, where)

            await answers.fill(body, client, body["view"]["id"], done_in_modal)
            return

        async def in_message(person: Person, language: Language) -> Payload | None:
            if problem := await deed(person):
                return {**ephemeral_payload(say(language, problem)), "replace_original": False}
            return await changes.shown_anew(person, language, where)

        await answers.give(body, respond, in_message, replace=True)

    @app.action(UNDO_CHANGE_ACTION)
    async def undo(
        ack: AsyncAck,
        client: AsyncWebClient,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
    ) -> None:
        await ack()
        change, _, where = str(action["value"]).partition(" ")
        await done(client, respond, body, partial(changes.undo, change=change), where)

    @app.action(re.compile(f"^{ANSWER_ACTION}_(yes|no|both)$"))
    async def answer(
        ack: AsyncAck,
        client: AsyncWebClient,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
    ) -> None:
        await ack()
        question, answer, where = f"{action['value']} ".split(" ", 2)
        where = where.strip()
        deed = partial(changes.answer, question=question, answer=answer, where=where)
        await done(client, respond, body, deed, where)

    @app.action(re.compile(f"^{HISTORY_ACTION}_(first|next)$"))
    async def page(
        ack: AsyncAck,
        client: AsyncWebClient,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
    ) -> None:
        await ack()
        value = str(action["value"])
        if in_modal(body):
            work = partial(changes.history_of, value=value)
            await answers.fill(body, client, body["view"]["id"], work)
        else:
            await answers.give(body, respond, partial(changes.turned_to, value=value), replace=True)

    @app.action(MOVE_ACTION)
    async def move(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        work = partial(placing.moved, value=str(action["value"]))
        await answers.give(body, respond, work, replace=True)

    @app.action(re.compile(f"^{PREVIEW_ACTION}_[0-9]+$"))
    async def preview(
        ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        work = partial(previews.turned_to, value=str(action["value"]))
        await answers.give(body, respond, work, replace=True)
