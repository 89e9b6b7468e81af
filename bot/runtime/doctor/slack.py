"""Slack: tokens, scopes, the way events come in, and the clock."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import SecretStr
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.config import Settings
from bot.runtime.doctor.access import examine_access
from bot.runtime.doctor.finding import Finding, fix, note, ok, without_secrets
from bot.runtime.manifest import manifest_scopes, optional_scopes
from bot.slack.client import SLACK_FAULTS, error_code, retry_on_rate_limit

# Slack's signatures are good for five minutes; a minute is more than any clock that is kept.
SIGNATURE_SECONDS = 300
_CLOCK_SECONDS = 60
_WHERE_BOT_TOKEN = "OAuth & Permissions (Bot User OAuth Token, xoxb-…)"  # noqa: S105 - no token
_WHERE_APP_TOKEN = "Basic Information, App-Level Tokens (xapp-…, with the scope connections:write)"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Slack's answer to ``auth.test``, and how far this machine's clock is ahead, in seconds."""

    response: AsyncSlackResponse
    ahead: float | None

    @property
    def granted(self) -> frozenset[str] | None:
        """The scopes of the token, or None where Slack did not say."""
        return granted_scopes(self.response)


def granted_scopes(response: AsyncSlackResponse) -> frozenset[str] | None:
    """Return the scopes of the token that an answer names, or None where it names none.

    Source: https://docs.slack.dev/authentication/installing-with-oauth
    """
    value = _header(response.headers, "x-oauth-scopes")
    return None if value is None else frozenset(value.replace(" ", "").split(",")) - {""}


def _header(headers: Mapping[str, Any], name: str) -> str | None:
    return next((str(v) for k, v in headers.items() if k.lower() == name), None)


class Client(AsyncWebClient):
    """A Web API client that repeats nothing, for whom an answer that is not JSON is no answer."""

    async def api_call(self, *args: Any, **kwargs: Any) -> AsyncSlackResponse:
        """Make a call. Raises what the SDK raises, and `SlackRequestError` for such an answer."""
        try:
            return await super().api_call(*args, **kwargs)
        except SlackApiError as error:
            if isinstance(error.response.data, dict):
                raise
            status = error.response.status_code
            raise SlackRequestError(f"Slack's answer is not JSON, status {status}.") from None


def open_client(settings: Settings, token: str | None = None) -> Client:
    """Return a client for the address in `settings`."""
    return Client(token=token, base_url=settings.slack_api_url, timeout=30, retry_handlers=[])


async def examine_slack(settings: Settings) -> AsyncIterator[Finding]:
    """Check what Slack needs, in the order in which it is set up."""
    bot, app, secret = (
        settings.slack_bot_token,
        settings.slack_app_token,
        settings.slack_signing_secret,
    )
    if bot is None and app is None and secret is None:
        yield note(
            "Slack",
            "no token is set: `kioku up` opens the playground. For your own workspace make an app"
            " from manifest.yml at https://api.slack.com/apps and set SLACK_BOT_TOKEN and"
            " SLACK_APP_TOKEN.",
        )
        return
    answered: Answered | None = None
    if bot is None:
        yield fix(
            "Bot token", f"SLACK_BOT_TOKEN is not set: copy it from your app's {_WHERE_BOT_TOKEN}."
        )
    elif wrong := _wrong_kind("SLACK_BOT_TOKEN", bot, "xoxb-", _WHERE_BOT_TOKEN):
        yield fix("Bot token", wrong)
    else:
        finding, answered = await _bot_token(settings, bot)
        yield finding
    if answered is not None:
        yield _scopes(answered)
        for finding in examine_access(settings):
            yield finding
    async for finding in _way_in(settings):
        yield finding
    if answered is not None:
        yield _clock(answered, signed=app is None)


def _wrong_kind(name: str, token: SecretStr, prefix: str, where: str) -> str | None:
    value = token.get_secret_value()
    if value.startswith(prefix):
        return None
    kinds = {
        "xoxb-": "a bot token",
        "xoxp-": "a user's token",
        "xapp-": "an app-level token",
        "xoxe": "a token to be rotated",
    }
    kind = next((kind for start, kind in kinds.items() if value.startswith(start)), "no such token")
    return f"{name} holds {kind}, it has to begin with {prefix}: copy it from your app's {where}."


def unreachable(settings: Settings) -> str:
    """Return what to say where Slack does not answer."""
    return (
        f"Slack does not answer at {without_secrets(settings.slack_api_url)}: check the network, a"
        " proxy that may be needed (HTTPS_PROXY), and SLACK_API_URL."
    )


