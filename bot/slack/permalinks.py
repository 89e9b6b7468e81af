"""Permalinks of messages, requested from Slack when a person wants to see one."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, Installations, error_code

log = logging.getLogger(__name__)

MessageKey: TypeAlias = tuple[str, str]  # channel, ts
_KEPT = 5_000
_PATIENCE_SECONDS = 3.0


class Permalinks:
    """``chat.getPermalink``, remembered: a link never changes."""

    def __init__(self, slack: Installations) -> None:
        self._slack = slack
        self._known: OrderedDict[tuple[str, MessageKey], str] = OrderedDict()

    async def of(self, team_id: str, messages: Iterable[MessageKey]) -> dict[MessageKey, str]:
        """Return the links to a workspace's messages, by (channel, ts).

        Waits three seconds at most. A link that Slack does not return is left out.
        """
        wanted = [(team_id, message) for message in dict.fromkeys(messages)]
        await asyncio.gather(*(self._ask(*one) for one in wanted if one not in self._known))
        found = {one[1]: self._known[one] for one in wanted if one in self._known}
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    async def by_name(self, team_id: str, messages: Mapping[str, MessageKey]) -> dict[str, str]:
        """Return the links to named messages, by name, as `of` does."""
        links = await self.of(team_id, messages.values())
        return {name: links[message] for name, message in messages.items() if message in links}

    async def _ask(self, team_id: str, message: MessageKey) -> None:
        channel, ts = message
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                client = self._slack.client(team_id)
                answer = await client.chat_getPermalink(channel=channel, message_ts=ts)
        except SLACK_FAULTS as error:
            log.info("a permalink was not to be had: %s", error_code(error) or fault(error))
        else:
            self._known[team_id, message] = str(answer["permalink"])


def last_source_message(value: Mapping[str, Any] | None) -> MessageKey | None:
    """Return (channel, ts) of the newest message a stored memory was said in, if it was in one."""
    for source in reversed((value or {}).get("sources") or []):
        if source.get("channel") and source.get("ts"):
            return str(source["channel"]), str(source["ts"])
    return None
