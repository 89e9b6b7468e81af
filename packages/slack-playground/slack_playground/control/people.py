"""The part of the control API that creates and changes people and conversations."""

import zoneinfo
from collections.abc import Awaitable, Callable

from slack_playground.control.input import BadRequestError, Input
from slack_playground.records import Json, Kind, User, new_id
from slack_playground.slack import Slack
from slack_playground.web_api.people import is_external, user_object

_KINDS: dict[str, Kind] = {
    "public": "public",
    "private": "private",
    "mpim": "mpim",
    "connect": "public",
}


class People:
    """Users and channels."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self.posts: dict[str, Callable[[Input], Awaitable[Json]]] = {
            "users": self.add_user,
            "users/update": self.update_user,
            "channels": self.add_channel,
            "channels/update": self.update_channel,
        }

    @staticmethod
    def _time_zone(given: Input, default: str) -> str:
        tz = given.text("tz", default=default)
        if tz not in zoneinfo.available_timezones():
            raise BadRequestError(f"{tz!r} is not a time zone.")
        return tz

    async def add_user(self, given: Input) -> Json:
        """Add a person; `is_bot`: another app's bot, `external`: a person of another workspace."""
        name = given.text("name").strip()
        if not name:
            raise BadRequestError("name must not be empty.")
        user = self._slack.workspace.add_user(
            name,
            locale=given.text("locale", default="en-US"),
            tz=self._time_zone(given, "America/Los_Angeles"),
            team=given.text("team", default=new_id("T")) if given.flag("external") else None,
            is_bot=given.flag("is_bot"),
        )
        self._changed()
        return {"id": user.id, "name": user.name, "is_bot": user.is_bot, "team": user.team}

    def _changed(self) -> None:
        self._slack.updates.publish({"changed": "state"})

    async def update_user(self, given: Input) -> Json:
        """Change a person's name, locale, time zone; make them a guest; or let them leave."""
        user = self._slack.workspace.user(given.text("user"))
        user.name = given.text("name", default=user.name)
        user.locale = given.text("locale", default=user.locale)
        user.tz = self._time_zone(given, user.tz)
        for flag in ("deleted", "is_restricted", "is_ultra_restricted"):
            setattr(user, flag, given.flag(flag, default=getattr(user, flag)))
        self._slack.workspace.save(user)
        self._slack.events.emit(
            {
                "type": "user_change",
                "user": user_object(user, locale=not is_external(self._slack, user)),
                "cache_ts": user.updated,
                "event_ts": self._slack.workspace.next_ts(),
            }
        )
        self._changed()
        return {"id": user.id}

    def _people(self, given: Input, name: str) -> list[User]:
        return [self._slack.workspace.user(user) for user in given.strings(name, default=[])]

    async def add_channel(self, given: Input) -> Json:
        """Add a conversation; the app is a member unless "app" is false."""
        kind = given.text("kind")
        if kind not in _KINDS:
            raise BadRequestError(f"kind is one of {', '.join(_KINDS)}.")
        members = [user.id for user in self._people(given, "members")]
        if not members:
            raise BadRequestError("members is missing: a conversation has people in it.")
        if given.flag("app", default=True):
            members.append(self._slack.workspace.identity.bot_user_id)
        channel = self._slack.workspace.add_channel(
            given.text("name", default=f"channel-{len(self._slack.workspace.channels)}"),
            _KINDS[kind],
            members,
            shared=kind == "connect",
        )
        self._changed()
        return {"id": channel.id, "name": channel.name, "channel": channel.id}

    async def update_channel(self, given: Input) -> Json:
        """Archive, unarchive, share, unshare, make private or public, add or remove people.

        The app can be removed too: it gets `channel_left` or `group_left`. `authorized` is the
        workspace whose authorization the channel's events carry.
        """
        workspace, events = self._slack.workspace, self._slack.events
        channel = workspace.channel(given.text("channel"))
        if (authorized := given.optional("authorized")) is not None:
            events.authorized[channel.id] = self._slack.workspaces.of(authorized).workspace.identity
        joining = [user for user in self._people(given, "add") if user.id not in channel.members]
        leaving = [user for user in self._people(given, "remove") if user.id in channel.members]
        private = given.flag("private", default=channel.kind == "private")
        if channel.kind in ("public", "private") and private != (channel.kind == "private"):
            channel.kind = "private" if private else "public"
            done = f"channel_convert_to_{channel.kind}"
            text = f"made this channel *{channel.kind}*."
            self._slack.posting.system(channel, done, channel.members[0], text)
        archived = given.flag("archived", default=channel.archived)
        if archived != channel.archived:
            channel.archived = archived
            events.notice(channel, "channel_archive" if archived else "channel_unarchive")
        shared = given.flag("shared", default=channel.shared)
        if shared != channel.shared:
            channel.shared = shared
            other = {"connected_team_id" if shared else "previously_connected_team_id": new_id("T")}
            events.notice(channel, "channel_shared" if shared else "channel_unshared", **other)
        workspace.save(channel)
        self._slack.posting.join(channel, joining)
        for user in leaving:
            if user.id == workspace.identity.bot_user_id:
                left = "channel_left" if channel.kind == "public" else "group_left"
                events.notice(channel, left, actor_id=user.id)
            events.member(channel, user, "member_left_channel")
            channel.members.remove(user.id)
            workspace.save(channel)
        self._changed()
        return {"id": channel.id}
