"""Ends a process whose token Slack refuses, although nobody has uninstalled the app.

Its messages and jobs wait for a process with a token that Slack accepts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import OperationalError

from bot.app import App
from bot.logs import fault
from bot.runtime.problems import BOT_TOKEN, Problem
from bot.runtime.slack_calls import TokenRefused, call_slack

log = logging.getLogger(__name__)

# Slack revokes the token of an app that is uninstalled before or after it sends `app_uninstalled`.
_EVENT_SECONDS = 10.0


@asynccontextmanager
async def while_token_accepted(app: App) -> AsyncIterator[None]:
    """Raise `Problem` in the block once Slack refuses the token of an app that is installed."""
    try:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(_watch(app), name="token")
            yield
            watch.cancel()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _watch(app: App) -> None:
    """Ask Slack about the token whenever a call or an event says that it is refused.

    Raises `TokenRefused` if it is, unless the app was uninstalled.
    """
    while True:
        await app.slack.token_refused.wait()
        await asyncio.sleep(_EVENT_SECONDS)
        app.slack.token_refused.clear()
        try:
            await app.presence.refresh()
            if app.presence.left_at is None:
                await call_slack(app.settings, BOT_TOKEN, "auth.test")
        except TokenRefused:
            raise
        except OperationalError as error:
            log.warning("whether the app is installed is not known: %s", fault(error))
        except Problem as away:
            log.warning("%s", away)
