"""What stops a command: one sentence that tells the operator what to do, without a secret."""

from __future__ import annotations

import errno
import os
import socket
from urllib.parse import urlsplit

from psycopg import OperationalError, errors

from bot.config import FIELDS, ModelServer, Settings, SettingsError
from bot.network import certificate_problem, proxy_for
from memory import KiokuMemoryError
from memory.model import provider_and_name, speaks_openai

BOT_TOKEN, APP_TOKEN = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"
TOKENS = {
    BOT_TOKEN: ("xoxb-", "OAuth & Permissions (Bot User OAuth Token, xoxb-…)"),
    APP_TOKEN: (
        "xapp-",
        "Basic Information, App-Level Tokens (xapp-…, with the scope connections:write)",
    ),
}
NO_MODEL = (
    "No model is set: write OPENAI_API_KEY, or OPENAI_BASE_URL for a server that speaks the"
    " Responses API, or set KIOKU_REPLY_MODEL and KIOKU_MEMORY_MODEL to another provider's."
    " (`kioku up` runs with a stand-in model.)"
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

_READ_ONLY = (
    "PostgreSQL answers, but takes no writes: it is a standby, or default_transaction_read_only is"
    " on. Write the primary's address into DATABASE_URL and DATABASE_OWNER_URL, or let the server"
    " take writes again."
)
_NO_CONNECTION_LEFT = (
    "PostgreSQL has no connection left for this user: end what holds them, or raise"
    " max_connections or the limit of the user or database."
)
_REFUSED_USER = (
    "PostgreSQL refuses the user or the password: correct DATABASE_URL and DATABASE_OWNER_URL, or"
    " run `kioku migrate` if it has not created the user of DATABASE_URL yet."
)
_TLS = (
    "PostgreSQL offers no TLS, or its certificate is refused: correct sslmode, and the file of its"
    " certificate authority in sslrootcert, in DATABASE_URL and DATABASE_OWNER_URL."
)
_UNKNOWN = (
    "PostgreSQL knows no such database or user: create it, or correct DATABASE_URL and"
    " DATABASE_OWNER_URL."
)
_NO_CONNECTION = (
    "PostgreSQL gives no connection: check address, user and password in DATABASE_URL and"
    " DATABASE_OWNER_URL, and that the server runs."
)
# What libpq and PostgreSQL say where they give no connection, in the order in which it is tried. A
# server says it in the language of its lc_messages.
_WORDS = {
    "session is read-only": _READ_ONLY,
    "too many clients": _NO_CONNECTION_LEFT,
    "too many connections": _NO_CONNECTION_LEFT,
    "remaining connection slots": _NO_CONNECTION_LEFT,
    "password": _REFUSED_USER,
    "no pg_hba.conf entry": _REFUSED_USER,
    "authentication failed": _REFUSED_USER,
    "is not permitted to log in": _REFUSED_USER,
    "SSL was required": _TLS,
    "certificate": _TLS,
    "does not exist": _UNKNOWN,
}


class Problem(Exception):
    """What is wrong and what to do about it, in one sentence without a secret."""


def explained(error: Exception) -> str | None:
    """Return what to tell the operator about an error that ended a command; None for a bug."""
    if refused := certificate_problem(error):
        return refused
    if isinstance(error, (Problem, SettingsError, KiokuMemoryError)):
        return str(error)
    if isinstance(error, (errors.UndefinedTable, errors.UndefinedColumn)):
        return "The database is not up to date: run `kioku migrate`."
    if isinstance(error, errors.InsufficientPrivilege):
        # A migration has checked what it needs; PostgreSQL's own sentence names what is refused.
        return (
            f"PostgreSQL refuses this to the database user ({error.diag.message_primary}): run"
            " `kioku migrate`, with the address of the database's owner in DATABASE_OWNER_URL."
        )
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return _READ_ONLY
    if isinstance(error, errors.DiskFull):
        return "PostgreSQL's disk is full: give it room."
    if not isinstance(error, OperationalError):
        return None
    text = str(error)  # may quote the address, so it is only searched, never shown
    for words, sentence in _WORDS.items():
        if words in text:
            return sentence
    return _NO_CONNECTION


def cannot_open(
    host: str, port: int, error: OSError | UnicodeError, setting: str = "PORT"
) -> Problem:
    """Return the problem if `port`, set by `setting`, cannot be opened at `host`."""
    # Since Python 3.13 the error of an address of another machine has no number.
    number = getattr(error, "errno", None) or errno.EADDRNOTAVAIL
    if number == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return Problem(
            f"{host} is no address of this machine: set KIOKU_HOST to one, such as 127.0.0.1 or"
            " ::1, without brackets and port."
        )
    why = os.strerror(number)
    return Problem(
        f"Port {port} cannot be opened ({why}): set {setting} to a free one."
    )


def without_secrets(url: str) -> str:
    """Return an address without the user, password and query it may hold."""
    parts = urlsplit(url)
    _, _, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{host}{parts.path}"


def place_of(model: str, server: ModelServer) -> str:
    """Return where a model is: the address of its server, or its provider."""
    if speaks_openai(model):
        return without_secrets(server.base_url)
    return provider_and_name(model)[0]


def token(settings: Settings, name: str) -> str:
    """Return the token of setting `name`. Raises `Problem` if it cannot be one."""
    begin, where = TOKENS[name]
    given = getattr(settings, FIELDS[name])
    if given is None:
        raise Problem(f"{name} is not set: copy it from your app's {where}.")
    value: str = given.get_secret_value()
    if not value.startswith(begin):
        raise Problem(
            f"{name} must begin with {begin}: copy it from your app's {where}."
        )
    return value


def slack_unreachable(url: str) -> Problem:
    """Return the problem if Slack does not answer at `url`."""
    return Problem(
        f"Slack does not answer at {without_secrets(url)}: check {way_to(url)}, and SLACK_API_URL."
    )


def way_to(url: str) -> str:
    """Return what to check on the way to `url` if nothing answers there."""
    proxy = proxy_for(url)
    if proxy is None:
        return "the network, a proxy that may be needed (HTTPS_PROXY)"
    host = urlsplit(url).hostname
    return (
        f"the proxy {without_secrets(proxy)} (HTTPS_PROXY, HTTP_PROXY), whether {host} belongs into"
        " NO_PROXY"
    )