async def _bot_token(settings: Settings, token: SecretStr) -> tuple[Finding, Answered | None]:
    client = open_client(settings, token.get_secret_value())
    try:
        started = time.time()
        response = await retry_on_rate_limit(client.auth_test)
        middle = (started + time.time()) / 2
    except SLACK_FAULTS as error:
        return fix("Bot token", _refused(settings, "SLACK_BOT_TOKEN", error)), None
    if not response.get("bot_id"):
        return (
            fix(
                "Bot token",
                "SLACK_BOT_TOKEN is not of a bot: copy it from your app's "
                + _WHERE_BOT_TOKEN
                + ".",
            ),
            None,
        )
    who = f"workspace {response.get('team')}, as {response.get('user')}"
    return ok("Bot token", f"{who}."), Answered(response=response, ahead=_ahead(response, middle))


def _ahead(response: AsyncSlackResponse, now: float) -> float | None:
    try:
        return now - parsedate_to_datetime(_header(response.headers, "date") or "").timestamp()
    except ValueError:
        return None


def _refused(settings: Settings, name: str, error: BaseException) -> str:
    code = error_code(error)
    if not code:
        return unreachable(settings)
    where = _WHERE_BOT_TOKEN if name == "SLACK_BOT_TOKEN" else _WHERE_APP_TOKEN
    if code in ("account_inactive", "token_revoked"):
        return (
            f"Slack says {name} is no longer valid ({code}): install the app again and copy it from"
            f" your app's {where}."
        )
    if code == "token_expired":
        return (
            f"{name} has expired: turn token rotation off in your app's OAuth & Permissions,"
            " install it again and copy the new token."
        )
    if code == "missing_scope" and isinstance(error, SlackApiError):
        needed = error.response.get("needed") or "connections:write"
        return f"{name} lacks the scope {needed}: make a new one at {where}."
    if code == "ratelimited":
        return "Slack asks to wait (ratelimited): try again in a minute."
    return f"Slack refuses {name} ({code}): copy it again from your app's {where}."


def _scopes(answered: Answered) -> Finding:
    granted = answered.granted
    if granted is None:
        return note("Scopes", "Slack did not say which it granted; a proxy may drop its headers.")
    wanted = manifest_scopes()
    if missing := sorted(wanted - granted):
        return fix(
            "Scopes",
            f"{', '.join(missing)} not granted: put manifest.yml into your app's App Manifest, then"
            " install the app again (Install App).",
        )
    if lacking := sorted(optional_scopes() - granted):
        return note(
            "Scopes",
            f"all needed are granted; without {', '.join(lacking)} no files can be sent by"
            " /memories export, chosen in /memories import or read in messages.",
        )
    if more := sorted(granted - wanted - optional_scopes()):
        return note("Scopes", f"all granted; not needed: {', '.join(more)}.")
    return ok("Scopes", f"all {len(wanted)} of manifest.yml are granted.")


async def _way_in(settings: Settings) -> AsyncIterator[Finding]:
    token, secret = settings.slack_app_token, settings.slack_signing_secret
    if token is None:
        if secret is None:
            yield fix(
                "Events",
                "there is no way in: set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET"
                " for HTTP (both from your app's Basic Information).",
            )
        else:
            yield ok(
                "Events",
                "come by HTTP, signed. In your app turn Socket Mode off and give"
                " https://YOUR-HOST/slack/events as Request URL of Event Subscriptions,"
                " Interactivity and the slash commands.",
            )
        return
    if wrong := _wrong_kind("SLACK_APP_TOKEN", token, "xapp-", _WHERE_APP_TOKEN):
        yield fix("Events", wrong)
        return
    client = open_client(settings)
    value = token.get_secret_value()
    try:
        await retry_on_rate_limit(lambda: client.apps_connections_open(app_token=value))
    except SLACK_FAULTS as error:
        if error_code(error) == "access_denied":
            yield fix("Events", "Socket Mode is off: turn it on in your app's Socket Mode page.")
        else:
            yield fix("Events", _refused(settings, "SLACK_APP_TOKEN", error))
        return
    yield ok("Events", "come by Socket Mode.")


def _clock(answered: Answered, *, signed: bool) -> Finding:
    if answered.ahead is None:
        return note("Clock", "Slack's answer carries no date to compare with.")
    seconds = round(abs(answered.ahead))
    if seconds <= _CLOCK_SECONDS:
        return ok("Clock", "agrees with Slack's.")
    how = f"{seconds} s {'ahead of' if answered.ahead > 0 else 'behind'} Slack's"
    if signed and seconds >= SIGNATURE_SECONDS:
        return fix(
            "Clock",
            f"{how}: Slack's signatures are refused from {SIGNATURE_SECONDS} s on. Let the system"
            " set the time (NTP).",
        )
    return note("Clock", f"{how}: let the system set the time (NTP).")
