"""App Home, published when a person opens it and after what they do: clicks, commands and forms."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.home.queries import HomeQueries
from bot.locale import known_language
from bot.logs import fault
from bot.queue.queue import Queue
from bot.slack.client import SLACK_FAULTS, Installations, error_code, retry_on_rate_limit
from bot.users.home import has_opened_home, note_home_opened, publish_later
from bot.users.profiles import Profiles
from bot.users.settings import read_settings
from bot.views.blocks import Block, Payload
from bot.views.home import HomePage, home_view
from bot.views.home_list import ListPosition
from bot.views.views import SlackView, home_with_banner
from memory import Person, Pool, person_transaction

log = logging.getLogger(__name__)

# For a click: a person is waiting, and a job tries again.
_CLICK_SECONDS = 10.0
# The next attempt would be refused for the same reason.
_IN_VAIN = frozenset(
    {
        "user_not_found",
        "account_inactive",
        "not_authed",
        "invalid_auth",
        "token_revoked",
        "token_expired",
        "team_access_not_granted",
        "invalid_arguments",
        "view_too_large",
    }
)


@dataclass(frozen=True, slots=True)
class HomePublisher:
    """Publishes each person's Home, which only they see."""

    pool: Pool
    queue: Queue
    slack: Installations
    people: Profiles
    reading: HomeQueries

    async def opened(self, person: Person) -> None:
        """Note that a person has opened their Home, and let a job publish it."""
        async with person_transaction(self.pool, person) as connection:
            await note_home_opened(connection, person)
            await publish_later(connection, self.queue, person)

    async def publish_again(self, person: Person) -> None:
        """Let a job publish a Home that its person has ever opened."""
        async with person_transaction(self.pool, person) as connection:
            if await has_opened_home(connection, person):
                await publish_later(connection, self.queue, person)

    async def publish(self, team: str, user: str, erased: str = "") -> None:
        """Publish the first page of a Home; run as a job.

        `erased` is the language of an erased person, of whom nothing is stored any more: their Home
        shows nothing. Raises what Slack raised where a later attempt may do better.
        """
        person = Person(team, user)
        if erased:
            empty = HomePage(handling=self.reading.nothing_kept())
            await self._call(person, home_view(known_language(erased) or "en", empty))
        else:
            await self._call(person, await self._view(person, ListPosition()))

    async def show(
        self,
        person: Person,
        position: ListPosition,
        banner: Sequence[Block] = (),
        below: Sequence[str] = (),
    ) -> None:
        """Publish a Home at once, after a click in it; `banner` and `below` as in `with_banner`."""
        view = await self._view(person, position, banner, below)
        try:
            await self._call(person, view, seconds=_CLICK_SECONDS)
        except SLACK_FAULTS as error:
            log.warning("a Home is published later: %s", fault(error))
            await self.publish_again(person)

    async def show_banner(
        self, person: Person, view: Mapping[str, Any], banner: Payload, below: Sequence[str]
    ) -> None:
        """Publish what a Home shows, `view`, with `banner` in it; nothing is looked up."""
        again = home_with_banner(view, banner["blocks"], below)
        await self._call(person, again, seconds=_CLICK_SECONDS)

    async def _view(
        self,
        person: Person,
        position: ListPosition,
        banner: Sequence[Block] = (),
        below: Sequence[str] = (),
    ) -> SlackView:
        # Read here and now: what another process knows of the person may be half a minute old.
        async with person_transaction(self.pool, person) as connection:
            settings = await read_settings(connection, person)
        settings = await self.people.settings(person, settings=settings)
        page = await self.reading.page(person, settings, position)
        return home_view(settings.reply_language(), page, banner, below)

    async def _call(self, person: Person, view: SlackView, *, seconds: float = 60.0) -> None:
        try:
            await retry_on_rate_limit(
                lambda: self.slack.client(person.team_id).views_publish(
                    user_id=person.user_id, view=view
                ),
                seconds=seconds,
            )
        except SlackApiError as error:
            code = error_code(error)
            if code == "not_enabled":
                log.warning("the Home tab is off: switch it on in the app's settings at Slack")
            elif code in _IN_VAIN:
                log.warning("a Home was refused: %s", code)
            else:
                raise
