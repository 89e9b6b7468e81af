"""One message: its turn recalls, replies and schedules formation. Start reading here."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import NamedTuple
from uuid import UUID, uuid4

from langgraph.func import entrypoint
from langgraph.runtime import Runtime
from procrastinate import JobContext
from procrastinate.job_context import AbortReason
from psycopg import OperationalError

from bot.access import QuotaExceeded
from bot.app import App
from bot.cancellation import cancel_until_done
from bot.conversation.inbox import (
    MAX_FAILURES,
    MAX_FAILURES_WITH_APOLOGY,
    ClaimedMessage,
    finish_without_turn,
    release_message,
    take_message,
)
from bot.conversation.run import Interrupted, Stopped
from bot.conversation.turns import (
    Outcome,
    Turn,
    TurnStart,
    end_turn,
    read_start,
    store_begin,
)
from bot.delivery.reply_in_slack import DeliveryFailed
from bot.locale import Localizer
from bot.logs import add_log_field, fault, log_fields
from bot.memories.kept_lines import MOST_QUOTED, lines_for_answer, quoted_in
from bot.memories.shaping import in_answer
from bot.people import refusal_in
from bot.pipeline.attachments import Brought, read_brought, unseen_lines
from bot.pipeline.context import Thread, read_thread
from bot.pipeline.fixed_replies import (
    activate,
    give_up,
    postpone,
    refuse_access,
    refuse_quota,
    reply_fixed,
)
from bot.pipeline.links import checked
from bot.pipeline.prompt import (
    FILES_ALONE,
    Prompt,
    kept_question,
    latest_brought,
    person_reference,
)
from bot.pipeline.reduction import Reduction
from bot.pipeline.reply import ask_models, no_model_answers
from bot.pipeline.sink import ReplySink, open_sink
from bot.pipeline.tools import Toolbox
from bot.queue.retries import RunLater
from bot.reply_models.failures import ReplyFailed
from bot.slack.client import SLACK_FAULTS, is_passing, slack_fault
from bot.slack.messages import API_TEAM, THREAD_SETTING, Message, mentions, plain, typed
from bot.slack.names import MessageNames
from bot.types import Reply
from bot.ui.blocks import one_line, reply_text, with_notes
from bot.ui.kept_lines import quotes
from bot.ui.payloads import PayloadMaker
from memory import DM, Memory, Person, recall_memories
from memory.metrics import count, step, step_ended
from memory.model import KEPT_KIND, texts
from memory.postgres import is_unavailable, transaction
from memory.recall import Recalled
from memory.store import KeptMemory

log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_RELEASE_SECONDS = 2.0
_SPREAD_SECONDS = 2.0
# A job that Slack keeps waiting puts itself off this often, which takes about half an hour; after
# that each attempt counts as a failure.
_MAX_RUNS_WITHOUT_SLACK = 30
_FIRST_PAUSE_WITHOUT_SLACK_SECONDS = 5.0
_LONGEST_PAUSE_WITHOUT_SLACK_SECONDS = 60.0
KEPT_ANSWER = "(answered from what is kept here)"
"""Stored instead of an answer that repeats what somebody keeps for a conversation."""
MOST_TRIES = 3
"""Attempts at a message that the model fails although it answers others."""


@step("drain")
async def answer_thread(app: App, context: JobContext, thread: str) -> None:
    """Answer the waiting messages of `thread` in the order they were written; run as a job.

    It goes on until no message of the thread waits. The thread's next job can only begin after this
    one has ended, without a notification; it then finds nothing to do. A job that ran before
    answers one message, because its number of runs counts for that one. Raises `RunLater` to be run
    again, and `asyncio.CancelledError` if the process ends.
    """
    token = uuid4()
    attempts = context.job.attempts
    while claimed := await _take(app, thread, token, attempts):
        await _spread_after_crashes(app, claimed)
        with log_fields(team=claimed.message.team_id):
            if not await _attempt_until_interrupted(app, claimed, context) or attempts:
                return


async def _take(app: App, thread: str, token: UUID, attempts: int) -> ClaimedMessage | None:
    try:
        return await take_message(app, thread, token, attempts=attempts)
    except OperationalError as error:
        log.warning("a thread waits for PostgreSQL: %s", fault(error))
        raise RunLater(_FIRST_PAUSE_SECONDS) from error


async def _spread_after_crashes(app: App, claimed: ClaimedMessage) -> None:
    """Put a message off for a random time if its processes died again and again.

    One of the messages in progress may be what ends the processes; the others get a chance to be
    answered without it.
    """
    crashes = claimed.failures
    if claimed.process_died and 1 < crashes < MAX_FAILURES_WITH_APOLOGY:
        with suppress(Interrupted):
            await release_message(app, claimed)
        raise RunLater(random.uniform(0.0, _SPREAD_SECONDS * (crashes - 1)))  # noqa: S311


async def _attempt_until_interrupted(
    app: App, claimed: ClaimedMessage, context: JobContext
) -> bool:
    """Answer a message; return False if the attempt was interrupted and the job must end.

    A job is aborted by a Stop, an edit or a deletion of the message, each of which has added
    another job, or because the process ends; in that case the message is released.
    """
    attempt = asyncio.create_task(_handle(app, claimed))
    try:
        return await asyncio.shield(attempt)
    except asyncio.CancelledError:
        interruption = None
        if context.abort_reason() is AbortReason.USER_REQUEST:
            interruption = await _read_interruption(app, claimed)
        if interruption is None:
            await _hand_back(app, claimed, attempt)
            raise
        claimed.run.interrupt(interruption)
        await attempt
        return False


async def _read_interruption(app: App, claimed: ClaimedMessage) -> Interrupted | None:
    """Return why the job was aborted; None if for another message, or if that is unknown now."""
    run = claimed.run
    try:
        async with transaction(app.pool, {THREAD_SETTING: run.thread}) as connection:
            return await run.read_interruption(connection)
    except OperationalError as error:
        log.warning("why an answer is to end could not be read: %s", fault(error))
        return None


async def _hand_back(app: App, claimed: ClaimedMessage, attempt: asyncio.Task[bool]) -> None:
    """Cancel an attempt, and let another job begin the message again."""
    await cancel_until_done(attempt)
    try:
        async with asyncio.timeout(_RELEASE_SECONDS):
            await release_message(app, claimed)
    except (Interrupted, OperationalError, TimeoutError) as error:
        log.info("a message was not handed back: %s", fault(error))


async def _handle(app: App, claimed: ClaimedMessage) -> bool:
    """Answer a message; return False if the attempt was interrupted.

    Raises `RunLater` where it is to be tried again.
    """
    try:
        await _attempt(app, claimed)
    except Interrupted as interruption:
        log.info("an answer was interrupted: %s", type(interruption).__name__)
        return False
    except DeliveryFailed as failed:
        if failed.is_expected:
            log.warning("a conversation takes no answer from the app: %s", failed.code)
        else:
            count("errors", kind="delivery")
            log.exception("a reply could not be delivered: %s", failed.code)
        await give_up(app, claimed)
    except RunLater:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the person gets an answer
        await _handle_error(app, claimed, error)
    return True


async def _handle_error(app: App, claimed: ClaimedMessage, error: Exception) -> None:
    """Schedule another attempt after a failure, or give the message up."""
    if is_unavailable(error):
        count("errors", kind="database_away")
        log.warning("a turn waits for PostgreSQL and is begun again: %s", fault(error))
        await _release_when_back(app, claimed)
        raise RunLater(0.0) from error
    if _is_slack_away(error) and claimed.attempts < _MAX_RUNS_WITHOUT_SLACK:
        count("errors", kind="slack_away")
        log.warning("a turn waits for Slack and is begun again: %s", slack_fault(error))
        await _release_until_slack_is_back(app, claimed)
        return
    count("errors", kind="turn")
    if claimed.failures >= MAX_FAILURES_WITH_APOLOGY:
        log.exception("a message was given up after %d failures", claimed.failures)
        await give_up(app, claimed)
        return
    log.warning("a turn failed and is begun again: %s", fault(error))
    with suppress(Interrupted):
        await release_message(app, claimed, failed=True)
        pause = _FIRST_PAUSE_SECONDS * 2**claimed.failures
        raise RunLater(min(pause, _LONGEST_PAUSE_SECONDS))


def _is_slack_away(error: Exception) -> bool:
    return isinstance(error, SLACK_FAULTS) and is_passing(error)


async def _release_until_slack_is_back(app: App, claimed: ClaimedMessage) -> None:
    """Put a message off: an outage of Slack is no failure of the message. Raises `RunLater`."""
    with suppress(Interrupted):
        await release_message(app, claimed)
        pause = _FIRST_PAUSE_WITHOUT_SLACK_SECONDS * (1 + claimed.attempts)
        raise RunLater(min(pause, _LONGEST_PAUSE_WITHOUT_SLACK_SECONDS))


async def _release_when_back(app: App, claimed: ClaimedMessage) -> None:
    """Release a message once PostgreSQL is back: an outage is no failure of the message."""
    while True:
        await asyncio.sleep(_FIRST_PAUSE_SECONDS)
        try:
            with suppress(Interrupted):
                await release_message(app, claimed)
        except OperationalError as error:
            log.warning("a message waits for PostgreSQL: %s", fault(error))
        else:
            return


@step("turn")
async def _attempt(app: App, claimed: ClaimedMessage) -> None:
    """Answer a message. Raises `RunLater` if it is postponed until the model is back."""
    message = claimed.message
    if claimed.unserved:
        log.info("a message of a workspace that is not served was passed over")
        await finish_without_turn(app, claimed, "skipped")
    elif claimed.failures >= MAX_FAILURES_WITH_APOLOGY:
        log.error("message %s was given up: even the apology fails", claimed.id)
        activate(app, claimed)
        await give_up(app, claimed)
    elif refusal := refusal_in(app.settings, message.person, message.channel_id, message.audience):
        await refuse_access(app, claimed, refusal)
    elif claimed.failures >= MAX_FAILURES:
        await reply_fixed(app, claimed, "turn_failed")
    elif claimed.stopped:
        await reply_fixed(app, claimed, "stopped", outcome="stopped", form_words=True)
    elif await no_model_answers(app.models):
        await postpone(app, claimed)
    else:
        await _answer(app, claimed)


async def _answer(app: App, claimed: ClaimedMessage) -> None:
    """Let the model answer a message."""
    try:
        await answer_message(app, claimed)
    except QuotaExceeded as exceeded:
        await refuse_quota(app, claimed, exceeded)
    except ReplyFailed:
        await postpone(app, claimed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """The reply to a message, the model's `prompt`, and the `tools` it could call.

    `model`: the model that wrote `text`, if `text` is a model's answer. `left_out`: sentences that
    say what was left out of the request.
    """

    outcome: Outcome
    text: str
    prompt: Prompt
    tools: Toolbox
    model: str | None = None
    left_out: Sequence[str] = ()

    @property
    def is_shaped(self) -> bool:
        """Whether the answer contains words of memories, and no tool acted or showed something."""
        if self.model is None or self.tools.acted or self.tools.shown:
            return False
        seen = [*self.prompt.recalled.memories, *self.tools.looked_up]
        return bool(in_answer(seen, self.prompt.question, self.text))


class Answered(NamedTuple):
    """The outcome of a message, and the text of its reply."""

    outcome: Outcome
    text: str


async def answer_message(app: App, claimed: ClaimedMessage) -> Answered:
    """Answer a message.

    Raises `bot.access.QuotaExceeded`, `ReplyFailed` where it is to be answered later, and
    `Interrupted`.
    """
    # The type of an entrypoint has no context.
    answered: Answered = await _turn.ainvoke(claimed, context=app)  # type: ignore[call-overload]
    return answered


@entrypoint(context_schema=App)
async def _turn(claimed: ClaimedMessage, runtime: Runtime[App]) -> Answered:
    """Answer a message: the whole turn, as a LangGraph entrypoint without a checkpointer."""
    app = runtime.context
    began = time.perf_counter()
    add_log_field("turn", str(claimed.id))
    message = claimed.message
    bot_user_id = await app.slack.bot_user_id(message.team_id)
    question = plain(message.text, bot_user_id)
    start = await read_start(app, claimed, limited=True)
    # A large set takes an embedding call, so recall begins before the turn is stored.
    async with _recalling(app, start, message, question) as recalling:
        turn = await store_begin(
            app,
            claimed,
            start,
            question=kept_question(question, message),
            words=typed(message.text, bot_user_id),
        )
        async with open_sink(app, turn) as sink, _brought(app, turn) as brought:
            result = await _ask_model(app, turn, question, brought, recalling, sink)
            answer = await _answer_text(app, result, sink)
            told = _told_instead(turn, result, answer)
            text = await _deliver(turn, result, sink, answer, told)
            if result.outcome == "answered":
                step_ended("reply ready", began - claimed.waited)
            if told is None:
                await sink.show(result.tools.shown)
    # Kept lines may be taken back, so no answer that repeats one is stored.
    if quoted_in(result.prompt.kept, result.prompt.question, text):
        text = KEPT_ANSWER
    await end_turn(
        app,
        turn,
        result.outcome,
        reply=None if result.outcome == "failed" else text,
        removal_proposed=result.tools.removal_proposed,
        noticed=result.tools.noticed,
    )
    return Answered(result.outcome, sink.text)


async def _answer_text(app: App, result: _Result, sink: ReplySink) -> str:
    """Return the text of the result, with what was not read and the kept lines that it quotes."""
    if result.outcome != "answered":
        return result.text
    localizer = await sink.localizer()
    text = _with_unread(localizer, result)
    prompt = result.prompt
    quoted = quoted_in(prompt.kept, prompt.question, text)
    if quoted:
        text = f"{text}\n\n{await _quotes(app, localizer, prompt, quoted)}"
    return text


def _left_out(turn: Turn) -> bool:
    """Return whether something that the person wrote, such as a password, is not stored."""
    return bool(turn.removed) and turn.memory_state.on_record


def _told_instead(turn: Turn, result: _Result, answer: str) -> PayloadMaker | None:
    """Return the message of a tool call that is the whole answer; None if there is another."""
    if result.outcome == "stopped" or answer or _left_out(turn):
        return None
    return result.tools.answer


async def _deliver(
    turn: Turn, result: _Result, sink: ReplySink, answer: str, told: PayloadMaker | None
) -> str:
    """Deliver the answer, or what takes its place; return the text that was delivered."""
    if result.outcome == "stopped":
        return await sink.stop()
    if told is not None:
        return await sink.tell(told)
    localizer = await sink.localizer()
    text = answer or localizer.say("nothing_said")
    newest_only = result.outcome == "answered" and result.prompt.recalled.newest_only
    await sink.finish(
        with_notes(localizer, text, left_out=_left_out(turn), newest_only=newest_only),
        is_shaped=result.is_shaped,
        can_be_rated=result.model is not None,
        says_off=not result.tools.switched_on,
    )
    return text


@asynccontextmanager
async def _recalling(
    app: App, start: TurnStart, message: Message, question: str
) -> AsyncIterator[asyncio.Task[Recalled]]:
    """Recall while everything else is prepared."""
    task = asyncio.create_task(_recall(app, start, message, question))
    try:
        yield task
    finally:
        await cancel_until_done(task)
        await asyncio.gather(task, return_exceptions=True)


async def _recall(app: App, start: TurnStart, message: Message, question: str) -> Recalled:
    """Return the memories for a reply, those of this message alone left out; none while off."""
    if start.memory_state.off is not None:
        return Recalled()
    recalled = await recall_memories(
        app.pool,
        app.embedder,
        start.view,
        question or FILES_ALONE,
        budget=app.settings.memory_tokens,
    )
    return replace(
        recalled,
        always=_said_elsewhere(recalled.always, message),
        nearest=_said_elsewhere(recalled.nearest, message),
    )


def _brought(app: App, turn: Turn) -> AbstractAsyncContextManager[Brought]:
    """Return what the message brings, or what an earlier one brought that it may ask about."""
    earlier = latest_brought(turn.exchanges, turn.message)
    if earlier is None and not turn.message.brings:
        return nullcontext(Brought())
    return read_brought(app, turn.message, earlier=earlier)


async def _quotes(
    app: App, localizer: Localizer, prompt: Prompt, quoted: Sequence[KeptMemory]
) -> str:
    """Return the kept lines that are in an answer, quoted with their authors, days and links."""
    lines = quoted[:MOST_QUOTED]
    references = prompt.references
    words = {
        one.memory.key: checked(one_line(references.shown(one.text)), prompt.links) for one in lines
    }
    names = {one.memory.key: checked(references.shown(_author(one))) for one in lines}
    sources = {one.memory.key: one.memory.source_messages[0] for one in lines}
    links = await app.slack.permalinks(lines[0].author.team_id, sources)
    return quotes(localizer, lines, words, names, links)


def _author(line: KeptMemory) -> str:
    """Return the reference to who keeps a line."""
    return person_reference(line.author.user_id)


def _with_unread(localizer: Localizer, result: _Result) -> str:
    """Return an answer's text, and sentences about files and messages that were not read.

    Returns "" if there is neither.
    """
    files = result.prompt.files
    unread = unseen_lines(localizer.language, files) if files else []
    if result.prompt.unread:
        unread.append(localizer.say("parts_unread", count=result.prompt.unread))
    if result.prompt.thread_unread:
        unread.append(localizer.say("thread_not_now"))
    unread += result.left_out
    return "\n\n".join(filter(None, [result.text, *unread]))


async def _ask_model(
    app: App,
    turn: Turn,
    question: str,
    brought: Brought,
    recalling: asyncio.Task[Recalled],
    sink: ReplySink,
) -> _Result:
    """Read what the prompt needs, and ask the model, if there is a question.

    Raises `ReplyFailed` where the message is to be answered later.
    """
    message = turn.message
    names = MessageNames(
        app.names,
        message.team_id,
        asker=person_reference(message.user_id),
        channel_id=message.channel_id,
    )
    zone = await _zone(turn, sink)
    tools = Toolbox(app, turn, names, zone)
    if not (question or brought.asks):
        nothing = Prompt(
            question="", user_id=message.user_id, files=brought.files, unread=message.unread
        )
        return _Result(outcome="answered", text="", prompt=nothing, tools=tools)
    now = datetime.now(zone)
    prompt = await _prompt(app, turn, question, brought, recalling, names, now)
    offered = tools if sink.interactive else None
    request = Reduction(prompt, offered, may_search=app.settings.may_search)
    return await _send(app, turn, request, sink, tools)


async def _send(
    app: App, turn: Turn, request: Reduction, sink: ReplySink, tools: Toolbox
) -> _Result:
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
        # Another attempt might repeat what the tools have changed.
        if sink.interactive and not tools.acted and _is_tried_again(failed, turn):
            raise
        sink.start_over()
        text = (await sink.localizer()).say(failed.sentence)
        return _Result(outcome="failed", text=text, prompt=request.prompt, tools=tools)
    except Stopped:
        return _Result(outcome="stopped", text="", prompt=request.prompt, tools=tools)
    localizer = await sink.localizer()
    return _Result(
        outcome="answered",
        text=reply_text(localizer, reply),
        prompt=request.prompt,
        tools=tools,
        model=None if reply.refused else reply.model,
        left_out=[localizer.say(f"without_{one}") for one in request.left_out],
    )


async def _zone(turn: Turn, sink: ReplySink) -> tzinfo:
    """Return the person's time zone; for somebody new Slack is asked first."""
    settings = turn.memory_state.settings
    if settings.time_zone is not None:
        return settings.zone
    return (await sink.localizer()).zone


