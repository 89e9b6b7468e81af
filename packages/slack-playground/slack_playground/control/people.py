"""The part of the control API that creates and changes people and conversations."""

import zoneinfo
from typing import Literal

from slack_playground.records import Json, User, new_id
from slack_playground.slack import Slack
from slack_playground.web_api.people import is_external, user_object


def _time_zone(tz: str) -> str:
    if tz not in zoneinfo.available_timezones():
        raise ValueError(f"{tz!r} is not a time zone.")
    return tz


async def add_user(
    slack: Slack,
    name: str,
    locale: str = "en-US",
    tz: str = "America/Los_Angeles",
    team: str | None = None,
    external: bool = False,
    is_bot: bool = False,
) -> Json:
    """Add a person; `is_bot`: another app's bot, `external`: a person of another workspace."""
    if not name.strip():
        raise ValueError("name must not be empty.")
    user = slack.workspace.add_user(
        name.strip(),
        locale=locale,
        tz=_time_zone(tz),
        team=(team or new_id("T")) if external else None,
        is_bot=is_bot,
    )
    _changed(slack)
    return {"id": user.id, "name": user.name, "is_bot": user.is_bot, "team": user.team}


def _changed(slack: Slack) -> None:
    slack.updates.publish({"changed": "state"})


async def update_user(
    slack: Slack,
    user: str,
    name: str | None = None,
    locale: str | None = None,
    tz: str | None = None,
    deleted: bool | None = None,
    is_restricted: bool | None = None,
    is_ultra_restricted: bool | None = None,
) -> Json:
    """Change a person's name, locale, time zone; make them a guest; or let them leave."""
    person = slack.workspace.user(user)
    changes = {
        "name": name,
        "locale": locale,
        "tz": None if tz is None else _time_zone(tz),
        "deleted": deleted,
        "is_restricted": is_restricted,
        "is_ultra_restricted": is_ultra_restricted,
    }
    for field, value in changes.items():
        if value is not None:
            setattr(person, field, value)
    slack.events.emit(
        {
            "type": "user_change",
            "user": user_object(person, locale=not is_external(slack, person)),
            "cache_ts": person.updated,
            "event_ts": slack.workspace.next_ts(),
        }
    )
    _changed(slack)
    return {"id": user}


def _people(slack: Slack, ids: list[str] | None) -> list[User]:
    return [slack.workspace.user(user) for user in ids or ()]


async def add_channel(
    slack: Slack,
    kind: Literal["public", "private", "mpim", "connect"],
    members: list[str] | None = None,
    name: str | None = None,
    app: bool = True,
) -> Json:
    """Add a conversation; the app is a member unless "app" is false."""
    inside = [user.id for user in _people(slack, members)]
    if not inside:
        raise ValueError("members is missing: a conversation has people in it.")
    if app:
        inside.append(slack.workspace.identity.bot_user_id)
    channel = slack.workspace.add_channel(
        name or f"channel-{len(slack.workspace.channels)}",
        "public" if kind == "connect" else kind,
        inside,
        shared=kind == "connect",
    )
    _changed(slack)
    return {"id": channel.id, "name": channel.name, "channel": channel.id}


async def update_channel(
    slack: Slack,
    channel: str,
    authorized: str | None = None,
    add: list[str] | None = None,
    remove: list[str] | None = None,
    private: bool | None = None,
    archived: bool | None = None,
    shared: bool | None = None,
) -> Json:
    """Archive, unarchive, share, unshare, make private or public, add or remove people.

    The app can be removed too: it gets `channel_left` or `group_left`. `authorized` is the
    workspace whose authorization the channel's events carry.
    """
    workspace, events = slack.workspace, slack.events
    place = workspace.channel(channel)
    if authorized is not None:
        events.authorized[place.id] = slack.workspaces.of(authorized).workspace.identity
    joining = [user for user in _people(slack, add) if user.id not in place.members]
    leaving = [user for user in _people(slack, remove) if user.id in place.members]
    open_to_all = place.kind in ("public", "private")
    if private is not None and open_to_all and private != (place.kind == "private"):
        place.kind = "private" if private else "public"
        done = f"channel_convert_to_{place.kind}"
        text = f"made this channel *{place.kind}*."
        slack.posting.system(place, done, place.members[0], text)
    if archived is not None and archived != place.archived:
        place.archived = archived
        events.notice(place, "channel_archive" if archived else "channel_unarchive")
    if shared is not None and shared != place.shared:
        place.shared = shared
        other = {"connected_team_id" if shared else "previously_connected_team_id": new_id("T")}
        events.notice(place, "channel_shared" if shared else "channel_unshared", **other)
    slack.posting.join(place, joining)
    for user in leaving:
        if user.id == workspace.identity.bot_user_id:
            left = "channel_left" if place.kind == "public" else "group_left"
            events.notice(place, left, actor_id=user.id)
        events.member(place, user, "member_left_channel")
        place.members.remove(user.id)
    _changed(slack)
    return {"id": place.id}


POSTS = {
    "users": add_user,
    "users/update": update_user,
    "channels": add_channel,
    "channels/update": update_channel,
}
