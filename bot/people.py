"""What Slack says of a person: the language they read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict

from slack_sdk.web.async_client import AsyncWebClient

from bot.locale import Language, language_of
from bot.logs import fault
from bot.slack import SLACK_FAULTS, error_code

log = logging.getLogger(__name__)

_TRUSTED_SECONDS = 600.0
# After a failure Slack is asked again soon, but not for each message.
_FAILED_SECONDS = 20.0
_PATIENCE_SECONDS = 3.0
_KEPT = 5_000


class People:
    """``users.info``, remembered for ten minutes; a failure for twenty seconds."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._locales: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    async def language(self, user_id: str, text: str = "") -> Language:
        """Return the language of a person's Slack; where unknown, that of `text`."""
        return language_of(await self._locale(user_id), text)

    def forget(self, user_id: str) -> None:
        """Ask anew next time: the person's profile has changed."""
        self._locales.pop(user_id, None)

    async def _locale(self, user_id: str) -> str | None:
        known = self._locales.get(user_id)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        locale: str | None = None
        trusted = _FAILED_SECONDS
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await self._client.users_info(user=user_id, include_locale=True)
            trusted = _TRUSTED_SECONDS
            locale = (answer.get("user") or {}).get("locale")
        except SLACK_FAULTS as error:
            log.info("a locale could not be looked up: %s", error_code(error) or fault(error))
        self._locales[user_id] = (time.monotonic() + trusted, locale)
        while len(self._locales) > _KEPT:
            self._locales.popitem(last=False)
        return locale
