"""Telling a person one sentence in the place of their answer."""

from __future__ import annotations

from bot.conversation.inbox import Waiting
from bot.conversation.turns import Intent, Outcome
from bot.locale import say
from bot.pipeline.turn import OpenOutlet, Parts
from bot.slack.text import plain, typed
from memory import View


class Telling:
    """One sentence, in the message where the answer would stand."""

    def __init__(self, parts: Parts, open_outlet: OpenOutlet) -> None:
        self._parts = parts
        self._open_outlet = open_outlet

    async def instead(
        self,
        waiting: Waiting,
        key: str,
        *,
        outcome: Outcome = "failed",
        remember: bool = False,
        **values: object,
    ) -> None:
        """Tell the person in the sentence `key` that there is no answer, and end the turn.

        `remember` says whether what they wrote may still become a memory.
        """
        view, intent = await self._begin(waiting, remember=remember)
        await self._show(waiting, view, intent, key, values)
        await self._parts.turns.end(waiting, intent, view, outcome, reply=None)

    async def meanwhile(self, waiting: Waiting, key: str) -> None:
        """Tell the person that their answer takes longer; it will replace this message."""
        view, intent = await self._begin(waiting, remember=True)
        await self._show(waiting, view, intent, key, {})

    async def _begin(self, waiting: Waiting, *, remember: bool) -> tuple[View, Intent]:
        parts, text = self._parts, waiting.message.text if remember else ""
        view = await parts.audiences.view(waiting.message)
        intent, _ = await parts.turns.begin(
            waiting,
            view,
            question=plain(text, parts.bot_user_id),
            words=typed(text, parts.bot_user_id),
            bot_user_id=parts.bot_user_id,
        )
        return view, intent

    async def _show(
        self, waiting: Waiting, view: View, intent: Intent, key: str, values: dict[str, object]
    ) -> None:
        async with self._open_outlet(waiting, view, intent) as outlet:
            await outlet.finish(say(await outlet.language(), key, **values))
