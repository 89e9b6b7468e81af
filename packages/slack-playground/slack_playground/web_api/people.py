"""auth.test, apps.connections.open, users.*, reactions.*."""

from datetime import UTC, datetime

from slack_playground import posting
from slack_playground.objects import user_object
from slack_playground.records import Json
from slack_playground.web_api.call import Call, SlackError, serves


@serves("auth.test")
def auth_test(call: Call) -> Json:
    """auth.test."""
    identity = call.slack.workspace.identity
    return {
        "url": f"https://{identity.team_domain}.slack.com/",
        "team": identity.team_name,
        "user": call.bot.name.lower(),
        "team_id": identity.team_id,
        "user_id": identity.bot_user_id,
        "bot_id": identity.bot_id,
        "app_id": identity.app_id,
        "is_enterprise_install": False,
    }


@serves("apps.connections.open")
def connections_open(call: Call) -> Json:
    """apps.connections.open."""
    if not call.slack.manifest.socket_mode:
        raise SlackError("access_denied")
    url = call.slack.url.replace("http", "ws", 1)
    return {"url": f"{url}/link/?ticket={call.slack.socket_mode.ticket()}"}


@serves("users.info")
def users_info(call: Call) -> Json:
    """users.info."""
    user = call.slack.workspace.users.get(call.text("user"))
    if user is None:
        raise SlackError("user_not_found")
    shown = user_object(user, call.bot.team, locale=bool(call.args.get("include_locale")))
    if user.team != call.bot.team:
        shown["is_stranger"] = False
    return {"user": shown}


@serves("users.list")
def users_list(call: Call) -> Json:
    """users.list."""
    users = list(call.slack.workspace.users.values())
    page, metadata = call.page(users, default=len(users))
    locale = bool(call.args.get("include_locale"))
    return {
        "members": [user_object(user, call.bot.team, locale=locale) for user in page],
        "cache_ts": int(datetime.now(tz=UTC).timestamp()),
        "response_metadata": metadata,
    }


@serves("reactions.add", "reactions.remove")
def react(call: Call) -> Json:
    """reactions.add and reactions.remove."""
    name, bot = call.text("name").strip(":"), call.bot.id
    if not name:
        raise SlackError("invalid_name")
    if "channel" not in call.args or "timestamp" not in call.args:
        raise SlackError("no_item_specified")
    channel = call.channel(member=False)
    if bot not in channel.members:
        raise SlackError("no_access")
    message = call.message(channel, "timestamp")
    known = {one["name"]: one["users"] for one in message.body.get("reactions", [])}
    users = known.setdefault(name, [])
    if call.method.name == "reactions.add":
        if bot in users:
            raise SlackError("already_reacted")
        users.append(bot)
    else:
        if bot not in users:
            raise SlackError("no_reaction")
        users.remove(bot)
    message.body["reactions"] = [
        {"name": name, "users": users, "count": len(users)}
        for name, users in known.items()
        if users
    ]
    posting.published(call.slack, message)
    return {}
