"""The Slack end of a turn: the reply's delivery, and what only its author is shown."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from bot.conversation.inbox import ClaimedMessage, Inbox
from bot.conversation.turns import Intent
from bot.delivery.calls import Workspace
from bot.delivery.delivery import Delivery
from bot.delivery.outbox import Outbox
from bot.delivery.sessions import Sessions
from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, error_code
from bot.slack.ephemeral import Work, show_privately
from bot.users.profiles import Profiles
from bot.views.reply import late_line
from memory import DM, View

log = logging.getLogger(__name__)


class SlackReplySink(Delivery):
    """A `Delivery` that can also show lists and buttons to the author alone."""

    interactive = True
    patient = True

    def __init__(
        self,
        workspace: Workspace,
        sessions: Sessions,
        claimed: ClaimedMessage,
        view: View,
        intent: Intent,
        *,
        posts: Outbox,
        inbox: Inbox,
        people: Profiles,
        stand_in: bool,
    ) -> None:
        super().__init__(
            workspace,
            sessions,
            claimed.message,
            posts,
            # Asked of Slack while the model thinks: the first words do not wait for it.
            language=people.language(
                claimed.message.person, claimed.message.text, settings=intent.memory_state.settings
            ),
            stand_in=stand_in,
            memory_state=intent.memory_state,
            unchanged=intent.unchanged,
            check=partial(inbox.check, claimed),
        )
        self._view = view
        self._waiting = claimed
        self._standing_settings = intent.memory_state.settings
        self._people = people
        self._preface = ""

    @property
    def taken(self) -> str:
        """The text of the answer so far."""
        return super().taken.removeprefix(self._preface)

    async def write(self, piece: str) -> None:
        """Take a piece of the answer; a late answer begins by saying so."""
        await super().write(piece if self.taken else await self._begun(piece))

    async def finish(self, text: str, *, drew_on: bool = False, rates: bool = False) -> None:
        """Deliver the whole answer. Raises `DeliveryFailed` when Slack takes it in no way."""
        await self._look_at_switches()
        await super().finish(await self._begun(text), drew_on=drew_on, rates=rates)

    async def _look_at_switches(self) -> None:
        """Drop the line about memory being off if the person has switched it on meanwhile."""
        off = self._standing.off if self._standing is not None else None
        if off == "paused":
            settings = await self._people.settings(self._message.person)
            if not settings.paused:
                self._standing = None
        elif off == "incognito" and not await self._people.is_incognito(self._message):
            self._standing = None

    async def _begun(self, text: str) -> str:
        if self._waiting.late and not self._preface:
            message = self._message
            settings = await self._people.settings(message.person, settings=self._standing_settings)
            line = late_line(await self.language(), message.ts, settings.time_zone)
            self._preface = f"{line}\n\n"
        return self._preface + text

    async def show(self, works: Sequence[Work]) -> None:
        """Show what these bring. A list asked for in a channel comes to the asker only."""
        person, in_dm = self._message.person, self._view.own.audience == DM
        for work in works:
            # Read again: the person may just have chosen another one.
            language = await self._people.language(person, self._message.text)
            payload = await work(person, language)
            try:
                await show_privately(
                    self._client, self._message, payload, in_dm=in_dm, replied=True
                )
            except SLACK_FAULTS as error:
                log.warning("a proposal was not shown: %s", error_code(error) or fault(error))
