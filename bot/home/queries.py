"""The content of a person's Home, read in a few short transactions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.config import Settings
from bot.memories.actions import MemoryActions
from bot.slack.permalinks import Permalinks, last_source_message
from bot.types import PersonSettings, Policy
from bot.users.data_flows import data_flows
from bot.users.incognito import read_incognito
from bot.views.changes import adds_to_list
from bot.views.home import CHANGES_SHOWN, DataHandling, HomePage
from bot.views.home_list import HOME_PAGE_SIZE, Listing, ListPosition
from bot.views.memories import numbered
from memory import (
    Person,
    Pool,
    history,
    memory_page,
    open_questions,
    person_transaction,
)

# Changes that are read to find the few that the list of memories does not show.
_CHANGES_READ = 50


@dataclass(frozen=True, slots=True)
class HomeQueries:
    """Reads for one person at a time: their own rows only."""

    pool: Pool
    actions: MemoryActions
    links: Permalinks
    settings: Settings
    policy: Policy

    async def page(self, person: Person, chosen: PersonSettings, where: ListPosition) -> HomePage:
        """Return what is shown there; `chosen` are the person's settings."""
        listing = await self._listing(person, where)
        recent = await history(self.pool, person, limit=_CHANGES_READ)
        changes = [entry for entry in recent if adds_to_list(entry)][:CHANGES_SHOWN]
        questions = await open_questions(self.pool, person)
        said = {m.reference: m.source_messages[-1] for m in listing.memories if m.source_messages}
        made = {str(e.id): at for e in changes if (at := last_source_message(e.after or e.before))}
        links = await self.links.by_name(person.team_id, {**said, **made})
        async with person_transaction(self.pool, person) as connection:
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
                self.nothing_kept(),
                days=self.policy.retention_days_for(chosen.retention_days),
                policy=self.policy,
            ),
        )

    def nothing_kept(self) -> DataHandling:
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
            self.pool, person, size=HOME_PAGE_SIZE, page=where.page, kind=where.kind or None
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
            references = {memory.reference for memory in hits}
            hits = [memory for memory in ordered if memory.reference in references]
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
