"""auth.test, apps.connections.open, users.*, reactions.*."""

import zoneinfo
from datetime import UTC, datetime

from slack_playground import posting
from slack_playground.records import Json, User
from slack_playground.slack import Slack
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


def user_object(slack: Slack, user: User, *, locale: bool = True) -> Json:
    """The user object Slack returns; of people known by Slack Connect it never has the locale."""
    now = datetime.now(tz=zoneinfo.ZoneInfo(user.tz))
    offset = now.utcoffset()
    shown: Json = {
        "id": user.id,
        "team_id": user.team,
        "name": user.name.lower(),
        "deleted": user.deleted,
        "color": "4bbe2e",
        "real_name": user.name,
        "tz": user.tz,
        "tz_label": now.tzname(),
        "tz_offset": int(offset.total_seconds()) if offset is not None else 0,
        "profile": {
            "title": "",
            "real_name": user.name,
            "real_name_normalized": user.name,
            "display_name": user.name,
            "display_name_normalized": user.name,
            "team": user.team,
        },
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": user.is_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": user.updated,
    }
    if user.is_bot:
        shown["profile"] |= {"api_app_id": user.app_id, "bot_id": user.bot_id}
    if locale and user.team == slack.workspace.identity.team_id:
        shown["locale"] = user.locale
    return shown


@serves("users.info")
def users_info(call: Call) -> Json:
    """users.info."""
    user = call.slack.workspace.users.get(call.text("user"))
    if user is None:
        raise SlackError("user_not_found")
    shown = user_object(call.slack, user, locale=bool(call.args.get("include_locale")))
    if user.team != call.slack.workspace.identity.team_id:
        shown["is_stranger"] = False
    return {"user": shown}


@serves("users.list")
def users_list(call: Call) -> Json:
    """users.list."""
    users = list(call.slack.workspace.users.values())
    page, metadata = call.page(users, default=len(users))
    locale = bool(call.args.get("include_locale"))
    return {
        "members": [user_object(call.slack, user, locale=locale) for user in page],
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
