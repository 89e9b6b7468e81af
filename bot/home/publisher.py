"""App Home, published: when a person opens it or clicks in it, and soon after every change.

Each change of memories adds a job (`bot/home/change_jobs.py`), as each change of settings does (a
trigger, see migration 0031). What is shown already is not published again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError

from bot.home.queries import HomeQueries
from bot.home.view_state import Opened, note_in_use, note_opened, note_shown, read_opened
from bot.locale import Language, known_language
from bot.logs import fault
from bot.queue.queue import HOMES, Queue
from bot.slack.client import SLACK_FAULTS, Installations, error_code, retry_on_rate_limit
from bot.users.profiles import Profiles
from bot.users.settings import read_settings
from bot.views.blocks import Block, Payload
from bot.views.home import HomePage, home_view
from bot.views.home_list import ListPosition
from bot.views.views import SlackView, home_with_banner
from memory import Person, Pool, person_transaction

log = logging.getLogger(__name__)

PUBLISH = "publish_home"
_TRIES = 3
# How long a Home is updated after it was last opened; see migration 0009.
_LOOKED_AT_SECONDS = 30 * 86_400.0
# For a click: a person is waiting, and the job after the change comes anyway.
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

    async def opened(self, person: Person, *, slack_hash: str) -> None:
        """Let a Home that was just opened be published; `slack_hash` names what Slack shows now."""
        async with person_transaction(self.pool, person) as connection:
            await note_opened(connection, person, slack_hash=slack_hash)
            # A job that waits for further changes runs at once instead.
            await self._schedule(connection, person, "home", 0.0)

    async def in_use(self, person: Person) -> None:
        """Note that a person clicks in their Home, so that it continues to be updated."""
        async with person_transaction(self.pool, person) as connection:
            await note_in_use(connection, person)

    async def publish(self, team: str, user: str, erased: str = "") -> None:
        """Publish a Home if what it shows has changed.

        `erased` is the language of an erased person, of whom it is not stored any more. Raises what
        Slack raised where a later attempt may do better.
        """
        person = Person(team, user)
        for attempt in range(_TRIES):
            async with person_transaction(self.pool, person) as connection:
                opened = await read_opened(connection, person)
            if opened is None and not erased:
                return
            if opened is None:
                empty = HomePage(handling=self.reading.nothing_kept())
                await self._call(person, home_view(known_language(erased) or "en", empty))
                return
            rendered = await self._render(person, opened.position)
            if rendered.digest == opened.shown:
                return
            # A click may have published meanwhile: then this is the older one.
            known = opened.slack_hash if attempt < _TRIES - 1 else ""
            try:
                slack_hash = await self._call(person, rendered.view, slack_hash=known)
            except SlackApiError as error:
                if error_code(error) == "hash_conflict":
                    continue
                raise
            if slack_hash is not None:
                await self._note_shown(person, rendered, slack_hash)
            return

    async def show(
        self,
        person: Person,
        position: ListPosition,
        banner: Sequence[Block] = (),
        below: Sequence[str] = (),
    ) -> None:
        """Publish a Home at once, after a click in it; `banner` and `below` as in `with_banner`."""
        rendered = await self._render(person, position, banner, below)
        await self.in_use(person)
        # Before Slack is asked: the job that the change has left is to find this page, not its own.
        await self._note_shown(person, rendered, "", banner=bool(banner))
        try:
            slack_hash = await self._call(person, rendered.view, seconds=_CLICK_SECONDS)
        except SLACK_FAULTS as error:
            log.warning("a Home is published later: %s", fault(error))
            await self._note_shown(person, replace(rendered, digest=""), "")
            await self.publish_later(person)
            return
        await self._note_shown(person, rendered, slack_hash or "", banner=bool(banner))

    async def show_banner(
        self, person: Person, view: Mapping[str, Any], banner: Payload, below: Sequence[str]
    ) -> None:
        """Publish what a Home shows, `view`, with `banner` in it; nothing is looked up."""
        again = home_with_banner(view, banner["blocks"], below)
        await self._call(person, again, seconds=_CLICK_SECONDS)

    async def publish_later(self, person: Person) -> None:
        """Queue the publication of a Home."""
        async with person_transaction(self.pool, person) as connection:
            await self._schedule(connection, person, "home", 0.0)

    async def _schedule(
        self, connection: AsyncConnection[DictRow], person: Person, name: str, delay: float
    ) -> None:
        """Let the one job of this name be done in `delay` seconds."""
        await self.queue.defer(
            connection,
            PUBLISH,
            queue=HOMES,
            lock=f"{name}:{person.scope}",
            delay=delay,
            reschedule=True,
            team=person.team_id,
            user=person.user_id,
        )

    async def _render(
        self,
        person: Person,
        position: ListPosition,
        banner: Sequence[Block] = (),
        below: Sequence[str] = (),
    ) -> _RenderedHome:
        # Read here and now: what another process knows of the person may be half a minute old.
        async with person_transaction(self.pool, person) as connection:
            settings = await read_settings(connection, person)
        settings = await self.people.settings(person, settings=settings)
        language = settings.reply_language()
        page = await self.reading.page(person, settings, position)
        digest = hashlib.sha256(json.dumps(home_view(language, page)).encode()).hexdigest()
        return _RenderedHome(
            language=language,
            view=home_view(language, page, banner, below),
            position=page.listing.position,
            digest=digest,
            ends_in=_seconds_to(settings.paused_until),
        )

    async def _call(
        self,
        person: Person,
        view: SlackView,
        *,
        slack_hash: str = "",
        seconds: float = 60.0,
    ) -> str | None:
        """Return Slack's name for what it shows now; None where it will never show it."""
        more: dict[str, Any] = {"hash": slack_hash} if slack_hash else {}
        try:
            answer = await retry_on_rate_limit(
                lambda: self.slack.client(person.team_id).views_publish(
                    user_id=person.user_id, view=view, **more
                ),
                seconds=seconds,
            )
        except SlackApiError as error:
            code = error_code(error)
            if code == "not_enabled":
                log.warning("the Home tab is off: switch it on in the app's settings at Slack")
                return None
            if code in _IN_VAIN:
                log.warning("a Home was refused: %s", code)
                return None
            raise
        published: Mapping[str, Any] = answer.get("view") or {}
        return str(published.get("hash") or "")

    async def _note_shown(
        self, person: Person, rendered: _RenderedHome, slack_hash: str, *, banner: bool = False
    ) -> None:
        now = Opened(position=rendered.position, shown=rendered.digest, slack_hash=slack_hash)
        async with person_transaction(self.pool, person) as connection:
            await note_shown(connection, person, rendered.language, now, banner=banner)
            if rendered.ends_in is not None and rendered.ends_in < _LOOKED_AT_SECONDS:
                await self._schedule(connection, person, "home_end", rendered.ends_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RenderedHome:
    """A view, and a digest of it without its banner.

    `ends_in`: seconds until the end of a pause that it mentions.
    """

    language: Language
    view: SlackView
    position: ListPosition
    digest: str
    ends_in: float | None = None


def _seconds_to(end: datetime | None) -> float | None:
    """Return the seconds until a moment is past; None without one."""
    return None if end is None else max((end - datetime.now(UTC)).total_seconds(), 0.0) + 1.0
