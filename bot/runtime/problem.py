"""What stops a command: one sentence, which says what is wrong and what to do, without a secret.

Other processes are started before the large imports: Slack's SDK and psycopg are imported where
they are used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.config import FIELDS, Settings

if TYPE_CHECKING:
    from psycopg import OperationalError

BOT_TOKEN, APP_TOKEN = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"
_BEGINS = {BOT_TOKEN: "xoxb-", APP_TOKEN: "xapp-"}
_KINDS = {
    "xoxb-": "a bot token",
    "xoxp-": "a user's token",
    "xapp-": "an app-level token",
    "xoxe": "an expiring token (token rotation is on)",
    "": "something else",
}
WHERE = {
    BOT_TOKEN: "OAuth & Permissions (Bot User OAuth Token, xoxb-…)",
    APP_TOKEN: "Basic Information, App-Level Tokens (xapp-…, with the scope connections:write)",
}
"""Where each token is in an app's settings at Slack."""
_REFUSED = {
    "access_denied": "Socket Mode is off: turn it on in your app's Socket Mode page.",
    "token_expired": "{name} has expired: turn token rotation off in your app's OAuth &"
    " Permissions, install it again and copy the new token.",
    "missing_scope": "{name} lacks a scope that it needs: make a new one at {where}.",
    "": "Slack refuses {name} ({code}): install the app again if it was removed, and copy the token"
    " from your app's {where}.",
}
NO_MODEL = (
    "No model is set: write OPENAI_API_KEY, or OPENAI_BASE_URL for a server that speaks the"
    " Responses API. (`kioku up` runs with a stand-in model.)"
)
NO_EVENTS = (
    "Kioku cannot receive events: set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for"
    " HTTP (both from your app's Basic Information)."
)
UNBOUND_LOGIN = (
    "The user of DATABASE_URL owns the tables, is a superuser or has BYPASSRLS: write its address"
    " into DATABASE_OWNER_URL and another user's into DATABASE_URL, then run `kioku migrate`, which"
    " creates that user."
)


class Problem(Exception):
    """What is wrong and what to do about it, in one sentence without a secret."""


class ArgumentProblem(Problem):
    """The arguments of a command cannot be used; the exit code is then 2, as argparse's."""


class TokenRefused(Problem):
    """Slack does not accept a token."""


def cannot_open(port: int, error: OSError, setting: str = "PORT") -> Problem:
    """Return what to say when `port`, of `setting`, cannot be listened on."""
    why = os.strerror(error.errno) if error.errno else type(error).__name__
    return Problem(f"Port {port} cannot be opened ({why}): set {setting} to a free one.")


def cannot_connect(error: OperationalError) -> Problem:
    """Return what to say when PostgreSQL was not reached, or refused the connection."""
    # Its text may quote the address, so only what is known to be in it is told.
    text = str(error)
    if "password" in text or "no pg_hba.conf entry" in text or "authentication failed" in text:
        return Problem(
            "PostgreSQL refuses the user or the password: correct DATABASE_URL and"
            " DATABASE_OWNER_URL."
        )
    if "does not exist" in text:
        return Problem(
            "PostgreSQL knows no such database or user: create it, or correct DATABASE_URL."
        )
    return Problem("PostgreSQL could not be reached: check DATABASE_URL and that the server runs.")


def slack_problem(url: str, name: str, error: BaseException) -> Problem:
    """Return what to say of a failed call to Slack at `url` with the token of setting `name`."""
    from bot.slack.client import error_code

    code = error_code(error)
    if code in ("", "ratelimited"):
        return Problem(
            f"Slack does not answer at {without_secrets(url)}: check the network, a proxy that may"
            " be needed (HTTPS_PROXY), and SLACK_API_URL."
        )
    sentence = _REFUSED.get(code, _REFUSED[""])
    return TokenRefused(sentence.format(name=name, code=code, where=WHERE[name]))


def well_formed(settings: Settings, name: str) -> str:
    """Return the token of setting `name`. Raises `Problem` where it cannot be one."""
    token, begins = getattr(settings, FIELDS[name]), _BEGINS[name]
    if token is None:
        raise Problem(f"{name} is not set: copy it from your app's {WHERE[name]}.")
    value: str = token.get_secret_value()
    kind = next(kind for begin, kind in _KINDS.items() if value.startswith(begin))
    if kind != _KINDS[begins]:
        raise Problem(
            f"{name} contains {kind}, but must begin with {begins}: copy it from your app's"
            f" {WHERE[name]}."
        )
    return value


def without_secrets(url: str) -> str:
    """Return an address without the user, password and query it may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
