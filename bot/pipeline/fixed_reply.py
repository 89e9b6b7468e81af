"""Replies with one fixed sentence where the model gives no answer."""

from __future__ import annotations

from bot.conversation.claimed_message import ClaimedMessage
from bot.conversation.turns import Outcome, TurnRow
from bot.locale import say
from bot.pipeline.reply_sink import OpenReplySink
from bot.pipeline.turn import TurnDependencies
from bot.slack.messages import plain, typed
from memory import MemoryView


class FixedReplies:
    """Sends fixed sentences as replies, and ends their turns."""

    def __init__(self, dependencies: TurnDependencies, open_reply_sink: OpenReplySink) -> None:
        self._dependencies = dependencies
        self._open_reply_sink = open_reply_sink

    async def replace_answer(
        self,
        claimed: ClaimedMessage,
        key: str,
        *,
        outcome: Outcome = "failed",
        form_words: bool = False,
        **values: object,
    ) -> None:
        """Reply with the sentence `key` of the catalogue instead of an answer, and end the turn.

        `form_words`: memories may be formed from the message.
        """
        view, turn_row = await self._begin(claimed, form_words=form_words)
        await self._show(claimed, view, turn_row, key, values)
        await self._dependencies.turns.end(claimed, turn_row, view, outcome, reply=None)

    async def announce_wait(self, claimed: ClaimedMessage, key: str) -> None:
        """Reply that the answer takes longer; the answer will replace this message."""
        view, turn_row = await self._begin(claimed, form_words=True)
        await self._show(claimed, view, turn_row, key, {})

    async def _begin(
        self, claimed: ClaimedMessage, *, form_words: bool
    ) -> tuple[MemoryView, TurnRow]:
        dependencies, text = self._dependencies, claimed.message.text if form_words else ""
        view = await dependencies.audiences.view(claimed.message)
        bot_user_id = await dependencies.slack.bot_user_id(claimed.message.team_id)
        turn_row, _ = await dependencies.turns.begin(
            claimed,
            view,
            question=plain(text, bot_user_id),
            words=typed(text, bot_user_id),
            bot_user_id=bot_user_id,
        )
        return view, turn_row

    async def _show(
        self,
        claimed: ClaimedMessage,
        view: MemoryView,
        turn_row: TurnRow,
        key: str,
        values: dict[str, object],
    ) -> None:
        async with self._open_reply_sink(claimed, view, turn_row) as sink:
            await sink.finish(say(await sink.language(), key, **values))
