"""The attempts at a message: a job takes it, runs its turn, and tries again or gives it up."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

from procrastinate import JobContext
from procrastinate.job_context import AbortReason
from psycopg import OperationalError

from bot.access import QuotaExceeded, refusal_in
from bot.answering.fixed_replies import (
    end_unanswered,
    postpone,
    refuse_access,
    refuse_quota,
    reply_fixed,
    tell_place_refused,
)
from bot.answering.turn import answer_message
from bot.app import App
from bot.cancellation import Interrupted, cancel_until_done
from bot.conversation.audiences import kind_of_message
from bot.conversation.inbox import (
    MAX_FAILURES,
    MAX_FAILURES_WITH_APOLOGY,
    ClaimedMessage,
    release_message,
    take_message,
)
from bot.delivery.reply_in_slack import DeliveryFailed
from bot.logs import fault, log_fields
from bot.models.failures import ReplyFailed
from bot.queue.retries import RunLater
from bot.slack.client import SLACK_FAULTS, is_passing, slack_fault
from memory.metrics import count, step
from memory.postgres import is_unavailable

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


@step("drain")
async def answer_thread(app: App, context: JobContext, thread: str) -> None:
    """Answer the waiting messages of `thread` in the order they were written; run as a job.

    It goes on until no message of the thread waits. The thread's next job can only begin after this
    one has ended, without a notification; it then finds nothing to do. A job that ran before
    answers one message, because its number of runs counts for that one. Raises `RunLater` to be run
    again, `asyncio.CancelledError` if the process ends, and `psycopg.OperationalError`.
    """
    token = uuid4()
    attempts = context.job.attempts
    while claimed := await take_message(app, thread, token, attempts=attempts):
        crashes = claimed.failures
        if claimed.process_died and 1 < crashes < MAX_FAILURES_WITH_APOLOGY:
            # One of the messages in progress may be what ends the processes; the others get a
            # chance to be answered without it.
            pause = random.uniform(0.0, _SPREAD_SECONDS * (crashes - 1))  # noqa: S311
            await _begin_again(app, claimed, pause)
        with log_fields(team=claimed.message.team_id, turn=str(claimed.id)):
            goes_on = await _attempt_until_interrupted(app, claimed, context)
        if attempts or not goes_on:
            return


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
            try:
                # None if the job was aborted for another message.
                interruption = await claimed.run.read_interruption()
            except OperationalError as error:
                log.warning("why an answer is to end is not known: %s", fault(error))
        if interruption is None:
            await cancel_until_done(attempt)
            try:
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await release_message(app, claimed)
            except (Interrupted, OperationalError, TimeoutError) as error:
                log.info("a message was not handed back: %s", fault(error))
            raise
        claimed.run.interrupt(interruption)
        await attempt
        return False


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
            await tell_place_refused(app, claimed)
        else:
            count("errors", kind="delivery")
            log.exception("a reply could not be delivered: %s", failed.code)
        await end_unanswered(app, claimed, "failed")
    except RunLater:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the person gets an answer
        await _handle_error(app, claimed, error)
    return True


async def _handle_error(app: App, claimed: ClaimedMessage, error: Exception) -> None:
    """Schedule another attempt after a failure."""
    if is_unavailable(error):
        count("errors", kind="database_away")
        log.warning("a turn waits for PostgreSQL and is begun again: %s", fault(error))
        # If PostgreSQL does not take this either, the job is lost, and runs again.
        await _begin_again(app, claimed, _FIRST_PAUSE_SECONDS)
        return
    is_slack_away = isinstance(error, SLACK_FAULTS) and is_passing(error)
    if is_slack_away and claimed.attempts < _MAX_RUNS_WITHOUT_SLACK:
        count("errors", kind="slack_away")
        log.warning("a turn waits for Slack and is begun again: %s", slack_fault(error))
        # An outage of Slack is no failure of the message.
        pause = _FIRST_PAUSE_WITHOUT_SLACK_SECONDS * (1 + claimed.attempts)
        await _begin_again(
            app, claimed, min(pause, _LONGEST_PAUSE_WITHOUT_SLACK_SECONDS)
        )
        return
    count("errors", kind="turn")
    log.warning("a turn failed and is begun again: %s", fault(error))
    pause = _FIRST_PAUSE_SECONDS * 2**claimed.failures
    await _begin_again(app, claimed, min(pause, _LONGEST_PAUSE_SECONDS), failed=True)


async def _begin_again(
    app: App, claimed: ClaimedMessage, seconds: float, *, failed: bool = False
) -> None:
    """Raise `RunLater` for another attempt, unless the message is no longer this run's."""
    with suppress(Interrupted):
        await release_message(app, claimed, failed=failed)
        raise RunLater(seconds)


@step("turn")
async def _attempt(app: App, claimed: ClaimedMessage) -> None:
    """Answer a message. Raises `RunLater` if it is postponed until the model is back."""
    message = claimed.message
    refusal = refusal_in(
        app.settings, message.person, message.channel_id, message.audience
    )
    if claimed.failures >= MAX_FAILURES_WITH_APOLOGY:
        log.error("message %s was given up: even the apology fails", claimed.id)
        await end_unanswered(app, claimed, "failed")
        return
    if refusal is not None:
        await refuse_access(app, claimed, refusal)
        return
    claimed = replace(claimed, kind=await kind_of_message(app, message))
    if claimed.kind.shared:
        await refuse_access(app, claimed, "shared_channel")
    elif claimed.failures >= MAX_FAILURES:
        await reply_fixed(app, claimed, "turn_failed")
    elif claimed.stopped:
        await reply_fixed(app, claimed, "stopped", outcome="stopped", form_words=True)
    elif not await app.model.breaker.is_answering():
        await postpone(app, claimed)
    else:
        try:
            await answer_message(app, claimed)
        except QuotaExceeded as exceeded:
            await refuse_quota(app, claimed, exceeded)
        except ReplyFailed as failed:
            is_its_own = failed.cause == "model_this_message"
            await postpone(app, claimed, failed=is_its_own)
