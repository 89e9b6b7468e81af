"""Answering a command or a click so that only the person sees it, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from psycopg import OperationalError
from slack_bolt.async_app import AsyncRespond

from bot.locale import say
from bot.people import People
from bot.privately import Work
from bot.surfaces.blocks import private
from memory import OutcomeUnknown, Person, impatiently

log = logging.getLogger(__name__)

_DATABASE_SECONDS = 2.0


def person_of(body: Mapping[str, Any]) -> Person:
    """Return who typed a command or clicked, from Slack's own ids.

    Raises `memory.InvalidNamespace` where one is missing.
    """
    user = body.get("user_id") or (body.get("user") or {}).get("id")
    team = body.get("team_id") or (body.get("team") or {}).get("id")
    if str(body.get("is_enterprise_install")).lower() == "true":
        team = body.get("enterprise_id") or (body.get("enterprise") or {}).get("id")
    return Person(str(team or ""), str(user or ""))


class PrivateAnswers:
    """What was acknowledged at once and is answered when it is done."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._underway = 0
        self._none_left = asyncio.Event()

    async def give(
        self, body: Mapping[str, Any], respond: AsyncRespond, work: Work, *, replace: bool = False
    ) -> None:
        """Send what `work` returns to the person alone; `replace` the message that was clicked."""
        self._underway += 1
        try:
            await self._give(body, respond, work, replace=replace)
        finally:
            self._underway -= 1
            if not self._underway:
                self._none_left.set()

    async def all_given(self, seconds: float) -> None:
        """Wait, so long at most, until everybody who was acknowledged has been answered."""
        self._none_left.clear()
        if self._underway:
            try:
                await asyncio.wait_for(self._none_left.wait(), seconds)
            except TimeoutError:
                log.warning("%d command(s) or click(s) were not answered", self._underway)

    async def _give(
        self, body: Mapping[str, Any], respond: AsyncRespond, work: Work, *, replace: bool
    ) -> None:
        person = person_of(body)
        language = await self._people.language(person)
        try:
            with impatiently(_DATABASE_SECONDS):
                payload = await work(person, language)
        except OutcomeUnknown:
            log.exception("the database was lost just as a command was being carried out")
            payload = private(say(language, "command_uncertain"))
        except OperationalError:
            log.exception("the database could not be reached for a command")
            payload = private(say(language, "command_failed"))
        if replace:
            # In a direct message the clicked message may be an ordinary one: it keeps its kind.
            payload = {name: value for name, value in payload.items() if name != "response_type"}
        await respond(**payload, replace_original=replace)
