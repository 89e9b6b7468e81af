"""App Home, published when a person opens it and after what they do: clicks, commands and forms."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError

from bot.config import Settings
from bot.locale import known_language
from bot.logs import fault
from bot.memories.actions import MemoryActions
from bot.queue.queue import REPLIES, Queue
from bot.slack.client import SLACK_FAULTS, Installations, error_code, retry_on_rate_limit
from bot.slack.permalinks import Permalinks, last_source_message
from bot.types import PersonSettings, Policy
from bot.users.data_flows import data_flows
from bot.users.incognito import read_incognito
from bot.users.settings import read_settings
from bot.views.blocks import Block, Payload
from bot.views.changes import adds_to_list
from bot.views.home import CHANGES_SHOWN, DataHandling, HomePage, home_view
from bot.views.home_list import HOME_PAGE_SIZE, Listing, ListPosition
from bot.views.memories import numbered
from bot.views.views import SlackView, home_with_banner
from memory import (
    Person,
    list_changes,
    memory_page,
    open_questions,
    person_transaction,
)

log = logging.getLogger(__name__)

PUBLISH = "publish_home"
# Changes that are read to find the few that the list of memories does not show.
_CHANGES_READ = 50
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

    actions: MemoryActions
    queue: Queue
    slack: Installations
    links: Permalinks
    settings: Settings
    policy: Policy

    async def opened(self, person: Person) -> None:
        """Note that a person has opened their Home, and let a job publish it."""
        async with person_transaction(self.actions.pool, person) as connection:
            await connection.execute(
                "INSERT INTO person_settings AS s (team_id, user_id, home_opened_at)"
                " VALUES (%(team)s, %(user)s, now()) ON CONFLICT (team_id, user_id)"
                " DO UPDATE SET home_opened_at = now()",
                person.ids,
            )
            await publish_later(connection, self.queue, person)

    async def publish_again(self, person: Person) -> None:
        """Let a job publish a Home that its person has ever opened."""
        async with person_transaction(self.actions.pool, person) as connection:
            if await has_opened_home(connection, person):
                await publish_later(connection, self.queue, person)

    async def publish(self, team: str, user: str, erased: str = "") -> None:
        """Publish the first page of a Home; run as a job.

        `erased` is the language of an erased person, of whom nothing is stored any more: their Home
        shows nothing. Raises what Slack raised where a later attempt may do better.
        """
        person = Person(team, user)
        if erased:
            empty = HomePage(handling=self._nothing_kept())
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
        async with person_transaction(self.actions.pool, person) as connection:
            settings = await read_settings(connection, person)
        settings = await self.actions.people.settings(person, settings=settings)
        page = await self._page(person, settings, position)
        return home_view(settings.reply_language(), page, banner, below)

    async def _page(self, person: Person, chosen: PersonSettings, where: ListPosition) -> HomePage:
        """Return what is shown there; `chosen` are the person's settings."""
        listing = await self._listing(person, where)
        recent = await list_changes(self.actions.pool, person, limit=_CHANGES_READ)
        changes = [entry for entry in recent if adds_to_list(entry)][:CHANGES_SHOWN]
        questions = await open_questions(self.actions.pool, person)
        said = {m.key: m.source_messages[-1] for m in listing.memories if m.source_messages}
        made = {str(e.id): at for e in changes if (at := last_source_message(e.after or e.before))}
        links = await self.links.by_name(person.team_id, {**said, **made})
        async with person_transaction(self.actions.pool, person) as connection:
            incognito = await read_incognito(connection, person)
        return HomePage(
            settings=chosen,
            off=chosen.off_reason(self.settings.consent),
            incognito=incognito,
            refusal=self.policy.refuses_person(person),
            listing=listing,
            changes=changes,
            questions=questions,
            links=links,
            handling=replace(
                self._nothing_kept(),
                days=self.policy.retention_days_for(chosen.retention_days),
                policy=self.policy,
            ),
        )

    def _nothing_kept(self) -> DataHandling:
        """Return where data goes, for a person without any stored data."""
        return DataHandling(
            flows=data_flows(self.settings),
            days=self.settings.retention_days,
            history_days=self.settings.history_days,
            stand_in=self.settings.stand_in,
        )

    async def _listing(self, person: Person, where: ListPosition) -> Listing:
        if where.words:
            return await self._searched(person, where)
        page = await memory_page(
            self.actions.pool, person, size=HOME_PAGE_SIZE, page=where.page, kind=where.kind or None
        )
        if where.kind and where.kind not in page.kinds:
            # The last of its kind is gone.
            return await self._listing(person, ListPosition())
        return Listing(
            position=replace(where, page=page.page),
            memories=page.memories,
            kinds=page.kinds,
            found=page.kinds[where.kind] if where.kind else page.total,
        )

    async def _searched(self, person: Person, where: ListPosition) -> Listing:
        memories, hits, similar = await self.actions.found(person, where.words)
        ordered = [memory for _, memory in numbered(memories)]
        kinds: dict[str, int] = {}
        for memory in ordered:
            kinds[memory.kind] = kinds.get(memory.kind, 0) + 1
        if not similar:
            references = {memory.key for memory in hits}
            hits = [memory for memory in ordered if memory.key in references]
        if where.kind in kinds:
            hits = [memory for memory in hits if memory.kind == where.kind]
        else:
            where = replace(where, kind="")
        page = max(min(where.page, -(-len(hits) // HOME_PAGE_SIZE)), 1)
        return Listing(
            position=replace(where, page=page),
            memories=hits[(page - 1) * HOME_PAGE_SIZE : page * HOME_PAGE_SIZE],
            kinds=kinds,
            found=len(hits),
            similar=similar,
        )

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


async def has_opened_home(connection: AsyncConnection[DictRow], person: Person) -> bool:
    """Return whether the person has ever opened their Home."""
    found = await connection.execute(
        "SELECT FROM person_settings WHERE team_id = %(team)s AND user_id = %(user)s"
        " AND home_opened_at IS NOT NULL",
        person.ids,
    )
    return await found.fetchone() is not None


async def publish_later(
    connection: AsyncConnection[DictRow], queue: Queue, person: Person, *, erased: str = ""
) -> None:
    """Add the job that publishes a Home, in the caller's transaction.

    `erased` is the language of a person who is being erased.
    """
    await queue.defer(
        connection,
        PUBLISH,
        queue=REPLIES,
        lock=f"home:{person.scope}",
        team=person.team_id,
        user=person.user_id,
        erased=erased,
    )
