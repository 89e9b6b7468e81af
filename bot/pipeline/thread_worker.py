"""Answers the messages of one thread in order, one after the other.

While the model is unavailable messages wait, and no worker slot is held. The first one of each
person gets an interim reply, which says so and is replaced by the answer.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from langgraph.pregel import Pregel
from slack_sdk.errors import SlackApiError

from bot.access import QuotaExceeded
from bot.app import App
from bot.conversation.claimed_message import (
    ClaimedMessage,
    Edited,
    Superseded,
    Withdrawn,
    claim_refusal,
)
from bot.conversation.inbox import MAX_FAILURES
from bot.conversation.running import MAX_CRASHES
from bot.delivery.posted_messages import DeliveryFailed
from bot.logs import fault, log_fields
from bot.pipeline.changes import delete_withdrawn_answers
from bot.pipeline.fixed_reply import FixedReplies
from bot.pipeline.model import ReplyFailed
from bot.pipeline.reply import Replier
from bot.slack.client import error_code
from bot.slack.ephemeral import show_privately
from bot.slack.messages import Message
from bot.types import Refusal
from bot.ui.blocks import payload
from memory import DM
from memory.metrics import count, step
from memory.postgres import is_unavailable

log = logging.getLogger(__name__)

_End: TypeAlias = Literal["ended", "look_again", "model_away", "failed"]

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_MOST_ATTEMPTS = 500
_DAY_SECONDS = 86_400.0
MAX_HELD_ATTEMPTS = 33  # half an hour, by `_DELAYS`
# So long one interim reply tells a person of an outage, whatever else they write.
_INTERIM_SECONDS = 300.0
_DELAYS = (5.0, 10.0, 20.0, 40.0, 60.0)


@dataclass(frozen=True, slots=True)
class ThreadWorker:
    """Answers the waiting messages of a thread, until none is left or the model is unavailable."""

    app: App
    turn: Pregel[Any, Any, Any, Any]
    fixed_replies: FixedReplies
    outages: ModelOutages

    async def run(self, thread: str) -> None:
        """Do `drain` in this process's place for `thread`; count what it fails in."""
        try:
            await self.drain(thread)
        except Exception as error:
            count("errors", kind="database_away" if is_unavailable(error) else "turn")
            log.exception("a thread is begun again")
            await self.app.inbox.give_up_attempt(thread)

    @step("drain")
    async def drain(self, thread: str) -> None:
        """Answer the waiting messages of `thread` in the order they were written.

        If a message waits for the model, those behind it wait, too.
        """
        try:
            while claimed := await self.app.inbox.claim(thread):
                ended = await self._answer(claimed)
                if ended == "ended" and not claimed.more:
                    # What was stored meanwhile is found by `RunningThreads`.
                    return
                if ended in ("model_away", "failed"):
                    break
        except Superseded:
            log.info("a thread was taken over by another process")
            return
        app = self.app
        await delete_withdrawn_answers(app.pool, app.slack, app.sessions, thread)

    async def _answer(self, claimed: ClaimedMessage) -> _End:
        """Do `_answer_or_hold` with the message's log fields."""
        with log_fields(team=claimed.message.team_id):
            return await self._answer_or_hold(claimed)

    async def _answer_or_hold(self, claimed: ClaimedMessage) -> _End:
        """Answer a message, or hold it and its thread until the model is back.

        It is found again when it is due.
        """
        try:
            return "ended" if await self._attempt(claimed) else "model_away"
        except Superseded:
            raise
        except Edited:
            with suppress(Withdrawn):
                await self.app.inbox.release(claimed)
        except Withdrawn:
            log.info("a message was deleted while it was answered")
        except DeliveryFailed as failed:
            if failed.is_expected:
                log.warning("a conversation takes no answer from the app: %s", failed.code)
            else:
                count("errors", kind="delivery")
                log.exception("a reply could not be delivered: %s", failed.code)
            await self._give_up(claimed)
        except Exception as error:
            count("errors", kind="database_away" if is_unavailable(error) else "turn")
            if is_unavailable(error) and claimed.earlier_attempts < _MOST_ATTEMPTS:
                log.warning("a turn waits for PostgreSQL and is begun again: %s", fault(error))
                await self._restart_when_reachable(claimed)
                return "look_again"
            if claimed.failures > MAX_FAILURES:
                log.exception("a message was given up after %d attempts", claimed.attempt_number)
                await self._give_up(claimed)
                return "look_again"
            log.warning("a turn failed and is begun again: %s", fault(error))
            pause = min(_FIRST_PAUSE_SECONDS * 2**claimed.failures, _LONGEST_PAUSE_SECONDS)
            with suppress(Edited, Withdrawn):
                await self.app.inbox.release(claimed, pause, failed=True)
                return "failed"
        return "look_again"

    async def _restart_when_reachable(self, claimed: ClaimedMessage) -> None:
        # A fault of PostgreSQL does not count as a failed attempt of the message.
        pause = min(_FIRST_PAUSE_SECONDS * (1 + claimed.earlier_attempts), _LONGEST_PAUSE_SECONDS)
        while True:
            await asyncio.sleep(pause)
            try:
                with suppress(Withdrawn):
                    await self.app.inbox.release(claimed)
            except Exception as error:
                if not is_unavailable(error):
                    raise
            else:
                return

    @step("turn")
    async def _attempt(self, claimed: ClaimedMessage) -> bool:
        if claimed.unserved:
            log.info("a message of a workspace that is not served was passed over")
            await self.app.inbox.finish_without_turn(claimed, "skipped")
            return True
        if claimed.crashes > MAX_CRASHES:
            log.error("message %s was given up: even the apology ends the process", claimed.id)
            await self._activate(claimed)
            await self._give_up(claimed)
            return True
        message = claimed.message
        if refusal := self.app.refuses(message.person, message.channel_id, message.audience):
            await self._refuse_access(claimed, refusal)
            return True
        if claimed.failures >= MAX_FAILURES or claimed.crashes >= MAX_CRASHES:
            await self.fixed_replies.send(claimed, "turn_failed")
            return True
        if self.outages.model_unavailable:
            return await self.outages.postpone(claimed)
        try:
            await self.turn.ainvoke(claimed)
        except QuotaExceeded as exceeded:
            await self._refuse_quota(claimed, exceeded)
            return True
        except ReplyFailed:
            return await self.outages.postpone(claimed)
        await self.outages.model_answered(claimed)
        return True

    async def _give_up(self, claimed: ClaimedMessage) -> None:
        """End a message as failed, unless it was edited or deleted. Raises `Superseded`."""
        with suppress(Edited, Withdrawn):
            await self.app.inbox.finish_without_turn(claimed, "failed")

    async def _activate(self, claimed: ClaimedMessage) -> None:
        """End a session status `processing` that a process which died may have left."""
        if claimed.earlier_attempts:
            message = claimed.message
            await self.app.sessions.activate(message.team_id, message.channel_id, message.thread_ts)

    async def _refuse_access(self, claimed: ClaimedMessage, refusal: Refusal) -> None:
        """Tell the author why there is no answer: in a channel once a day, and only to them.

        The sentence takes the place of an interim reply, or of another unfinished reply. None of
        the message's text is stored.
        """
        if claimed.begun:
            await self.fixed_replies.send(claimed, refusal, outcome="answered")
            return
        message = claimed.message
        here = f"{refusal} {message.channel_id}"
        if message.audience == DM or (
            message.addressed and await claim_refusal(self.app.pool, claimed, here, _DAY_SECONDS)
        ):
            await _tell_refusal(self.app, message, refusal)
        await self._activate(claimed)
        await self.app.inbox.finish_without_turn(claimed, "skipped")

    async def _refuse_quota(self, claimed: ClaimedMessage, used_up: QuotaExceeded) -> None:
        """Tell the author once an hour that their messages are used up; skip further messages.

        Further ones that have an unfinished reply, such as an interim reply, are told, too.
        """
        seconds = max(used_up.seconds, 60.0)
        told = not await claim_refusal(self.app.pool, claimed, "quota_messages", seconds)
        if told and not claimed.begun:
            await self._activate(claimed)
            await self.app.inbox.finish_without_turn(claimed, "skipped")
            return
        await self.fixed_replies.send(
            claimed,
            "quota_messages",
            outcome="answered",
            limit=used_up.limit,
            count=used_up.minutes,
        )


