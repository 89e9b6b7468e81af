"""auth.*, apps.connections.open, users.*."""

from slack_playground.objects import slack_object, user_object
from slack_playground.records import Json
from slack_playground.web_api.call import Call, serves
from slack_playground.web_api.methods import SlackError


@serves("auth.test")
def _auth_test(call: Call) -> Json:
    identity = call.workspace.identity
    enterprise = call.slack.settings.enterprise_id
    in_enterprise = {"enterprise_id": enterprise} if enterprise else {}
    return {
        "url": f"https://{identity.team_domain}.slack.com/",
        "team": identity.team_name,
        "user": call.bot.handle,
        "team_id": identity.team_id,
        "user_id": identity.bot_user_id,
        "bot_id": identity.bot_id,
        "app_id": identity.app_id,
        "is_enterprise_install": False,
        **in_enterprise,
    }


@serves("apps.connections.open")
def _connections_open(call: Call) -> Json:
    if not call.slack.manifest.socket_mode:
        raise SlackError("access_denied")
    url = call.slack.url.replace("http", "ws", 1)
    ticket = call.slack.socket_mode.ticket()
    return {"url": f"{url}/link/?ticket={ticket}"}


@serves("users.info")
def _users_info(call: Call) -> Json:
    user = call.workspace.user(call.text("user"))
    with_locale = bool(call.args.get("include_locale"))
    shown = user_object(user, call.bot.team, locale=with_locale)
    if user.external:
        shown["is_stranger"] = False
    enterprise = call.slack.settings.enterprise_id
    if enterprise and not user.external:
        teams = [user.team]
        shown["enterprise_user"] = slack_object(
            "enterprise_user", id=user.id, enterprise_id=enterprise, teams=teams
        )
    return {"user": shown}
