"""Why the application cannot start: a refused token, a port or a server that cannot be reached.

Imported before other processes start, so it needs neither Slack's SDK nor psycopg.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.config import FIELDS, Settings
from bot.locale import Language, say

if TYPE_CHECKING:
    from psycopg import OperationalError

_PREFIXES = {"SLACK_BOT_TOKEN": "xoxb-", "SLACK_APP_TOKEN": "xapp-"}
_PLACES = {"SLACK_BOT_TOKEN": "check_where_bot_token", "SLACK_APP_TOKEN": "check_where_app_token"}
_OAUTH = {
    "SLACK_CLIENT_ID": "copy it from your app's Basic Information",
    "SLACK_CLIENT_SECRET": "copy it from your app's Basic Information",
    "KIOKU_SECRET_KEY": "write a key that encrypts tokens, from `openssl rand -base64 32`",
    "KIOKU_PUBLIC_URL": "write the https address at which browsers reach Kioku",
}
_KINDS = {
    "xoxb-": "check_kind_bot",
    "xoxp-": "check_kind_user",
    "xapp-": "check_kind_app",
    "xoxe": "check_kind_rotated",
}


class StartError(Exception):
    """The application cannot start; the message says what to do."""


class ArgumentError(StartError):
    """The arguments of a command cannot be used; the exit code is then 2, as argparse's."""


class TokenRefused(StartError):
    """Slack does not accept a token."""


def cannot_open(port: int, error: OSError, setting: str = "PORT") -> StartError:
    """Return what to tell when `port`, of `setting`, cannot be listened on."""
    why = os.strerror(error.errno) if error.errno else type(error).__name__
    return StartError(f"Port {port} cannot be opened ({why}): set {setting} to a free one.")


def cannot_connect(error: OperationalError) -> StartError:
    """Return what to tell when PostgreSQL was not reached, or refused the connection."""
    if error.pgconn is None or not error.pgconn.used_password:
        return StartError(
            "PostgreSQL could not be reached: check DATABASE_URL and that the server runs."
        )
    return StartError(
        "PostgreSQL asked for the password and then refused the connection: check user, password"
        " and database in DATABASE_URL and DATABASE_OWNER_URL."
    )


def where_to_copy(name: str, language: Language) -> str:
    """Return where in an app's settings at Slack the token of setting `name` is."""
    return say(language, _PLACES[name])


def wrong_token(name: str, value: str, language: Language = "en") -> str | None:
    """Return one sentence if `value` does not have the form of setting `name`."""
    prefix = _PREFIXES[name]
    if value.startswith(prefix):
        return None
    kind = next((kind for start, kind in _KINDS.items() if value.startswith(start)), None)
    return say(
        language,
        "check_wrong_kind" if kind else "check_no_kind",
        name=name,
        kind=say(language, kind or _KINDS[prefix]),
        prefix=prefix,
        where=where_to_copy(name, language),
    )


def wrong_key(settings: Settings, language: Language = "en") -> str | None:
    """Return one sentence if OPENAI_API_KEY is for OpenAI itself and does not look like a key."""
    key, url = settings.openai_api_key, settings.openai_base_url
    own = url is None or urlsplit(url).hostname == "api.openai.com"
    if key is None or not own or key.get_secret_value().startswith("sk-"):
        return None
    return say(language, "check_wrong_key")


def oauth_problem(settings: Settings) -> str | None:
    """Return one sentence if the settings for several workspaces are incomplete."""
    if settings.slack_client_id is None and settings.slack_client_secret is None:
        return None
    if settings.slack_bot_token is not None:
        return (
            "SLACK_BOT_TOKEN and SLACK_CLIENT_ID are both set: keep SLACK_BOT_TOKEN for one"
            " workspace, or SLACK_CLIENT_ID and SLACK_CLIENT_SECRET for several."
        )
    for name, todo in _OAUTH.items():
        if getattr(settings, FIELDS[name]) is None:
            return f"To install Kioku in several workspaces {name} is needed: {todo}."
    return None


def require_tokens(settings: Settings) -> None:
    """Raise `StartError` for half of Slack's tokens, or a token or key of a wrong form."""
    if settings.slack_client_id is not None:
        raise StartError(
            "SLACK_CLIENT_ID is set, but `kioku up` serves one workspace: start `kioku run`, or"
            " remove SLACK_CLIENT_ID."
        )
    tokens = {name: getattr(settings, FIELDS[name]) for name in _PREFIXES}
    for name, token in tokens.items():
        if token is not None and (wrong := wrong_token(name, token.get_secret_value())):
            raise StartError(wrong)
    missing = [name for name, token in tokens.items() if token is None]
    if len(missing) == 1:
        [given] = set(tokens) - set(missing)
        raise StartError(
            f"{given} is set without {missing[0]}: copy it from your app's"
            f" {where_to_copy(missing[0], 'en')}, or run `kioku setup`, which asks for both."
        )
    if wrong := wrong_key(settings):
        raise StartError(wrong)
