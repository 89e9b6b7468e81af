"""The part of the control API that changes people, conversations and the installation."""

import random
import zoneinfo
from typing import Any, Literal

from slack_playground import posting
from slack_playground.events import emit, emit_member
from slack_playground.objects import user_object
from slack_playground.records import Channel, Json, User, new_id, without_nulls
from slack_playground.slack import Slack

_FIELDS = {
    "name": str,
    "locale": str,
    "tz": str,
    "deleted": bool,
    "is_restricted": bool,
    "is_ultra_restricted": bool,
    "is_bot": bool,
}


def _checked(fields: Json) -> Json:
    """The given fields of a person; raises ValueError for an invalid one."""
    given = without_nulls(fields)
    for name, value in given.items():
        if type(value) is not _FIELDS.get(name) or value == "":
            raise ValueError(f"{name} cannot be {value!r}.")
        if name == "tz" and value not in zoneinfo.available_timezones():
            raise ValueError(f"{value!r} is not a time zone.")
    return given


def users(
    slack: Slack,
    name: str,
    team: str | None = None,
    external: bool = False,
    **fields: Any,
) -> Json:
    """Add a person; `is_bot`: another app's bot, `external`: a person of another organisation.

    `team` is the workspace of an external person, or else another one of the same organisation.
    """
    checked = _checked({**fields, "name": name.strip()})
    checked["external"] = external
    if external or team:
        checked["team"] = team or new_id("T")
    user = slack.workspace.add_user(**checked)
    slack.updates.publish("state")
    return {"id": user.id, "name": user.name, "is_bot": user.is_bot, "team": user.team}


def users_update(slack: Slack, user: User, **fields: Any) -> None:
    """Change a person's name, locale, time zone; make them a guest; or let them leave."""
    for name, value in _checked(fields).items():
        setattr(user, name, value)
    shown = user_object(user, slack.identity.team_id)
    emit(slack, "user_change", user=shown, cache_ts=user.updated)
    slack.updates.publish("state")


def channels(
    slack: Slack,
    kind: Literal["public", "private", "mpim", "connect"],
    members: list[str],
    name: str | None = None,
    app: bool = True,
) -> Json:
    """Add a conversation; the app is a member unless "app" is false."""
    inside = [slack.workspace.user(user).id for user in members]
    if not inside:
        raise ValueError("members is empty: a conversation has people in it.")
    if app:
        inside.append(slack.identity.bot_user_id)
    number = len(slack.workspace.channels)
    is_shared = kind == "connect"
    channel = slack.workspace.add_channel(
        name or f"channel-{number}",
        "public" if kind == "connect" else kind,
        inside,
        shared=is_shared,
    )
    slack.updates.publish("state")
    return {"id": channel.id, "name": channel.name}


def channels_update(
    slack: Slack,
    channel: str,
    add: list[str] | None = None,
    remove: list[str] | None = None,
    private: bool | None = None,
    archived: bool | None = None,
    shared: bool | None = None,
    pending: bool | None = None,
    org_shared: bool | None = None,
    told: bool | None = None,
) -> None:
    """Archive, unarchive, share, unshare, make private or public, add or remove people.

    `pending`: another organisation is invited; `org_shared`: other workspaces of the organisation
    share it; without `told` Slack does not tell its kind. The app can be removed too: it gets
    `channel_left` or `group_left`.
    """
    workspace = slack.workspace
    place = workspace.channel(channel)
    joining = [workspace.user(user) for user in add or ()]
    leaving = [workspace.user(user) for user in remove or ()]
    if private is not None:
        _convert(slack, place, "private" if private else "public")
    if archived is not None:
        _archive(slack, place, archived)
    if shared is not None:
        _share(slack, place, shared)
    if pending is not None:
        place.pending = pending
    if org_shared is not None:
        place.org_shared = org_shared
    if told is not None:
        place.told = told
    for user in joining:
        posting.join(slack, place, user)
    for user in leaving:
        _leave(slack, place, user)
    slack.updates.publish("state")


def _convert(
    slack: Slack, channel: Channel, kind: Literal["public", "private"]
) -> None:
    if channel.kind not in ("public", "private") or channel.kind == kind:
        return
    channel.kind = kind
    text = f"made this channel *{kind}*."
    posting.post_system_message(
        slack, channel, f"channel_convert_to_{kind}", channel.members[0], text
    )


def _archive(slack: Slack, channel: Channel, archived: bool) -> None:
    if channel.archived == archived:
        return
    channel.archived = archived
    emit(slack, "channel_archive" if archived else "channel_unarchive", channel)


def _share(slack: Slack, channel: Channel, shared: bool) -> None:
    if channel.shared == shared:
        return
    channel.shared = shared
    if shared:
        emit(slack, "channel_shared", channel, connected_team_id=new_id("T"))
    else:
        emit(
            slack, "channel_unshared", channel, previously_connected_team_id=new_id("T")
        )


def _leave(slack: Slack, channel: Channel, user: User) -> None:
    if user.id not in channel.members:
        return
    if user.id == slack.identity.bot_user_id:
        left = "channel_left" if channel.kind == "public" else "group_left"
        emit(slack, left, channel, actor_id=user.id)
    emit_member(slack, channel, user, "member_left_channel")
    channel.members.remove(user.id)


def uninstall(
    slack: Slack,
    events: list[Literal["tokens_revoked", "app_uninstalled"]] | None = None,
) -> None:
    """Uninstall the app: its token stops working and it gets both events, in any order.

    `events` names the events to send instead, in order.
    """
    if events is None:
        events = ["tokens_revoked", "app_uninstalled"]
        random.shuffle(events)
    for name in events:
        if name == "tokens_revoked":
            _tell_of_revoked_token(slack)
        else:
            emit(slack, name, event_ts=None)
    slack.installation.refused = "account_inactive"
    slack.updates.publish("state")


def revoke(slack: Slack) -> None:
    """Revoke the app's token, as auth.revoke does; the app stays installed."""
    slack.installation.refused = "token_revoked"
    _tell_of_revoked_token(slack)


def _tell_of_revoked_token(slack: Slack) -> None:
    tokens = {"oauth": [], "bot": [slack.identity.bot_user_id]}
    emit(slack, "tokens_revoked", event_ts=None, tokens=tokens)


def install(slack: Slack, declined: list[str] | None = None) -> None:
    """Install the app, without the optional scopes in `declined`; its token works again."""
    refused = frozenset(declined or ())
    needed = refused - slack.manifest.optional_scopes
    if needed:
        raise ValueError(f"{min(needed)} is not an optional scope of the manifest.")
    slack.installation.granted = slack.manifest.scopes - refused
    slack.installation.refused = ""
    slack.updates.publish("state")
