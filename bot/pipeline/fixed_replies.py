"""Replies that need no model: refusals, and interim replies while it is unavailable.

While the model is unavailable messages wait, and no place is held. The first one of each
person gets an interim reply, which says so and is replaced by the answer.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError

from bot.access import MODEL_AWAY, QuotaExceeded, claim_refusal
from bot.app import App
from bot.conversation.inbox import ClaimedMessage
from bot.conversation.run import Interrupted
from bot.conversation.turns import Outcome, Turns
from bot.people import Refusal
from bot.pipeline.sink import OpenReplySink
from bot.queue.retries import RunLater
from bot.slack.client import PATIENCE_SECONDS, error_code, show_privately
from bot.slack.messages import plain, typed
from bot.ui.blocks import payload
from memory import DM

log = logging.getLogger(__name__)

_DAY_SECONDS = 86_400.0
MAX_HELD_ATTEMPTS = 121
"""Runs of a job that waits for a model, about half an hour, after which it gives up."""
# So long, or until they get an answer, one interim reply tells a person of an outage, whatever else
# they write. A message waits no longer.
_INTERIM_SECONDS = 1_800.0
_HELD_SECONDS = 5.0
_LONGEST_HELD_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class FixedReplies:
    """Ends or postpones messages that get no answer of a model, now or at all."""

    app: App
    turns: Turns
    open_reply_sink: OpenReplySink

    async def postpone(self, claimed: ClaimedMessage) -> None:
        """Postpone a message; send its author an interim reply if it is the first one that waits.

        Raises `RunLater`, unless the job has waited for half an hour: then the author is told
        that the message stays unanswered.
        """
        if claimed.attempts >= MAX_HELD_ATTEMPTS:
            log.error("message %s was given up: no model answered in time", claimed.id)
            await self.reply(claimed, "held_too_long", form_words=True)
            return
        if not claimed.replied and await self._may_tell(claimed, MODEL_AWAY, _INTERIM_SECONDS):
            await self.reply(claimed, "held", outcome=None, form_words=True)
        await self.app.inbox.release(claimed)
        delay = _HELD_SECONDS * (1 + claimed.attempts)
        raise RunLater(min(delay, _LONGEST_HELD_SECONDS))

    async def _may_tell(self, claimed: ClaimedMessage, what: str, seconds: float) -> bool:
        person = claimed.message.person
        return await claim_refusal(self.app.pool, person, claimed.id, what, seconds)

    async def give_up(self, claimed: ClaimedMessage) -> None:
        """End a message as failed, unless it was edited, deleted or taken over."""
        with suppress(Interrupted):
            await self.app.inbox.finish_without_turn(claimed, "failed")

    def activate(self, claimed: ClaimedMessage) -> None:
        """End a session status `processing` that a process which died may have left."""
        if claimed.attempts or claimed.failures:
            self.app.sessions.activate(claimed.message.thread)

    async def refuse_access(self, claimed: ClaimedMessage, refusal: Refusal) -> None:
        """Tell the author why there is no answer: in a channel once a day, and only to them.

        The sentence takes the place of an interim or unfinished reply, and of the answer to an
        earlier text of an edited message. None of the message's text is stored.
        """
        if claimed.begun:
            await self.reply(claimed, refusal, outcome="answered")
            return
        app = self.app
        message = claimed.message
        here = f"{refusal} {message.channel_id}"
        in_dm = message.audience == DM
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
        self.activate(claimed)
        await app.inbox.finish_without_turn(claimed, "skipped")

    async def refuse_quota(self, claimed: ClaimedMessage, used_up: QuotaExceeded) -> None:
        """Tell the author that their messages are used up, once until they may write again.

        Further messages are skipped; those that have a reply, such as an interim one or that to an
        earlier text, are told, too.
        """
        seconds = max(used_up.seconds, 60.0)
        told = not await self._may_tell(claimed, "limit_reached", seconds)
        if told and not claimed.begun:
            self.activate(claimed)
            await self.app.inbox.finish_without_turn(claimed, "skipped")
            return
        limit = used_up.limit
        minutes = used_up.minutes
        await self.reply(claimed, "limit_reached", outcome="answered", limit=limit, count=minutes)

    async def reply(
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
        app = self.app
        turns = self.turns
        text = claimed.message.text if form_words else ""
        bot_user_id = await app.slack.bot_user_id(claimed.message.team_id)
        turn = await turns.begin(
            claimed,
            question=plain(text, bot_user_id),
            words=typed(text, bot_user_id),
        )
        async with self.open_reply_sink(turn) as sink:
            await sink.finish((await sink.reader()).say(key, **values))
        if outcome is not None:
            await turns.end(turn, outcome, reply=None)
