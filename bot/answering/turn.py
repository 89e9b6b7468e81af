"""The turn of one message: it recalls, replies and schedules formation. Start reading here."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeGuard

from bot.acts.kinds import Place
from bot.acts.phrases import Request, heard
from bot.acts.receipt import Click
from bot.answering.attachments import AttachedFile, reading_files
from bot.answering.context import Thread, read_thread
from bot.answering.filters import without_mentions
from bot.answering.prompt import Prompt, stored_question
from bot.answering.reply import Reduction, ask_model
from bot.answering.result import Result, deliver, told_instead, with_unread
from bot.answering.tools import Toolbox
from bot.app import App
from bot.cancellation import Stopped, in_background
from bot.commands.commands import carry_out_message
from bot.conversation.inbox import ClaimedMessage, Outcome
from bot.conversation.turns import (
    Turn,
    blank_message,
    end_turn,
    read_start,
    store_begin,
)
from bot.delivery.reply_sink import ReplySink, open_sink, reply_text
from bot.locale import Localizer
from bot.models.failures import ReplyFailed
from bot.remembering.formation import find_declined_later
from bot.slack.content import Content, read_content
from bot.slack.messages import API_TEAM, Message, mentions, person_reference
from bot.slack.names import UNKNOWN_PERSON, person_mark
from bot.slack.reading import read_said, typed, without_code
from bot.types import FILES_ALONE, Reply
from memory import DM, Memory, Person, recall_memories
from memory.credentials import Credential, redact
from memory.metrics import step_ended
from memory.model import texts, with_texts
from memory.postgres import person_transaction
from memory.recall import Recalled
from memory.store import KeptLine, shown_lines

MOST_TRIES = 3
"""Attempts at a message that the model fails although it answers others."""


async def answer_message(app: App, claimed: ClaimedMessage) -> tuple[Outcome, str]:
    """Answer a message: the whole turn. Return its outcome and the text of the reply.

    Raises `bot.access.QuotaExceeded`, `ReplyFailed` where it is to be answered later, and
    `Interrupted`.
    """
    began = time.perf_counter()
    message = claimed.message
    start = await read_start(app, claimed, limited=True)
    content = await asyncio.to_thread(_read, app, message)
    question, words = await read_said(
        app.names, message.person, message.text, message.channel_id
    )
    request = _request(app, message, words)
    # A large set takes an embedding call, so recall begins before the turn is stored.
    recall = _recall(app, start, question)
    async with in_background(recall, "recall") as recalling:
        question = stored_question(question, content)
        turn = await _begin(app, start, request, question, words)
        reading = reading_files(app, message.team_id, content.files)
        async with open_sink(app, turn) as sink, reading as files:
            if _needs_no_model(request):
                result = await _carry_out(app, turn, request, sink)
            else:
                result = await _ask_model(app, turn, content, files, recalling, sink)
                result = replace(result, is_left_out=request is not None)
            answer = with_unread(await sink.localizer(), result)
            told = told_instead(turn, result, sink, answer)
            text = await deliver(app, turn, result, sink, answer, told)
            if result.outcome == "answered":
                step_ended("reply ready", began - claimed.waited)
            if told is None:
                await sink.show(result.tools.messages)
    credentials: Sequence[Credential] = ()
    if result.prompt.files:
        credentials = await asyncio.to_thread(lambda: result.prompt.credentials)
    reply = None
    if result.outcome != "failed" and not _needs_no_model(request):
        reply = without_mentions(text, result.prompt.mentions)
    await end_turn(
        app,
        turn,
        result.outcome,
        reply=reply,
        kept=[one.id for one in result.prompt.kept],
        cited=[
            *[one.key for one in result.memories],
            *[str(one.id) for one in result.lines],
        ],
        removal_proposed=result.tools.removal_proposed,
        refused=result.refused,
        credentials=credentials,
    )
    if result.declined:
        await find_declined_later(app, message.person, result.declined, asked="reply")
    return result.outcome, sink.text


def _read(app: App, message: Message) -> Content:
    """Return what a message holds; what it brings is without credentials."""
    bot_user_id = app.slack.bot_user_id(message.team_id)
    sent = {"user": message.user_id, "text": message.text, **message.brought}
    content = read_content(sent, bot_user_id)
    return replace(
        content,
        words=redact(content.words).text,
        attached=with_texts(content.attached, lambda text: redact(text).text),
    )


async def _recall(app: App, start: Turn, question: str) -> Recalled:
    """Return the memories for a reply, those of this message alone left out; none while off."""
    if start.memory_state.off is not None:
        return Recalled()
    recalled = await recall_memories(
        app.pool,
        app.embedder,
        start.view,
        question or FILES_ALONE,
        budget=app.settings.memory_tokens,
        is_large=start.has_large_set,
    )
    return replace(
        recalled,
        always=_said_elsewhere(recalled.always, start.message),
        nearest=_said_elsewhere(recalled.nearest, start.message),
    )


def _said_elsewhere(memories: Sequence[Memory], message: Message) -> tuple[Memory, ...]:
    """Return the memories of which this message, which may be edited, is not the only source."""
    this_message = {(message.channel_id, message.ts)}
    return tuple(one for one in memories if set(one.source_messages) != this_message)


def _request(app: App, message: Message, words: str) -> Request | None:
    """Return what a message asks of memory, by the words that its author typed outside code.

    Who calls POST /ask sees no button, and can only have the message left out of memory.
    """
    bot_user_id = app.slack.bot_user_id(message.team_id)
    if not heard(typed(without_code(message.text), bot_user_id)):
        return None
    request = heard(words)
    is_heard = request is not None and request.what == "not_this"
    if message.team_id == API_TEAM and not is_heard:
        return None
    return request


def _needs_no_model(request: Request | None) -> TypeGuard[Request]:
    """Return whether there is a request that is carried out without an answer to the message."""
    return request is not None and request.what != "not_this"


async def _begin(
    app: App, start: Turn, request: Request | None, question: str, words: str
) -> Turn:
    """Store the turn, as `store_begin` does.

    A request about memory says nothing about the person, and may repeat what they want to be
    forgotten: none of its text is stored. A message to be left out of memory is off the record.
    """
    if _needs_no_model(request):
        return await store_begin(app, start, question="", words="")
    if request is None:
        return await store_begin(app, start, question=question, words=words)
    message = start.message
    state = replace(start.memory_state, on_record=False)
    start = replace(start, memory_state=state)
    turn = await store_begin(app, start, question=question, words=words)
    async with person_transaction(app.pool, message.person) as transaction:
        await blank_message(transaction, (message.channel_id, message.ts))
    return turn


async def _carry_out(app: App, turn: Turn, request: Request, sink: ReplySink) -> Result:
    """Do what the message asks of memory; no model is asked."""
    message = turn.message
    localizer = await _localizer(turn, sink)
    tools = Toolbox(app, turn, localizer)
    place = Place(channel=message.channel_id)
    click = Click(person=message.person, localizer=localizer, place=place)
    tools.show(await carry_out_message(app, message, click, request))
    nothing = Prompt(question="", user_id=message.user_id)
    return Result(outcome="answered", text="", prompt=nothing, tools=tools)


async def _ask_model(
    app: App,
    turn: Turn,
    content: Content,
    files: Sequence[AttachedFile],
    recalling: asyncio.Task[Recalled],
    sink: ReplySink,
) -> Result:
    """Read what the prompt needs, and ask the model, if there is a question.

    Raises `ReplyFailed` where the message is to be answered later.
    """
    localizer = await _localizer(turn, sink)
    tools = Toolbox(app, turn, localizer)
    # What was brought can be a question by itself.
    is_shown = content.text or content.brought or any(file.is_shown for file in files)
    if not is_shown:
        nothing = Prompt(
            question="",
            user_id=turn.message.user_id,
            files=files,
            unread=content.unread,
        )
        return Result(outcome="answered", text="", prompt=nothing, tools=tools)
    now = datetime.now(localizer.zone)
    prompt = await _prompt(app, turn, content, recalling, now)
    prompt = replace(prompt, files=files)
    offered = tools if sink.interactive else None
    may_search = app.settings.web_search and app.model.searches
    request = Reduction(prompt, offered, may_search=may_search)
    return await _send(app, turn, request, sink, tools)


async def _localizer(turn: Turn, sink: ReplySink) -> Localizer:
    """Return the person's localizer as Slack last said; for somebody new it is asked first.

    The model does not wait for Slack to say it again.
    """
    settings = turn.memory_state.settings
    if settings.time_zone is not None:
        return settings.localizer(turn.message.text)
    return await sink.localizer()


async def _prompt(
    app: App,
    turn: Turn,
    content: Content,
    recalling: asyncio.Task[Recalled],
    now: datetime,
) -> Prompt:
    message = turn.message
    recalled, thread = await asyncio.gather(recalling, _thread(app, turn))
    kept = shown_lines(turn.kept)
    marks = _marks(turn, kept)
    marked = {
        # Again, because names that are known by now may tell two people of one name apart.
        "question": content.text,
        "forwarded": content.brought,
        "recent_words": [*turn.recent_words],
        "thread": [*thread.lines],
        "names": marks,
    }
    await app.names.look_up(message.person, texts(marked))
    read = app.names.shown(marked, message.channel_id)
    read["thread"] = replace(thread, lines=read["thread"])
    # The event of a deactivation may have been missed, but Slack has just been asked for names.
    kept = [one for one in kept if not app.names.is_gone(one.author)]
    return Prompt(
        **read,
        mentions=_mentions(app, message),
        user_id=message.user_id,
        recalled=recalled,
        exchanges=turn.exchanges,
        unread=content.unread + thread.unread,
        memory_off=turn.memory_state.off is not None,
        in_dm=message.audience == DM,
        kept=kept,
        now=now,
        style=app.settings.style,
    )


def _marks(turn: Turn, kept: Sequence[KeptLine]) -> dict[str, str]:
    """Return the marks for the names of those whose ids a prompt has, by their ids."""
    user_id = turn.message.user_id
    marks = {user_id: person_mark(user_id)}
    for exchange in reversed(turn.exchanges):
        marks[exchange.user_id] = person_mark(exchange.user_id)
    for line in kept:
        marks[line.user_id] = person_mark(line.user_id)
    return marks


def _mentions(app: App, message: Message) -> dict[str, str]:
    """Return Slack's mentions of those whom a message mentions, by their names.

    A name that two of them have mentions neither.
    """
    bot_user_id = app.slack.bot_user_id(message.team_id)
    user_ids = mentions(message.text) - {bot_user_id}
    named = {user_id: app.names.person(user_id) for user_id in user_ids}
    times = Counter([UNKNOWN_PERSON, UNKNOWN_PERSON, *named.values()])
    return {
        name: person_reference(user_id)
        for user_id, name in named.items()
        if times[name] == 1
    }


async def _thread(app: App, turn: Turn) -> Thread:
    """Return the messages of the thread that are not in the history, as `read_thread` does."""
    if not turn.lacks_thread:
        return Thread()
    return await read_thread(
        app.slack,
        turn.message,
        # The history has the former; the latter were forgotten.
        left_out=turn.known_messages.union(turn.forgotten_messages),
        told_until=max((one.ts for one in turn.exchanges if one.reply), default=""),
        history_from=turn.history_from,
    )


async def _send(
    app: App, turn: Turn, request: Reduction, sink: ReplySink, tools: Toolbox
) -> Result:
    """Send the request; after a failure, the text of the result is a sentence about it.

    Raises as `_ask_model` does.
    """
    run = turn.claimed.run
    try:
        await run.confirm()
        answering = _reply(app, turn.message.person, request, sink, tools)
        with app.pending_replies.one():
            reply = await run.unless_interrupted(answering)
    except ReplyFailed as failed:
        is_tried_again = failed.passes
        if failed.cause == "model_this_message":
            is_tried_again = turn.claimed.failures + 1 < MOST_TRIES
        # Another attempt might repeat what the tools have changed.
        if sink.interactive and not tools.acted and is_tried_again:
            raise
        sink.start_over()
        text = (await sink.localizer()).say(failed.sentence)
        return Result(
            outcome="failed",
            text=text,
            prompt=request.prompt,
            tools=tools,
            refused=failed.cause == "model_policy",
        )
    except Stopped:
        return Result(outcome="stopped", text="", prompt=request.prompt, tools=tools)
    localizer = await sink.localizer()
    return Result(
        outcome="answered",
        text=reply_text(localizer, reply),
        prompt=request.prompt,
        tools=tools,
        is_answer=bool(reply.text) and not reply.is_refusal,
        is_refusal=reply.is_refusal,
        links=reply.links.union(request.prompt.mentions.values()),
        cited=reply.cited,
        left_out=[localizer.say(f"without_{one}") for one in request.left_out],
        declined=request.declined,
    )


async def _reply(
    app: App, person: Person, request: Reduction, sink: ReplySink, tools: Toolbox
) -> Reply:
    """Return the answer to the whole request, or to as much of it as the model can answer."""
    while True:
        try:
            return await ask_model(
                app.model,
                person,
                request.prompt,
                sink,
                request.tools,
                may_search=request.may_search,
            )
        except ReplyFailed as failed:
            half_done = bool(sink.text) or tools.acted
            if not request.reduce(failed, half_done=half_done):
                raise
            # What was shown is half an answer, and the next one takes its place.
            sink.start_over()
