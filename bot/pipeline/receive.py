"""Answers the messages of one thread in order, one after the other.

While the model is unavailable messages wait, and no place is held. The first one of each
person gets an interim reply, which says so and is replaced by the answer.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from slack_sdk.errors import SlackApiError

from bot.access import QuotaExceeded, claim_refusal
from bot.conversation.inbox import (
    MAX_ATTEMPTS,
    MAX_FAILURES,
    ClaimedMessage,
    Edited,
    Superseded,
    Withdrawn,
)
from bot.conversation.running import MAX_CRASHES
from bot.conversation.turns import Outcome
from bot.delivery.posted_messages import DeliveryFailed
from bot.logs import fault, log_fields
from bot.people import Refusal, refusal_in
from bot.pipeline.changes import delete_withdrawn_answers
from bot.pipeline.model import ReplyFailed
from bot.pipeline.turn import OpenReplySink, TurnDependencies, create_turn
from bot.slack.client import PATIENCE_SECONDS, error_code, show_privately
from bot.slack.messages import plain, typed
from bot.ui.blocks import payload
from memory import DM
from memory.metrics import count, step
from memory.postgres import is_unavailable

log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_DAY_SECONDS = 86_400.0
MAX_HELD_ATTEMPTS = 121  # half an hour
# So long one interim reply tells a person of an outage, whatever else they write.
_INTERIM_SECONDS = 300.0
_HELD_SECONDS, _LONGEST_HELD_SECONDS = 5.0, 15.0


class ThreadWorker:
    """Answers the waiting messages of a thread, until none is left or the model is unavailable."""

    def __init__(self, dependencies: TurnDependencies, open_reply_sink: OpenReplySink) -> None:
        self.app = dependencies.app
        self._dependencies = dependencies
        self._open_reply_sink = open_reply_sink
        self._turn = create_turn(dependencies, open_reply_sink)

    @step("drain")
    async def drain(self, thread: str) -> None:
        """Answer the waiting messages of `thread` in the order they were written.

        If a message waits for the model, those behind it wait, too.
        """
        again, app = True, self.app
        try:
            while again and (claimed := await app.inbox.claim(thread)):
                with log_fields(team=claimed.message.team_id):
                    again = await self._answer(claimed)
        except Superseded:
            log.info("a thread was taken over by another process")
            return
        # What was stored meanwhile is found by `RunningThreads`.
        if claimed is None or claimed.more:
            await delete_withdrawn_answers(app.pool, app.slack, app.sessions, thread)

    async def _answer(self, claimed: ClaimedMessage) -> bool:
        """Answer a message, or hold it and its thread until the model is back.

        Returns whether there may be more to answer in the thread now. Raises `Superseded`.
        """
        try:
            return await self._attempt(claimed) and claimed.more
        except Superseded:
            raise
        except Edited:
            log.info("a message was edited while it was answered")
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
            away = is_unavailable(error) and claimed.earlier_attempts < MAX_ATTEMPTS
            count("errors", kind="database_away" if away else "turn")
            if away:
                # It does not count as a failure of the message.
                log.warning("a turn waits for PostgreSQL and is begun again: %s", fault(error))
                await asyncio.sleep(_FIRST_PAUSE_SECONDS)
            elif claimed.failures > MAX_FAILURES:
                log.exception("a message was given up after %d attempts", claimed.attempt_number)
                await self._give_up(claimed)
            else:
                log.warning("a turn failed and is begun again: %s", fault(error))
                pause = min(_FIRST_PAUSE_SECONDS * 2**claimed.failures, _LONGEST_PAUSE_SECONDS)
                with suppress(Edited, Withdrawn):
                    await self.app.inbox.release(claimed, pause, failed=True)
                    return False
        return True

    @step("turn")
    async def _attempt(self, claimed: ClaimedMessage) -> bool:
        """Answer a message; return False if it is postponed until the model is back."""
        inbox, message = self.app.inbox, claimed.message
        if claimed.unserved:
            log.info("a message of a workspace that is not served was passed over")
            await inbox.finish_without_turn(claimed, "skipped")
        elif claimed.crashes > MAX_CRASHES:
            log.error("message %s was given up: even the apology ends the process", claimed.id)
            self._activate(claimed)
            await self._give_up(claimed)
        elif refusal := refusal_in(
            self.app.settings, message.person, message.channel_id, message.audience
        ):
            await self._refuse_access(claimed, refusal)
        elif claimed.failures >= MAX_FAILURES or claimed.crashes >= MAX_CRASHES:
            await self._reply(claimed, "turn_failed")
        elif self._dependencies.replier.unavailable:
            return await self._postpone(claimed)
        else:
            try:
                await self._turn.ainvoke(claimed)
            except QuotaExceeded as exceeded:
                await self._refuse_quota(claimed, exceeded)
            except ReplyFailed:
                return await self._postpone(claimed)
        return True

    async def _postpone(self, claimed: ClaimedMessage) -> bool:
        """Postpone a message; send its author an interim reply if it is the first one that waits.

        Returns True if nothing more is to be done for it: after `MAX_HELD_ATTEMPTS` the author is
        told that it stays unanswered.
        """
        if claimed.earlier_attempts >= MAX_HELD_ATTEMPTS:
            log.error("message %s was given up: no model answered in time", claimed.id)
            await self._reply(claimed, "held_too_long", form_words=True)
            return True
        if not claimed.replied and await self._may_tell(claimed, "model_away", _INTERIM_SECONDS):
            await self._reply(claimed, "held", outcome=None, form_words=True)
        delay = min(_HELD_SECONDS * (1 + claimed.earlier_attempts), _LONGEST_HELD_SECONDS)
        await self.app.inbox.release(claimed, delay)
        return False

    async def _may_tell(self, claimed: ClaimedMessage, what: str, seconds: float) -> bool:
        person = claimed.message.person
        return await claim_refusal(self.app.pool, person, claimed.id, what, seconds)

    async def _give_up(self, claimed: ClaimedMessage) -> None:
        """End a message as failed, unless it was edited or deleted. Raises `Superseded`."""
        with suppress(Edited, Withdrawn):
            await self.app.inbox.finish_without_turn(claimed, "failed")

    def _activate(self, claimed: ClaimedMessage) -> None:
        """End a session status `processing` that a process which died may have left."""
        if claimed.earlier_attempts:
            self.app.sessions.activate(claimed.message.thread)

    async def _refuse_access(self, claimed: ClaimedMessage, refusal: Refusal) -> None:
        """Tell the author why there is no answer: in a channel once a day, and only to them.

        The sentence takes the place of an interim reply, or of another unfinished reply. None of
        the message's text is stored.
        """
        if claimed.begun:
            await self._reply(claimed, refusal, outcome="answered")
            return
        app, message = self.app, claimed.message
        here, in_dm = f"{refusal} {message.channel_id}", message.audience == DM
        if in_dm or (message.addressed and await self._may_tell(claimed, here, _DAY_SECONDS)):
            reader = await app.people.reader(message.person, message.text)
            try:
                await show_privately(
                    app.slack.client(message.team_id, patience=PATIENCE_SECONDS),
                    payload(reader.say(refusal)),
                    channel=message.channel_id,
                    user=message.user_id,
                    thread_ts=message.thread_ts if in_dm or not message.opens_thread else None,
                    in_dm=in_dm,
                )
            except SlackApiError as error:
                if not error_code(error):
                    raise
                log.info("a refusal could not be shown: %s", error_code(error))
        self._activate(claimed)
        await app.inbox.finish_without_turn(claimed, "skipped")

    async def _refuse_quota(self, claimed: ClaimedMessage, used_up: QuotaExceeded) -> None:
        """Tell the author once an hour that their messages are used up; skip further messages.

        Further ones that have an unfinished reply, such as an interim reply, are told, too.
        """
        seconds = max(used_up.seconds, 60.0)
        told = not await self._may_tell(claimed, "quota_messages", seconds)
        if told and not claimed.begun:
            self._activate(claimed)
            await self.app.inbox.finish_without_turn(claimed, "skipped")
            return
        limit, minutes = used_up.limit, used_up.minutes
        await self._reply(claimed, "quota_messages", outcome="answered", limit=limit, count=minutes)

    async def _reply(
        self,
        claimed: ClaimedMessage,
        key: str,
        *,
        outcome: Outcome | None = "failed",
        form_words: bool = False,
        **values: object,
    ) -> None:
        """Reply with the sentence `key` of the catalogue instead of an answer, and end the turn.

        Without an `outcome` the turn does not end: the answer will replace the sentence.
        `form_words`: memories may be formed from the message.
        """
        app, turns = self.app, self._dependencies.turns
        text = claimed.message.text if form_words else ""
        bot_user_id = await app.slack.bot_user_id(claimed.message.team_id)
        turn = await turns.begin(
            claimed,
            await app.audiences.view(claimed.message),
            question=plain(text, bot_user_id),
            words=typed(text, bot_user_id),
        )
        async with self._open_reply_sink(turn) as sink:
            await sink.finish((await sink.reader()).say(key, **values))
        if outcome is not None:
            await turns.end(turn, outcome, reply=None)
