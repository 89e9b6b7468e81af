"""One turn: recall, reply, schedule formation. Start reading here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self, TypeAlias

from langgraph.func import entrypoint
from langgraph.pregel import Pregel

from bot.app import App
from bot.conversation.inbox import ClaimedMessage, Stopped
from bot.conversation.turns import Outcome, Turn, Turns
from bot.locale import Reader
from bot.logs import add_log_field
from bot.pipeline.answer import AnswerSink
from bot.pipeline.attachments import Attachments, Brought, unseen_lines
from bot.pipeline.context import thread_before
from bot.pipeline.model import ReplyFailed
from bot.pipeline.prompt import FILES_ALONE, Prompt, kept_question, latest_brought
from bot.pipeline.reply import Replier
from bot.pipeline.tools import Toolbox
from bot.slack.messages import Message, plain, typed
from bot.ui.messages import PayloadMaker
from bot.ui.reply import reply_text, with_notes
from memory import DM, Memory, recall_memories
from memory.metrics import step_ended


class ReplySink(AnswerSink, Protocol):
    """The destination of an answer: `bot.delivery.reply_stream` or `bot.runtime.ask`."""

    interactive: bool
    """Whether the person can be shown lists and buttons there, and be answered later."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...

    @property
    def received_text(self) -> str:
        """The text of the answer so far."""

    async def reader(self) -> Reader:
        """Return who reads the reply."""

    def start_over(self) -> None:
        """Discard the text so far; another attempt at the answer begins."""

    async def finish(
        self, text: str, *, recalled: bool = False, can_be_rated: bool = False
    ) -> None:
        """Deliver the whole answer; `recalled`: the model was shown memories."""

    async def show(self, makers: Sequence[PayloadMaker]) -> None:
        """Send the messages that these functions return to the person only."""


OpenReplySink: TypeAlias = Callable[[Turn], ReplySink]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnDependencies:
    """The collaborators of a turn, bound in `bot.runtime.wiring`."""

    app: App
    turns: Turns
    replier: Replier
    attachments: Attachments


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """The answer to a message: `prompt` is what the model was given, `tools` what it could call.

    `model`: the model whose complete answer `text` is, if it is one.
    """

    outcome: Outcome
    text: str
    prompt: Prompt
    tools: Toolbox
    model: str | None = None

    @property
    def recalled(self) -> list[str]:
        """The keys of the memories that the model has seen."""
        shown = [memory.key for memory in self.prompt.memories]
        return list(dict.fromkeys([*shown, *self.tools.recalled]))


def create_turn(
    dependencies: TurnDependencies, open_reply_sink: OpenReplySink
) -> Pregel[Any, Any, Any, Any]:
    """Return the turn as a LangGraph entrypoint: a `ClaimedMessage` in, its `Outcome` out."""

    @entrypoint()
    async def answer(claimed: ClaimedMessage) -> Outcome:
        began = time.perf_counter()
        turn, question = await _begun(dependencies, claimed)
        add_log_field("turn", str(turn.id))
        earlier = latest_brought(turn.exchanges, turn.message)
        async with (
            open_reply_sink(turn) as sink,
            dependencies.attachments.read(turn.message, earlier=earlier) as brought,
        ):
            answered = await _answer(dependencies, turn, question, brought, sink)
            reader, prompt = await sink.reader(), answered.prompt
            text, newest_only = answered.text, False
            if answered.outcome == "answered":
                text, newest_only = _with_unread(reader, answered), prompt.newest_only
            left_out = bool(turn.removed) and turn.memory_state.on_record
            await sink.finish(
                with_notes(reader, text, left_out=left_out, newest_only=newest_only),
                recalled=bool(answered.recalled and answered.model),
                can_be_rated=answered.model is not None,
            )
            if answered.outcome == "answered":
                step_ended("reply ready", began - claimed.waited)
            await sink.show(answered.tools.shown)
        await dependencies.turns.end(
            turn,
            answered.outcome,
            reply=None if answered.outcome == "failed" else text,
            recalled=answered.recalled,
            removal_proposed=answered.tools.removal_proposed,
            noticed=answered.tools.noticed,
            model=answered.model,
        )
        return answered.outcome

    return answer


