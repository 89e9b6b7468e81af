"""auth.test, apps.connections.open, users.*, reactions.*."""

import zoneinfo
from datetime import UTC, datetime

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


def is_external(slack: Slack, user: User) -> bool:
    """Whether a person is known by Slack Connect only: Slack does not tell the app their locale."""
    return user.team != slack.workspace.identity.team_id


def user_object(user: User, *, locale: bool) -> Json:
    """The user object Slack returns."""
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
    if locale:
        shown["locale"] = user.locale
    return shown


@serves("users.info")
def users_info(call: Call) -> Json:
    """users.info."""
    user = call.slack.workspace.users.get(call.text("user"))
    if user is None:
        raise SlackError("user_not_found")
    locale = bool(call.args.get("include_locale")) and not is_external(call.slack, user)
    shown = user_object(user, locale=locale)
    if user.team != call.slack.workspace.identity.team_id:
        shown["is_stranger"] = False
    return {"user": shown}


@serves("users.list")
def users_list(call: Call) -> Json:
    """users.list."""
    users = list(call.slack.workspace.users.values())
    page, metadata = call.page(users, default=len(users) or 1)
    locale = bool(call.args.get("include_locale"))
    return {
        "members": [
            user_object(user, locale=locale and not is_external(call.slack, user)) for user in page
        ],
        "cache_ts": int(datetime.now(tz=UTC).timestamp()),
        "response_metadata": metadata,
    }


@serves("reactions.add")
@serves("reactions.remove")
def react(call: Call) -> Json:
    """reactions.add and reactions.remove."""
    add = call.method.name == "reactions.add"
    name = call.text("name").strip(":")
    if not name:
        raise SlackError("invalid_name")
    if "channel" not in call.args or "timestamp" not in call.args:
        raise SlackError("no_item_specified")
    try:
        channel = call.channel()
    except SlackError as error:
        if error.error == "not_in_channel":
            raise SlackError("no_access") from error
        raise
    message = call.message(channel, "timestamp")
    reactions: list[Json] = message.body.setdefault("reactions", [])
    found = next((reaction for reaction in reactions if reaction["name"] == name), None)
    mine = found is not None and call.bot.id in found["users"]
    if add:
        if mine:
            raise SlackError("already_reacted")
        if found is None:
            found = {"name": name, "users": [], "count": 0}
            reactions.append(found)
        found["users"].append(call.bot.id)
    elif found is None or not mine:
        raise SlackError("no_reaction")
    else:
        found["users"].remove(call.bot.id)
    found["count"] = len(found["users"])
    message.body["reactions"] = [reaction for reaction in reactions if reaction["count"]]
    if not message.body["reactions"]:
        del message.body["reactions"]
    call.slack.updates.publish({"changed": "messages", "channel": channel.id, "ts": message.ts})
    return {}