async def _tell_refusal(app: App, message: Message, refusal: Refusal) -> None:
    """Tell a message's author why there is no answer, outside of any turn: nothing is kept.

    In the thread of their message where it is a direct one, else in an ephemeral message. Raises
    `SlackApiError` where Slack gives no reason.
    """
    reader = await app.people.reader(message.person, message.text)
    shown, in_dm = payload(reader.say(refusal)), message.audience == DM
    try:
        await show_privately(app.slack, message, shown, in_dm=in_dm)
    except SlackApiError as error:
        if not error_code(error):
            raise
        log.info("a refusal could not be shown: %s", error_code(error))


class ModelOutages:
    """Postpones messages while the model is unavailable, and ends their wait when it answers."""

    def __init__(self, app: App, fixed_replies: FixedReplies, replier: Replier) -> None:
        self._app = app
        self._fixed_replies = fixed_replies
        self._replier = replier
        self._others_wait = False

    @property
    def model_unavailable(self) -> bool:
        """Whether no model is asked just now, because each of them failed."""
        return self._replier.unavailable

    async def postpone(self, claimed: ClaimedMessage) -> bool:
        """Postpone a message; send its author an interim reply if it is the first one that waits.

        Returns True if nothing more is to be done for it: after `MAX_HELD_ATTEMPTS` the author is
        told that it stays unanswered.
        """
        if claimed.earlier_attempts >= MAX_HELD_ATTEMPTS:
            log.error("message %s was given up: no model answered in time", claimed.id)
            await self._fixed_replies.send(claimed, "held_too_long", form_words=True)
            return True
        if not claimed.replied and await claim_refusal(
            self._app.pool, claimed, "model_away", _INTERIM_SECONDS
        ):
            await self._fixed_replies.send(claimed, "held", outcome=None, form_words=True)
        # A message that alone fails again does not mean that others wait.
        if not claimed.earlier_attempts or self._replier.probing:
            self._others_wait = True
        await self._app.inbox.release(
            claimed, _DELAYS[min(claimed.earlier_attempts, len(_DELAYS) - 1)]
        )
        return False

    async def model_answered(self, claimed: ClaimedMessage) -> None:
        """Record that the model answered: messages that wait for it are retried at once."""
        if self._others_wait or claimed.earlier_attempts:
            self._others_wait = False
            await self._app.inbox.release_held()
