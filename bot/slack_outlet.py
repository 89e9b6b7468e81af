"""The Slack end of a turn: the reply's delivery, and what only its author is shown."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.delivery import Delivery
from bot.inbox import Inbox, Waiting
from bot.logs import fault
from bot.people import People
from bot.privately import Work, show_privately
from bot.slack import SLACK_FAULTS, error_code
from bot.turns import Intent, Turns
from memory import View

log = logging.getLogger(__name__)


class SlackOutlet(Delivery):
    """A `Delivery` that can also show lists and buttons to the author alone."""

    interactive = True
    patient = True

    def __init__(
        self,
        client: AsyncWebClient,
        waiting: Waiting,
        view: View,
        intent: Intent,
        *,
        inbox: Inbox,
        turns: Turns,
        people: People,
        stand_in: bool,
    ) -> None:
        super().__init__(
            client,
            waiting.message,
            turn_id=intent.id,
            # Asked of Slack while the model thinks: the first words do not wait for it.
            language=people.language(
                waiting.message.person, waiting.message.text, settings=intent.standing.settings
            ),
            stand_in=stand_in,
            standing=intent.standing,
            posted=partial(turns.posted, waiting, intent),
            check=partial(inbox.check, waiting),
            already_posted=intent.reply_ts,
            resumed=waiting.failures > 0,
        )
        self._view = view

    async def show(self, works: Sequence[Work]) -> None:
        """Show what these bring. A list asked for in a channel comes to the asker only."""
        for work in works:
            payload = await work(self._message.person, await self.language())
            try:
                await show_privately(self._client, self._message, self._view, payload)
            except SLACK_FAULTS as error:
                log.warning("a proposal was not shown: %s", error_code(error) or fault(error))
