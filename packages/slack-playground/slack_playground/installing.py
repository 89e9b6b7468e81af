"""Consent to an installation, and the end of one: what both the Web API and people can start."""

import random
import secrets
import time
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import web

from slack_playground.installation import Code
from slack_playground.records import LOOPBACK, Json
from slack_playground.slack import CLIENT_ID, Slack, Workspaces
from slack_playground.workspace import NotFoundError

DEPARTURES = ("tokens_revoked", "app_uninstalled")


class AuthorizeError(ValueError):
    """The address of consent is wrong; the message begins with Slack's error."""


def _asked(slack: Slack, query: Json) -> tuple[list[str], str]:
    """Check the parameters of the address of consent; return the scopes and where the person goes.

    Raises AuthorizeError.
    """
    if query.get("client_id") != CLIENT_ID:
        raise AuthorizeError("invalid_client_id: no app has this client_id.")
    scopes = [scope for scope in str(query.get("scope", "")).split(",") if scope]
    if not scopes:
        raise AuthorizeError("no_scopes: the app asks for no scope.")
    wanted = [*scopes, *filter(None, str(query.get("user_scope", "")).split(","))]
    if unknown := sorted(set(wanted) - slack.manifest.scopes):
        raise AuthorizeError(f"invalid_scope: {unknown[0]} is not a bot scope of the manifest.")
    return scopes, _redirect_uri(slack, str(query.get("redirect_uri", "")))


def _redirect_uri(slack: Slack, given: str) -> str:
    """The address to send the person back to: on this machine, below a path of the manifest."""
    uri = given or next(iter(slack.manifest.redirect_urls), "")
    parts = urlsplit(uri)
    if parts.hostname not in LOOPBACK or parts.fragment:
        raise AuthorizeError(
            "bad_redirect_uri: redirect_uri must be an address of this machine, without #."
        )
    paths = [urlsplit(one).path.rstrip("/") for one in slack.manifest.redirect_urls]
    if paths and not any(f"{parts.path}/".startswith(f"{path}/") for path in paths):
        raise AuthorizeError("bad_redirect_uri: redirect_uri matches no redirect URL of the app.")
    return uri


def workspace_summary(slack: Slack) -> Json:
    """A workspace as lists show it."""
    identity = slack.workspace.identity
    return {
        "team_id": identity.team_id,
        "name": identity.team_name,
        "domain": identity.team_domain,
        "installed": slack.installation.installed,
    }


async def authorize(slack: Slack, request: web.Request) -> web.StreamResponse:
    """The address of consent, where the first person of a workspace allows the installation.

    It is the workspace that `team` names, else the first one without the app. In the control API
    somebody else consents, declines scopes, or refuses.
    """
    query: Json = dict(request.query)
    try:
        without = [one for one in slack.workspaces.all if not one.installation.installed]
        team = str(query.get("team", ""))
        chosen = without[0] if without and not team else slack.workspaces.of(team)
        own = chosen.workspace.identity.team_id
        people = (one for one in chosen.workspace.users.values() if one.team == own)
        user = next(one.id for one in people if not (one.is_bot or one.deleted))
        raise web.HTTPFound(consent(chosen, user, query, []))
    except (AuthorizeError, NotFoundError) as error:
        return web.Response(text=str(error), status=400)


def consent(slack: Slack, user: str, query: Json, declined: Sequence[str]) -> str:
    """Take a person's consent; return the address they go to, with a code.

    Optional scopes that are `declined` are left out. Raises AuthorizeError.
    """
    scopes, uri = _asked(slack, query)
    if refused := sorted(set(declined) - slack.manifest.optional_scopes.intersection(scopes)):
        raise AuthorizeError(f"invalid_scope: {refused[0]} cannot be declined.")
    numbers = ".".join(str(secrets.randbelow(10**12) + 10**12) for _ in range(2))
    code = f"{numbers}.{secrets.token_hex(32)}"
    slack.workspaces.codes[code] = Code(
        team_id=slack.workspace.identity.team_id,
        user=slack.workspace.user(user).id,
        scopes=frozenset(scopes) - frozenset(declined),
        redirect_uri=str(query.get("redirect_uri", "")),
        born=time.monotonic(),
    )
    return _with_answer(uri, query, code=code)


def refuse(slack: Slack, query: Json) -> str:
    """Take a person's refusal; return the address they go to. Raises AuthorizeError."""
    return _with_answer(_asked(slack, query)[1], query, error="access_denied")


def _with_answer(uri: str, query: Json, **answer: str) -> str:
    parts = urlsplit(uri)
    added = urlencode({**answer, "state": str(query.get("state", ""))})
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, added)))))


def take_code(workspaces: Workspaces, value: str, redirect_uri: str) -> Code | None:
    """Use a code up; None for one that is unknown, used or too old.

    Raises AuthorizeError for another `redirect_uri` than the code was given for, which leaves the
    code as it is.
    """
    code = workspaces.codes.get(value)
    if code is None:
        return None
    if time.monotonic() - code.born > workspaces.first.settings.code_seconds:
        return None
    if code.redirect_uri != redirect_uri:
        raise AuthorizeError("bad_redirect_uri: it is not the one that the code was given for.")
    return workspaces.codes.pop(value)


def uninstall(slack: Slack, events: Sequence[str] | None = None) -> None:
    """Uninstall the app: its tokens stop working and it gets both events, in any order.

    `events` names those that are sent instead, in their order.
    """
    _send(slack, events if events is not None else random.sample(DEPARTURES, len(DEPARTURES)))
    slack.installation.uninstall()
    slack.workspaces.updates.publish({"changed": "state"})


def _send(slack: Slack, events: Sequence[str]) -> None:
    for name in events:
        event: Json = {"type": name}
        if name == "tokens_revoked":
            event["tokens"] = {"oauth": [], "bot": [slack.workspace.identity.bot_user_id]}
        slack.events.emit(event)
