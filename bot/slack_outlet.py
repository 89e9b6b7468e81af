"""The Slack end of a turn: the reply's delivery, and what only its author is shown."""

from __future__ import annotations

import logging
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.delivery import Delivery
from bot.inbox import Inbox, Waiting
from bot.logs import fault
from bot.own_memories import OwnMemories
from bot.people import People
from bot.privately import show_privately
from bot.slack import SLACK_FAULTS, error_code
from bot.surfaces.blocks import Payload
from bot.turns import Intent, Turns
from memory import Proposal, View

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
        own: OwnMemories,
        stand_in: bool,
    ) -> None:
        super().__init__(
            client,
            waiting.message,
            turn_id=intent.id,
            # Asked of Slack while the model thinks: the first words do not wait for it.
            language=people.language(waiting.message.user_id, waiting.message.text),
            stand_in=stand_in,
            posted=partial(turns.posted, waiting, intent),
            check=partial(inbox.check, waiting),
            already_posted=intent.reply_ts,
            resumed=waiting.failures > 0,
        )
        self._view = view
        self._own = own

    async def propose(self, proposal: Proposal) -> None:
        """Show what the model proposes. A list asked for in a channel comes to the asker only."""
        language, person = await self.language(), self._message.person
        payloads: list[Payload] = []
        if proposal.list_all:
            payloads.append(await self._own.listed(person, language))
        if proposal.forget_everything:
            payloads.append(await self._own.everything_proposed(person, language))
        elif proposal.forget:
            payloads.append(await self._own.proposed(person, language, proposal.forget))
        for payload in payloads:
            try:
                await show_privately(self._client, self._message, self._view, payload)
            except SLACK_FAULTS as error:
                log.warning("a proposal was not shown: %s", error_code(error) or fault(error))
