"""Permalinks of messages, requested from Slack when a person wants to see one."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeAlias

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

    async def of(self, team_id: str, messages: Mapping[str, MessageKey]) -> dict[str, str]:
        """Return the links to named messages of a workspace, by name.

        Waits three seconds at most. A link that Slack does not return is left out.
        """
        wanted = {(team_id, message) for message in messages.values()}
        await asyncio.gather(*(self._ask(*one) for one in wanted - self._known.keys()))
        links = {name: self._known.get((team_id, one)) for name, one in messages.items()}
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return {name: link for name, link in links.items() if link}

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
