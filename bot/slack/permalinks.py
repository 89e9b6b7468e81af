"""Permalinks of messages, requested from Slack when a person wants to see one."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from slack_sdk.web.async_client import AsyncWebClient

from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, error_code

log = logging.getLogger(__name__)

Place: TypeAlias = tuple[str, str]

_KEPT = 5_000
_PATIENCE_SECONDS = 3.0


class Permalinks:
    """``chat.getPermalink``, remembered: a link never changes."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._known: OrderedDict[Place, str] = OrderedDict()

    async def of(self, places: Iterable[Place]) -> dict[Place, str]:
        """Return the links to messages, by (channel, ts); one that Slack does not tell is left out.

        Waits three seconds at most.
        """
        wanted = list(dict.fromkeys(places))
        missing = [place for place in wanted if place not in self._known]
        await asyncio.gather(*map(self._ask, missing))
        found = {place: self._known[place] for place in wanted if place in self._known}
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    async def by_name(self, places: Mapping[str, Place]) -> dict[str, str]:
        """Return the links to named messages, by name; one that Slack does not tell is left out."""
        links = await self.of(places.values())
        return {name: links[place] for name, place in places.items() if place in links}

    async def _ask(self, place: Place) -> None:
        channel, ts = place
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await self._client.chat_getPermalink(channel=channel, message_ts=ts)
        except SLACK_FAULTS as error:
            log.info("a permalink was not to be had: %s", error_code(error) or fault(error))
        else:
            self._known[place] = str(answer["permalink"])


def last_place(value: Mapping[str, Any] | None) -> Place | None:
    """Return (channel, ts) of the newest message a stored memory was said in, if it was in one."""
    for source in reversed((value or {}).get("sources") or []):
        if source.get("channel") and source.get("ts"):
            return str(source["channel"]), str(source["ts"])
    return None
