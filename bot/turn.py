"""One turn: recall, reply, hand over for remembering. Start reading here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

from langgraph.func import entrypoint
from langgraph.pregel import Pregel
from slack_sdk.web.async_client import AsyncWebClient

from bot.audience import Audiences
from bot.delivery import Delivery
from bot.inbox import Inbox, Waiting
from bot.locale import say
from bot.people import People
from bot.prompt import Prompt, compose
from bot.reply import Replier, ReplyFailed, Stopped
from bot.surfaces.reply import reply_text
from bot.threads import read_thread
from bot.turns import Context, Intent, Outcome, Turns
from bot.words import plain, typed
from memory import Embedder, Pool, View, recall_memories


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a turn is made with."""

    pool: Pool
    client: AsyncWebClient
    bot_user_id: str
    inbox: Inbox
    turns: Turns
    audiences: Audiences
    people: People
    embedder: Embedder
    replier: Replier
    stand_in: bool


def create_turn(parts: Parts) -> Pregel[Any, Any, Any, Any]:
    """Return the turn as a LangGraph entrypoint: a `bot.inbox.Waiting` in, its `Outcome` out."""

    @entrypoint()
    async def turn(waiting: Waiting) -> Outcome:
        message = waiting.message
        question = plain(message.text, parts.bot_user_id)
        words = typed(message.text, parts.bot_user_id)

        view = await parts.audiences.view(message)
        intent, context = await parts.turns.begin(
            waiting, view, question=question, words=words, bot_user_id=parts.bot_user_id
        )
        async with _delivery(parts, waiting, intent) as delivery:
            if question:
                prompt = await _prompt(parts, waiting, view, context, question)
                outcome, text = await _answer(parts, waiting, prompt, delivery)
            else:
                outcome, text = "answered", await _nothing_asked(delivery, message.has_files)
            await delivery.finish(text)
        await parts.turns.end(
            waiting, intent, view, outcome, reply=None if outcome == "failed" else text
        )
        return outcome

    return turn


def _delivery(parts: Parts, waiting: Waiting, intent: Intent) -> Delivery:
    return Delivery(
        parts.client,
        waiting.message,
        turn_id=intent.id,
        # Asked of Slack while the model thinks: the first words do not wait for it.
        language=parts.people.language(waiting.message.user_id, waiting.message.text),
        stand_in=parts.stand_in,
        posted=partial(parts.turns.posted, waiting, intent),
        interrupted=partial(parts.inbox.is_interrupted, waiting),
        already_posted=intent.reply_ts,
        resumed=waiting.attempts > 0,
    )


async def _nothing_asked(delivery: Delivery, has_files: bool) -> str:
    return say(await delivery.language(), "files_only" if has_files else "nothing_said")


async def _prompt(
    parts: Parts, waiting: Waiting, view: View, context: Context, question: str
) -> Prompt:
    recalled, thread = await asyncio.gather(
        recall_memories(parts.pool, parts.embedder, view, question),
        read_thread(parts.client, waiting.message, context, parts.bot_user_id),
    )
    return compose(
        question=question,
        user_id=waiting.message.user_id,
        memories=recalled.memories,
        recent_words=context.recent_words,
        exchanges=context.exchanges,
        thread=thread,
    )


async def _answer(
    parts: Parts, waiting: Waiting, prompt: Prompt, delivery: Delivery
) -> tuple[Outcome, str]:
    async def show(piece: str) -> None:
        if not await delivery.write(piece):
            raise Stopped

    try:
        try:
            reply = await parts.replier.reply(waiting.message.person, prompt, show)
        except ReplyFailed:
            if not delivery.taken:
                raise
            # It broke off in the middle: ask once more, and put the whole in place of the half.
            delivery.start_over()
            reply = await parts.replier.reply(waiting.message.person, prompt, show)
    except ReplyFailed as failed:
        delivery.start_over()
        return "failed", say(await delivery.language(), failed.cause)
    except Stopped:
        note = say(await delivery.language(), "stopped")
        return "stopped", f"{delivery.taken.rstrip()}\n\n{note}".strip()
    return "answered", reply_text(await delivery.language(), reply)


async def apologise(parts: Parts, waiting: Waiting) -> None:
    """Tell the person in one sentence that their message cannot be answered, and end the turn."""
    message = waiting.message
    view = await parts.audiences.view(message)
    intent, _ = await parts.turns.begin(
        waiting, view, question="", words="", bot_user_id=parts.bot_user_id
    )
    async with _delivery(parts, waiting, intent) as delivery:
        await delivery.finish(say(await delivery.language(), "turn_failed"))
    await parts.turns.end(waiting, intent, view, "failed", reply=None)
