"""oauth.v2.access: tokens of an installation."""

import hmac

from slack_playground.installing import AuthorizeError, take_code
from slack_playground.records import Json
from slack_playground.slack import CLIENT_ID, CLIENT_SECRET, Slack
from slack_playground.web_api.call import Call, SlackError, serves


@serves("oauth.v2.access")
def access(call: Call) -> Json:
    """oauth.v2.access: tokens for a code, or for a refresh token."""
    _check_client(call)
    match call.text("grant_type", "authorization_code"):
        case "authorization_code":
            return _for_code(call)
        case "refresh_token":
            return _for_refresh_token(call)
    raise SlackError("invalid_grant_type")


def _check_client(call: Call) -> None:
    """Check the client id and secret, which come as arguments or by HTTP Basic authentication."""
    if call.text("client_id") != CLIENT_ID:
        raise SlackError("invalid_client_id")
    if not hmac.compare_digest(call.text("client_secret").encode(), CLIENT_SECRET.encode()):
        raise SlackError("bad_client_secret")


def _for_code(call: Call) -> Json:
    workspaces = call.slack.workspaces
    try:
        code = take_code(workspaces, call.text("code"), call.text("redirect_uri"))
    except AuthorizeError:
        raise SlackError("bad_redirect_uri") from None
    if code is None:
        raise SlackError("invalid_code")
    slack = workspaces.of(code.team_id)
    seconds = slack.settings.token_seconds if slack.manifest.token_rotation else None
    grant = slack.installation.install(code.scopes, seconds=seconds)
    workspaces.updates.publish({"changed": "state"})
    return {**_installed(slack, grant), "authed_user": {"id": code.user}}


def _for_refresh_token(call: Call) -> Json:
    slack, token = call.slack.workspaces.caller(call.text("refresh_token"))
    if token is None or token.kind != "refresh" or token.error:
        raise SlackError("invalid_refresh_token")
    grant = slack.installation.refresh(
        token, seconds=slack.settings.token_seconds, grace=slack.settings.refresh_grace_seconds
    )
    return _installed(slack, grant)


def _installed(slack: Slack, grant: Json) -> Json:
    identity = slack.workspace.identity
    return {
        "app_id": identity.app_id,
        "scope": ",".join(sorted(slack.granted)),
        "token_type": "bot",
        **grant,
        "bot_user_id": identity.bot_user_id,
        "team": {"id": identity.team_id, "name": identity.team_name},
        "enterprise": None,
        "is_enterprise_install": False,
    }