async def _begun(dependencies: TurnDependencies, claimed: ClaimedMessage) -> tuple[Turn, str]:
    """Begin the turn; return it with the person's question, without the mention of the bot."""
    app, message = dependencies.app, claimed.message
    bot_user_id = await app.slack.bot_user_id(message.team_id)
    question = plain(message.text, bot_user_id)
    turn = await dependencies.turns.begin(
        claimed,
        await app.audiences.view(message),
        question=kept_question(question, message),
        words=typed(message.text, bot_user_id),
        limited=True,
    )
    return turn, question


def _with_unread(reader: Reader, answered: _Answer) -> str:
    """Return the text of an answer and what says which files and messages were not read."""
    unread = unseen_lines(reader.language, answered.prompt.files)
    if answered.prompt.thread_unread:
        unread.append(reader.say("thread_not_now"))
    return "\n\n".join(filter(None, [answered.text, *unread])) or reader.say("nothing_said")


async def _answer(
    dependencies: TurnDependencies, turn: Turn, question: str, brought: Brought, sink: ReplySink
) -> _Answer:
    """Ask the model, once more where its answer broke off; a failure is a sentence as the text.

    Raises `ReplyFailed` where the message is to be answered later.
    """
    tools, person = Toolbox(dependencies.app, turn), turn.message.person
    if not (question or brought.asks):
        nothing = Prompt(question="", user_id=person.user_id, files=brought.files)
        return _Answer(outcome="answered", text="", prompt=nothing, tools=tools)
    prompt = await _prompt(dependencies.app, turn, question, brought)
    offered = tools if sink.interactive else None
    try:
        await sink.check()
        try:
            reply = await dependencies.replier.reply(person, prompt, sink, offered)
        except ReplyFailed as failed:
            if prompt.shows_files and failed.may_be_files:
                # Not every model reads images and documents, nor each of them.
                prompt = prompt.without_files()
            elif not ((sink.received_text or tools.acted) and failed.passes):
                raise
            # It broke off in the middle: ask once more, and put the whole in place of the half.
            sink.start_over()
            reply = await dependencies.replier.reply(person, prompt, sink, offered)
    except ReplyFailed as failed:
        # A later attempt might change again what the tools have changed.
        if failed.passes and sink.interactive and not tools.acted:
            raise
        sink.start_over()
        text = (await sink.reader()).say(failed.cause)
        return _Answer(outcome="failed", text=text, prompt=prompt, tools=tools)
    except Stopped:
        note = (await sink.reader()).say("stopped")
        text = f"{sink.received_text.rstrip()}\n\n{note}".strip()
        return _Answer(outcome="stopped", text=text, prompt=prompt, tools=tools)
    text, model = reply_text(await sink.reader(), reply), None if reply.refused else reply.model
    return _Answer(outcome="answered", text=text, prompt=prompt, tools=tools, model=model)


async def _prompt(app: App, turn: Turn, question: str, brought: Brought) -> Prompt:
    message, off = turn.message, turn.memory_state.off
    # Where memory is off there are no first memories, so nothing is searched for either.
    recalled, (thread, thread_unread) = await asyncio.gather(
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
        thread=thread,
        thread_unread=thread_unread,
        memory_off=off is not None,
        in_dm=message.audience == DM,
        files=brought.files,
        forwarded=brought.forwarded,
        now=datetime.now(turn.memory_state.settings.zone),
        style=app.settings.style,
    )


def _said_elsewhere(memories: Sequence[Memory], message: Message) -> list[Memory]:
    """Return the memories that have another source, too: an edit may have removed what they say."""
    this_message = {(message.channel_id, message.ts)}
    return [memory for memory in memories if set(memory.source_messages) != this_message]