async def _reply(
    app: App, person: Person, request: Reduction, sink: ReplySink, tools: Toolbox
) -> Reply:
    """Return the answer to the whole request, or to as much of it as the model can answer."""
    while True:
        try:
            return await ask_models(
                app.models,
                person,
                request.prompt,
                sink,
                request.tools,
                may_search=request.may_search,
            )
        except ReplyFailed as failed:
            half_done = bool(sink.text) or tools.acted
            if not request.after(failed, half_done=half_done):
                raise
            # What was shown is half an answer, and the next one takes its place.
            sink.start_over()


def _is_tried_again(failed: ReplyFailed, turn: Turn) -> bool:
    """Return whether the message waits for another attempt."""
    if failed.cause == "model_this_message":
        return turn.claimed.attempts + 1 < MOST_TRIES
    return failed.passes


async def _prompt(
    app: App,
    turn: Turn,
    question: str,
    brought: Brought,
    recalling: asyncio.Task[Recalled],
    names: MessageNames,
    now: datetime,
) -> Prompt:
    message = turn.message
    off = turn.memory_state.off
    recalled, thread, kept, _ = await asyncio.gather(
        recalling,
        _thread(app, turn),
        _kept(app, turn, question),
        names.find(_texts_known(turn, question, brought)),
    )
    read = texts([*thread.lines, *map(_named_in, kept)])
    read += [memory.text for memory in recalled.memories]
    references = await names.find(read)
    # The event of a deactivation may have been missed, but Slack has just been asked for names.
    kept = [one for one in kept if not app.names.is_gone(message.team_id, _author(one))]
    mentioned = mentions(message.text) - {await app.slack.bot_user_id(message.team_id)}
    return Prompt(
        question=question,
        user_id=message.user_id,
        recalled=recalled,
        recent_words=turn.recent_words,
        exchanges=turn.exchanges,
        thread=thread.lines,
        thread_unread=thread.is_cut,
        unread=message.unread + thread.unread,
        references=references,
        mentioned=frozenset(f"<@{user}>" for user in mentioned),
        memory_off=off is not None,
        in_dm=message.audience == DM,
        files=brought.files,
        forwarded=brought.forwarded,
        kept=kept,
        now=now,
        style=app.settings.style,
    )


