"""auth.*, apps.connections.open, users.*, reactions.*."""

from slack_playground import posting
from slack_playground.objects import slack_object, user_object
from slack_playground.records import Json, Message
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


@serves("reactions.add", "reactions.remove")
def _react(call: Call) -> Json:
    name = call.text("name").strip(":")
    bot = call.bot.id
    if not name:
        raise SlackError("invalid_name")
    message = _reacted_to(call)
    given = message.body.get("reactions", [])
    reactions = {one["name"]: one["users"] for one in given}
    users = reactions.setdefault(name, [])
    if call.method.name == "reactions.add":
        if bot in users:
            raise SlackError("already_reacted")
        users.append(bot)
    else:
        if bot not in users:
            raise SlackError("no_reaction")
        users.remove(bot)
    if not users:
        del reactions[name]
    message.body["reactions"] = [
        {"name": name, "users": users, "count": len(users)}
        for name, users in reactions.items()
    ]
    posting.notify_page(call.slack, message)
    return {}


def _reacted_to(call: Call) -> Message:
    if "channel" not in call.args or "timestamp" not in call.args:
        raise SlackError("no_item_specified")
    channel = call.channel(member=False)
    if call.bot.id not in channel.members:
        raise SlackError("no_access")
    return call.workspace.message(channel.id, call.text("timestamp"))
