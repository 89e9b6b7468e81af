"""Slack: tokens, scopes, the way events come in, and the clock."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.config import Settings
from bot.locale import Language, say
from bot.runtime.finding import Finding, fix, note, ok, without_secrets
from bot.runtime.manifest import manifest_scopes, optional_scopes
from bot.runtime.startup import oauth_problem, where_to_copy, wrong_token
from bot.slack.client import SLACK_FAULTS, create_client, error_code, retry_on_rate_limit

# Slack's signatures are good for five minutes; a minute is more than any clock that is kept.
SIGNATURE_SECONDS = 300
_CLOCK_SECONDS = 60
# Sources: https://docs.slack.dev/ai/developing-agents#members-only and
# https://docs.slack.dev/tools/bolt-python/concepts/using-the-assistant-class
NO_GUESTS = "Slack does not let guests use apps with agent features"
_BOT, _APP = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Slack's answer to ``auth.test``, and how far this machine's clock is ahead, in seconds."""

    response: AsyncSlackResponse
    ahead: float | None

    @property
    def granted(self) -> frozenset[str] | None:
        """The scopes of the token, or None where Slack did not say.

        Source: https://docs.slack.dev/authentication/installing-with-oauth
        """
        value = self.response.headers.get("x-oauth-scopes")
        return None if value is None else frozenset(value.replace(" ", "").split(",")) - {""}


async def examine_slack(settings: Settings) -> AsyncIterator[Finding]:
    """Check what Slack needs, in the order in which it is set up."""
    bot, app, secret = (
        settings.slack_bot_token,
        settings.slack_app_token,
        settings.slack_signing_secret,
    )
    several = settings.slack_client_id is not None or settings.slack_client_secret is not None
    if bot is None and app is None and secret is None and not several:
        yield note(
            "Slack",
            "no token is set: `kioku up` opens the playground. For your own workspace make an app"
            " from manifest.yml at https://api.slack.com/apps and set SLACK_BOT_TOKEN and"
            " SLACK_APP_TOKEN.",
        )
        return
    answered: Answered | None = None
    if several:
        yield _installing(settings)
    elif bot is None:
        yield fix(
            "Bot token", f"{_BOT} is not set: copy it from your app's {where_to_copy(_BOT, 'en')}."
        )
    else:
        found, answered = await check_bot_token(settings)
        for finding in found:
            yield finding
    if answered is not None:
        yield note(
            "Plan",
            "Slack does not tell Kioku the workspace's plan: check that it is a paid one, which"
            f" some agent features need. {NO_GUESTS}.",
        )
    if app is not None:
        yield await check_app_token(settings)
    elif secret is None:
        yield fix(
            "Events",
            "Kioku cannot receive events: set SLACK_APP_TOKEN for Socket Mode, or"
            " SLACK_SIGNING_SECRET for HTTP (both from your app's Basic Information).",
        )
    else:
        yield ok(
            "Events",
            "come by HTTP, signed. In your app turn Socket Mode off and give"
            " https://YOUR-HOST/slack/events as Request URL of Event Subscriptions,"
            " Interactivity and the slash commands.",
        )
    if answered is not None:
        yield _clock(answered, signed=app is None)


def _installing(settings: Settings) -> Finding:
    part, url = "Installation", settings.public_url
    if problem := oauth_problem(settings):
        return fix(part, problem)
    return ok(
        part,
        f"{url}/slack/install installs Kioku in a workspace. In your app's OAuth & Permissions"
        f" {url}/slack/oauth_redirect has to be a Redirect URL.",
    )


def unreachable(settings: Settings, language: Language = "en") -> str:
    """Return what to say where Slack does not answer."""
    return say(language, "check_unreachable", url=without_secrets(settings.slack_api_url))


async def check_bot_token(
    settings: Settings, language: Language = "en"
) -> tuple[list[Finding], Answered | None]:
    """Check the bot token of `settings`: its form, then Slack's opinion, then its scopes.

    Returns the findings, and Slack's answer if it accepts the token.
    """
    part, token = "Bot token", settings.slack_bot_token
    value = token.get_secret_value() if token else ""
    if wrong := wrong_token(_BOT, value, language):
        return [fix(part, wrong)], None
    client = create_client(value, settings.slack_api_url)
    try:
        started = time.time()
        response = await retry_on_rate_limit(client.auth_test)
        middle = (started + time.time()) / 2
    except SLACK_FAULTS as error:
        return [fix(part, _refused(settings, _BOT, error, language))], None
    if not response.get("bot_id"):
        where = where_to_copy(_BOT, language)
        return [fix(part, say(language, "check_not_of_a_bot", name=_BOT, where=where))], None
    answered = Answered(response=response, ahead=_ahead(response, middle))
    team, user = response.get("team"), response.get("user")
    who = ok(part, say(language, "check_workspace", team=team, user=user))
    return [who, _scopes(answered, language)], answered


def _ahead(response: AsyncSlackResponse, now: float) -> float | None:
    try:
        return now - parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except ValueError:
        return None


def _refused(settings: Settings, name: str, error: BaseException, language: Language) -> str:
    code = error_code(error)
    where = where_to_copy(name, language)
    if not code:
        return unreachable(settings, language)
    if code in ("account_inactive", "token_revoked"):
        return say(language, "check_revoked", name=name, code=code, where=where)
    if code == "token_expired":
        return say(language, "check_expired", name=name)
    if code == "missing_scope" and isinstance(error, SlackApiError):
        needed = error.response.get("needed") or "connections:write"
        return say(language, "check_lacks_scope", name=name, scope=needed, where=where)
    if code == "ratelimited":
        return say(language, "check_rate_limited")
    return say(language, "check_refused", name=name, code=code, where=where)


def _scopes(answered: Answered, language: Language) -> Finding:
    part, granted = "Scopes", answered.granted
    if granted is None:
        return note(part, say(language, "check_scopes_unknown"))
    wanted = manifest_scopes()
    if missing := sorted(wanted - granted):
        return fix(part, say(language, "check_scopes_missing", scopes=", ".join(missing)))
    if lacking := sorted(optional_scopes() - granted):
        return note(part, say(language, "check_scopes_optional", scopes=", ".join(lacking)))
    if more := sorted(granted - wanted - optional_scopes()):
        return note(part, say(language, "check_scopes_more", scopes=", ".join(more)))
    return ok(part, say(language, "check_scopes_all", number=len(wanted)))


async def check_app_token(settings: Settings, language: Language = "en") -> Finding:
    """Check the app-level token of `settings`: its form, then whether it opens a connection."""
    part, token = "Events", settings.slack_app_token
    value = token.get_secret_value() if token else ""
    if wrong := wrong_token(_APP, value, language):
        return fix(part, wrong)
    client = create_client(None, settings.slack_api_url)
    try:
        await retry_on_rate_limit(lambda: client.apps_connections_open(app_token=value))
    except SLACK_FAULTS as error:
        if error_code(error) == "access_denied":
            return fix(part, say(language, "check_socket_mode_off"))
        return fix(part, _refused(settings, _APP, error, language))
    return ok(part, say(language, "check_socket_mode"))


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
