"""OAuth: a person's consent to an installation, and oauth.v2.access, which issues its tokens."""

import secrets
import time
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import web

from slack_playground.objects import slack_object
from slack_playground.records import LOOPBACK, Code, Json, comma_separated, new_number
from slack_playground.slack import CLIENT_ID, CLIENT_SECRET, Slack, Workspaces
from slack_playground.web_api.call import Call, serves
from slack_playground.web_api.methods import SlackError
from slack_playground.workspace import NotFoundError, Workspace


class AuthorizeError(ValueError):
    """The authorization URL is wrong; the message begins with Slack's error."""


def redirect_after_consent(
    slack: Slack, query: Json, user: str | None, declined: Sequence[str] = ()
) -> str:
    """Accept a person's consent, or, without `user`, a refusal; return the URL they are sent to.

    `query` has the parameters of the authorization URL. Optional scopes in `declined` are left out.
    Raises AuthorizeError.
    """
    if query.get("client_id") != CLIENT_ID:
        raise AuthorizeError("invalid_client_id: no app has this client_id.")
    scopes = _granted(slack, query, declined)
    back = urlsplit(_redirect_uri(slack, query))
    answer = {"error": "access_denied"}
    if user is not None:
        code = Code(
            team_id=slack.identity.team_id,
            user=slack.workspace.user(user).id,
            scopes=scopes,
            redirect_uri=str(query.get("redirect_uri", "")),
        )
        answer = {"code": _store(slack, code)}
    answer["state"] = str(query.get("state", ""))
    added = urlencode(answer)
    if back.query:
        added = f"{back.query}&{added}"
    return urlunsplit(back._replace(query=added))


def _granted(slack: Slack, query: Json, declined: Sequence[str]) -> frozenset[str]:
    """The scopes that the authorization URL asks for, without those in `declined`."""
    asked = frozenset(comma_separated(str(query.get("scope", ""))))
    if not asked:
        raise AuthorizeError("no_scopes: the app asks for no scope.")
    user_scopes = comma_separated(str(query.get("user_scope", "")))
    unknown = asked.union(user_scopes) - slack.manifest.scopes
    if unknown:
        raise AuthorizeError(
            f"invalid_scope: {min(unknown)} is not a bot scope of the manifest."
        )
    refused = set(declined) - (slack.manifest.optional_scopes & asked)
    if refused:
        raise AuthorizeError(f"invalid_scope: {min(refused)} cannot be declined.")
    return asked.difference(declined)


def _store(slack: Slack, code: Code) -> str:
    """Keep a code until it is exchanged; return its value, in Slack's format."""
    value = f"{new_number()}.{new_number()}.{secrets.token_hex(32)}"
    slack.workspaces.codes[value] = code
    return value


def _redirect_uri(slack: Slack, query: Json) -> str:
    """The URL to send the person back to: on this machine, below a path of the manifest."""
    allowed = slack.manifest.redirect_urls
    uri = str(query.get("redirect_uri") or "")
    if not uri and allowed:
        uri = allowed[0]
    parts = urlsplit(uri)
    if parts.hostname not in LOOPBACK or parts.fragment:
        raise AuthorizeError(
            "bad_redirect_uri: redirect_uri must be an address of this machine, without #."
        )
    if allowed and not any(_is_below(parts.path, url) for url in allowed):
        raise AuthorizeError(
            "bad_redirect_uri: redirect_uri matches no redirect URL of the app."
        )
    return uri


def _is_below(path: str, url: str) -> bool:
    """Whether a path is that of `url`, or below it."""
    allowed = urlsplit(url).path.rstrip("/")
    return f"{path}/".startswith(f"{allowed}/")


async def authorize(slack: Slack, request: web.Request) -> web.StreamResponse:
    """The authorization URL, where the first person of a workspace allows the installation.

    The workspace is the one that `team` names, or else the first one without the app. By the
    control API somebody else can consent, decline scopes, or refuse.
    """
    query: Json = dict(request.query)
    try:
        chosen = _workspace_for(slack.workspaces, query.get("team", ""))
        person = _first_person(chosen.workspace)
        raise web.HTTPFound(redirect_after_consent(chosen, query, person))
    except (AuthorizeError, NotFoundError) as error:
        return web.Response(text=str(error), status=400)


def _workspace_for(workspaces: Workspaces, team: str) -> Slack:
    if not team:
        for slack in workspaces.all:
            if not slack.installation.installed:
                return slack
    return workspaces.of(team)


def _first_person(workspace: Workspace) -> str:
    for user in workspace.users.values():
        is_person = not user.is_bot and not user.deleted
        is_from_here = user.team == workspace.identity.team_id
        if is_person and is_from_here:
            return user.id
    raise NotFoundError("user", "")


@serves("oauth.v2.access")
def access(call: Call) -> Json:
    """oauth.v2.access: tokens for a code, or for a refresh token.

    The client id and secret are arguments, or come by HTTP Basic authentication.
    """
    if call.text("client_id") != CLIENT_ID:
        raise SlackError("invalid_client_id")
    if call.text("client_secret") != CLIENT_SECRET:
        raise SlackError("bad_client_secret")
    match call.text("grant_type", "authorization_code"):
        case "authorization_code":
            return _for_code(call)
        case "refresh_token":
            return _for_refresh_token(call)
    raise SlackError("invalid_grant_type")


def _for_code(call: Call) -> Json:
    workspaces = call.slack.workspaces
    settings = call.slack.settings
    code = workspaces.codes.get(call.text("code"))
    if code is None or time.monotonic() - code.born > settings.code_seconds:
        raise SlackError("invalid_code")
    if code.redirect_uri != call.text("redirect_uri"):
        raise SlackError("bad_redirect_uri")
    del workspaces.codes[call.text("code")]
    slack = workspaces.of(code.team_id)
    seconds = settings.token_seconds if slack.manifest.token_rotation else None
    grant = slack.installation.install(code.scopes, seconds=seconds)
    slack.updates.publish("state")
    return {**_installed(slack, grant), "authed_user": {"id": code.user}}


def _for_refresh_token(call: Call) -> Json:
    slack, token = call.slack.workspaces.caller(call.text("refresh_token"))
    if token is None or token.kind != "refresh" or token.error:
        raise SlackError("invalid_refresh_token")
    grant = slack.installation.refresh(
        token,
        seconds=slack.settings.token_seconds,
        grace=slack.settings.refresh_grace_seconds,
    )
    return _installed(slack, grant)


def _installed(slack: Slack, grant: Json) -> Json:
    identity = slack.identity
    return slack_object(
        "installation",
        app_id=identity.app_id,
        scope=",".join(sorted(slack.installation.granted)),
        bot_user_id=identity.bot_user_id,
        team={"id": identity.team_id, "name": identity.team_name},
        **grant,
    )
