"""One turn: recall, reply, schedule formation. Start reading here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langgraph.func import entrypoint
from langgraph.pregel import Pregel

from bot.app import App
from bot.conversation.claimed_message import ClaimedMessage, Stopped
from bot.conversation.turns import Outcome, Turn, Turns
from bot.logs import add_log_field
from bot.pipeline.attachments import AttachedFile, Attachments, Brought, unseen_lines
from bot.pipeline.context import Thread, read_thread
from bot.pipeline.prompt import FILES_ALONE, Prompt, kept_question, latest_brought
from bot.pipeline.reply import Replier
from bot.pipeline.reply_sink import OpenReplySink, ReplySink
from bot.pipeline.responses.failures import ReplyFailed
from bot.pipeline.tools.toolbox import Toolbox, ToolResults
from bot.slack.client import Installations
from bot.slack.messages import Message, plain, typed
from bot.ui.reply import reply_text, with_notes
from memory import DM, Memory, Person, recall_memories
from memory.metrics import step_ended


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnDependencies:
    """The collaborators of a turn, bound in `bot.runtime.wiring`."""

    app: App
    turns: Turns
    replier: Replier
    attachments: Attachments


def create_turn(
    dependencies: TurnDependencies, open_reply_sink: OpenReplySink
) -> Pregel[Any, Any, Any, Any]:
    """Return the turn as a LangGraph entrypoint: a `ClaimedMessage` in, its `Outcome` out."""
    app = dependencies.app

    @entrypoint()
    async def answer(claimed: ClaimedMessage) -> Outcome:
        message, began = claimed.message, time.perf_counter()
        bot_user_id = await app.slack.bot_user_id(message.team_id)
        question = plain(message.text, bot_user_id)
        words = typed(message.text, bot_user_id)

        view = await app.audiences.view(message)
        turn = await dependencies.turns.begin(
            claimed,
            view,
            question=kept_question(question, message),
            words=words,
            bot_user_id=bot_user_id,
            limited=True,
        )
        add_log_field("turn", str(turn.id))
        recalled: Sequence[str] = ()
        tools, done = None, ToolResults()
        model: str | None = None
        earlier = latest_brought(turn.exchanges, message)
        async with (
            open_reply_sink(turn) as sink,
            dependencies.attachments.read(message, earlier=earlier) as brought,
        ):
            if question or brought.asks:
                prompt = await _prompt(app, turn, question, brought)
                recalled = [memory.key for memory in prompt.memories]
                if sink.interactive:
                    tools = Toolbox(app, turn)
                answered = await _answer(dependencies, message.person, prompt, sink, tools)
                outcome, text = answered.outcome, answered.text
                if answered.model:
                    model = answered.model
                if tools is not None:
                    done = tools.results
                    recalled = list(dict.fromkeys([*recalled, *done.recalled]))
                if outcome == "answered":
                    text = await _with_unseen_files(
                        sink, text, answered.files, thread_unread=prompt.thread_unread
                    )
                left_out = bool(turn.removed) and turn.memory_state.on_record
                newest_only = outcome == "answered" and prompt.newest_only
                shown = with_notes(
                    await sink.reader(), text, left_out=left_out, newest_only=newest_only
                )
                await sink.finish(
                    shown,
                    recalled=bool(recalled) and model is not None,
                    can_be_rated=model is not None,
                )
                if outcome == "answered":
                    step_ended("reply ready", began - claimed.waited)
                await sink.show(done.shown)
            else:
                outcome, text = "answered", await _nothing_asked(sink, brought.files)
                await sink.finish(text)
        await dependencies.turns.end(
            turn,
            outcome,
            reply=None if outcome == "failed" else text,
            recalled=recalled,
            removal_proposed=done.removal_proposed,
            noticed=bool(done.changes or done.questions),
            model=model,
        )
        return outcome

    return answer


async def _nothing_asked(sink: ReplySink, files: Sequence[AttachedFile]) -> str:
    text = await _with_unseen_files(sink, "", files)
    return text or (await sink.reader()).say("nothing_said")


async def _with_unseen_files(
    sink: ReplySink, text: str, files: Sequence[AttachedFile], *, thread_unread: bool = False
) -> str:
    reader = await sink.reader()
    lines = unseen_lines(reader.language, files) if files else []
    if thread_unread:
        lines.append(reader.say("thread_not_now"))
    return "\n\n".join([text, *lines] if text else lines)


async def _prompt(app: App, turn: Turn, question: str, brought: Brought) -> Prompt:
    message, off = turn.message, turn.memory_state.off
    # Where memory is off there are no first memories, so nothing is searched for either.
    recalled, thread = await asyncio.gather(
        recall_memories(
            app.pool,
            app.embedder,
            turn.view,
            question or FILES_ALONE,
            first=turn.memories,
        ),
        thread_before(app.slack, turn),
    )
    return Prompt(
        question=question,
        user_id=message.user_id,
        recalled=_said_elsewhere(recalled.memories, message),
        newest_only=recalled.newest_only,
        recent_words=turn.recent_words,
        exchanges=turn.exchanges,
        thread=thread.messages,
        thread_unread=thread.unread,
        memory_off=off is not None,
        in_dm=message.audience == DM,
        files=brought.files,
        forwarded=brought.forwarded,
        now=datetime.now(turn.memory_state.settings.zone),
        style=app.settings.style,
    )


async def thread_before(slack: Installations, turn: Turn) -> Thread:
    """Return the messages of the thread before the turn's that are not in its history.

    That is nothing in a direct message, whose threads are the bot's own, and in a thread that has a
    turn already or just begins. Where memory is off there is no history, and the thread is read.
    """
    message = turn.message
    known = message.audience == DM or any(e.thread == message.thread for e in turn.exchanges)
    if message.opens_thread or (known and not turn.memory_state.off):
        return Thread()
    return await read_thread(slack, message, forgotten=turn.forgotten_messages)


def _said_elsewhere(memories: Sequence[Memory], message: Message) -> list[Memory]:
    """Return the memories that have another source, too: an edit may have removed what they say."""
    this_message = {(message.channel_id, message.ts)}
    return [memory for memory in memories if set(memory.source_messages) != this_message]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """The answer to a question. `model`: the model whose complete answer `text` is, if it is one.

    `files` came with the message; those that the model could not read say so.
    """

    outcome: Outcome
    text: str
    model: str = ""
    files: Sequence[AttachedFile] = ()


async def _answer(
    dependencies: TurnDependencies,
    person: Person,
    prompt: Prompt,
    sink: ReplySink,
    tools: Toolbox | None,
) -> _Answered:

    def acted() -> bool:
        return tools is not None and tools.acted

    try:
        await sink.check()
        try:
            reply = await dependencies.replier.reply(person, prompt, sink, tools)
        except ReplyFailed as failed:
            if prompt.shows_files and failed.may_be_files:
                # Not every model reads images and documents, nor each of them.
                prompt = prompt.without_files()
            elif not ((sink.received_text or acted()) and failed.passes):
                raise
            # It broke off in the middle: ask once more, and put the whole in place of the half.
            sink.start_over()
            reply = await dependencies.replier.reply(person, prompt, sink, tools, again=True)
    except ReplyFailed as failed:
        # A later attempt might change again what the tools have changed.
        if failed.passes and sink.interactive and not acted():
            raise
        sink.start_over()
        return _Answered(outcome="failed", text=(await sink.reader()).say(failed.cause))
    except Stopped:
        note = (await sink.reader()).say("stopped")
        return _Answered(outcome="stopped", text=f"{sink.received_text.rstrip()}\n\n{note}".strip())
    text = reply_text(await sink.reader(), reply)
    model = "" if reply.refused else reply.model
    return _Answered(outcome="answered", text=text, model=model, files=prompt.files)