def _texts_known(turn: Turn, question: str, brought: Brought) -> list[str]:
    """Return the texts of a prompt whose names can be looked up while the rest of it is read.

    If there are too many names, those in the first texts are preferred: the person, the question.
    """
    message = turn.message
    found = [person_reference(message.user_id), question, *texts([*brought.forwarded])]
    for exchange in reversed(turn.exchanges):
        found += [person_reference(exchange.user_id), exchange.question, exchange.reply or ""]
    found += turn.recent_words
    # A caller of POST /ask is no Slack user.
    return found[1:] if message.team_id == API_TEAM else found


async def _thread(app: App, turn: Turn) -> Thread:
    """Return the messages of the thread that are not in the history, as `read_thread` does."""
    if not turn.lacks_thread:
        return Thread()
    return await read_thread(
        app.slack,
        turn.message,
        forgotten=turn.forgotten_messages,
        history_from=turn.history_from,
    )


async def _kept(app: App, turn: Turn, question: str) -> list[KeptMemory]:
    """Return what is kept where the person asks; nothing while memory is off for them."""
    if turn.memory_state.off is not None:
        return []
    message = turn.message
    return await lines_for_answer(
        app,
        message.person,
        turn.view,
        message.channel_id,
        question,
        turn.channels_with_kept,
    )


def _named_in(line: KeptMemory) -> dict[str, str]:
    """Return a kept line with the references whose names are shown beside it."""
    return {"text": line.text, "from": _author(line), "in": f"<#{line.channel}>"}


def _said_elsewhere(memories: Sequence[Memory], message: Message) -> tuple[Memory, ...]:
    """Return the memories that this message, which may have been edited, is not the only source of.

    What the person keeps for a conversation is left out, because it is no memory about them.
    """
    this_message = {(message.channel_id, message.ts)}
    own = [memory for memory in memories if memory.kind != KEPT_KIND]
    return tuple(one for one in own if set(one.source_messages) != this_message)
