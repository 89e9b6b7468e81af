"""Why the application cannot start, and what is tried before it says so."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from psycopg import OperationalError
from slack_sdk.errors import SlackApiError

from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, error_code, retry_after

T = TypeVar("T")

log = logging.getLogger(__name__)

INSIST_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0
_WHERE = {
    "SLACK_BOT_TOKEN": "OAuth & Permissions (xoxb-…)",
    "SLACK_APP_TOKEN": "Basic Information, App-Level Tokens (xapp-…, connections:write)",
}


class StartError(Exception):
    """The application cannot start; the message says what to do."""


class TokenRefused(StartError):
    """Slack does not accept a token."""


def cannot_open(port: int, error: OSError) -> StartError:
    """Return what to tell when `port` cannot be listened on."""
    why = os.strerror(error.errno) if error.errno else type(error).__name__
    return StartError(f"Port {port} cannot be opened ({why}): set PORT to a free one.")


def cannot_connect(error: OperationalError) -> StartError:
    """Return what to tell when PostgreSQL was not reached, or refused the connection."""
    if error.pgconn is None or not error.pgconn.used_password:
        return StartError(
            "PostgreSQL could not be reached: check DATABASE_URL and that the server runs."
        )
    return StartError(
        "PostgreSQL asked for the password and then refused the connection: check user, password"
        " and database in DATABASE_URL and DATABASE_OWNER_URL, or in the secrets that"
        " DATABASE_SECRET_ARN and DATABASE_OWNER_SECRET_ARN name."
    )


async def insistently(
    setting: str, call: Callable[[], Awaitable[T]], *, seconds: float = INSIST_SECONDS
) -> T:
    """Call Slack with the token of `setting`, and again for `seconds` while Slack is unavailable.

    Raises `TokenRefused` at once if Slack refuses the token, else `StartError`.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await call()
        except SLACK_FAULTS as error:
            code = error_code(error)
            if code not in ("", "ratelimited"):
                raise TokenRefused(
                    f"Slack refused {setting} ({code}): copy it again from your app's"
                    f" {_WHERE[setting]}."
                ) from None
            wait = max(pause, _told_to_wait(error))
            if loop.time() + wait > end:
                raise StartError(
                    f"Slack could not be reached ({fault(error)}): check the network and"
                    " SLACK_API_URL."
                ) from None
            log.warning("Slack did not answer at the start, and is asked again: %s", fault(error))
        await asyncio.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _told_to_wait(error: BaseException) -> float:
    limited = isinstance(error, SlackApiError) and error_code(error) == "ratelimited"
    return retry_after(error) if limited and isinstance(error, SlackApiError) else 0.0
