"""Replies with one fixed sentence where the model gives no answer."""

from __future__ import annotations

from dataclasses import dataclass

from bot.conversation.claimed_message import ClaimedMessage
from bot.conversation.turns import Outcome
from bot.pipeline.turn import OpenReplySink, TurnDependencies
from bot.slack.messages import plain, typed


@dataclass(frozen=True, slots=True)
class FixedReplies:
    """Sends fixed sentences as replies, and ends their turns."""

    dependencies: TurnDependencies
    open_reply_sink: OpenReplySink

    async def send(
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
        dependencies, text = self.dependencies, claimed.message.text if form_words else ""
        view = await dependencies.app.audiences.view(claimed.message)
        bot_user_id = await dependencies.app.slack.bot_user_id(claimed.message.team_id)
        turn = await dependencies.turns.begin(
            claimed,
            view,
            question=plain(text, bot_user_id),
            words=typed(text, bot_user_id),
            bot_user_id=bot_user_id,
        )
        async with self.open_reply_sink(turn) as sink:
            await sink.finish((await sink.reader()).say(key, **values))
        if outcome is not None:
            await dependencies.turns.end(turn, outcome, reply=None)
