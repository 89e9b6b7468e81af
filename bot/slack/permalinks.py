"""Permalinks of messages, requested from Slack when a person wants to see one."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, error_code
from memory import MessageKey

log = logging.getLogger(__name__)

_KEPT = 5_000
_PATIENCE_SECONDS = 3.0


class Permalinks:
    """``chat.getPermalink``, remembered: a link never changes."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._known: OrderedDict[MessageKey, str] = OrderedDict()

    async def of(self, messages: Iterable[MessageKey]) -> dict[MessageKey, str]:
        """Return the links to messages, by (channel, ts); one that Slack does not tell is left out.

        Waits three seconds at most.
        """
        wanted = list(dict.fromkeys(messages))
        missing = [message for message in wanted if message not in self._known]
        await asyncio.gather(*map(self._ask, missing))
        found = {message: self._known[message] for message in wanted if message in self._known}
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    async def by_name(self, messages: Mapping[str, MessageKey]) -> dict[str, str]:
        """Return the links to named messages, by name; one that Slack does not tell is left out."""
        links = await self.of(messages.values())
        return {name: links[message] for name, message in messages.items() if message in links}

    async def _ask(self, message: MessageKey) -> None:
        channel, ts = message
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await self._client.chat_getPermalink(channel=channel, message_ts=ts)
        except SLACK_FAULTS as error:
            log.info("a permalink was not to be had: %s", error_code(error) or fault(error))
        else:
            self._known[message] = str(answer["permalink"])


def last_source_message(value: Mapping[str, Any] | None) -> MessageKey | None:
    """Return (channel, ts) of the newest message a stored memory was said in, if it was in one."""
    for source in reversed((value or {}).get("sources") or []):
        if source.get("channel") and source.get("ts"):
            return str(source["channel"]), str(source["ts"])
    return None
