"""The part of the control API that creates and changes people and conversations."""

import zoneinfo

from slack_playground.control.request import Act, BadRequestError
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
        self.posts: dict[str, Act] = {
            "users": self.add_user,
            "users/update": self.update_user,
            "channels": self.add_channel,
            "channels/update": self.update_channel,
        }

    @staticmethod
    def _time_zone(tz: str) -> str:
        if tz not in zoneinfo.available_timezones():
            raise BadRequestError(f"{tz!r} is not a time zone.")
        return tz

    async def add_user(
        self,
        name: str,
        locale: str = "en-US",
        tz: str = "America/Los_Angeles",
        team: str | None = None,
        external: bool = False,
        is_bot: bool = False,
    ) -> Json:
        """Add a person; `is_bot`: another app's bot, `external`: a person of another workspace."""
        if not name.strip():
            raise BadRequestError("name must not be empty.")
        user = self._slack.workspace.add_user(
            name.strip(),
            locale=locale,
            tz=self._time_zone(tz),
            team=(team or new_id("T")) if external else None,
            is_bot=is_bot,
        )
        self._changed()
        return {"id": user.id, "name": user.name, "is_bot": user.is_bot, "team": user.team}

    def _changed(self) -> None:
        self._slack.updates.publish({"changed": "state"})

    async def update_user(
        self,
        user: str,
        name: str | None = None,
        locale: str | None = None,
        tz: str | None = None,
        deleted: bool | None = None,
        is_restricted: bool | None = None,
        is_ultra_restricted: bool | None = None,
    ) -> Json:
        """Change a person's name, locale, time zone; make them a guest; or let them leave."""
        person = self._slack.workspace.user(user)
        changes = {
            "name": name,
            "locale": locale,
            "tz": None if tz is None else self._time_zone(tz),
            "deleted": deleted,
            "is_restricted": is_restricted,
            "is_ultra_restricted": is_ultra_restricted,
        }
        for field, value in changes.items():
            if value is not None:
                setattr(person, field, value)
        self._slack.workspace.save(person)
        self._slack.events.emit(
            {
                "type": "user_change",
                "user": user_object(person, locale=not is_external(self._slack, person)),
                "cache_ts": person.updated,
                "event_ts": self._slack.workspace.next_ts(),
            }
        )
        self._changed()
        return {"id": user}

    def _people(self, ids: list[str] | None) -> list[User]:
        return [self._slack.workspace.user(user) for user in ids or ()]

    async def add_channel(
        self,
        kind: str,
        members: list[str] | None = None,
        name: str | None = None,
        app: bool = True,
    ) -> Json:
        """Add a conversation; the app is a member unless "app" is false."""
        if kind not in _KINDS:
            raise BadRequestError(f"kind is one of {', '.join(_KINDS)}.")
        inside = [user.id for user in self._people(members)]
        if not inside:
            raise BadRequestError("members is missing: a conversation has people in it.")
        if app:
            inside.append(self._slack.workspace.identity.bot_user_id)
        channel = self._slack.workspace.add_channel(
            name or f"channel-{len(self._slack.workspace.channels)}",
            _KINDS[kind],
            inside,
            shared=kind == "connect",
        )
        self._changed()
        return {"id": channel.id, "name": channel.name, "channel": channel.id}

    async def update_channel(
        self,
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
        workspace, events = self._slack.workspace, self._slack.events
        place = workspace.channel(channel)
        if authorized is not None:
            events.authorized[place.id] = self._slack.workspaces.of(authorized).workspace.identity
        joining = [user for user in self._people(add) if user.id not in place.members]
        leaving = [user for user in self._people(remove) if user.id in place.members]
        open_to_all = place.kind in ("public", "private")
        if private is not None and open_to_all and private != (place.kind == "private"):
            place.kind = "private" if private else "public"
            done = f"channel_convert_to_{place.kind}"
            text = f"made this channel *{place.kind}*."
            self._slack.posting.system(place, done, place.members[0], text)
        if archived is not None and archived != place.archived:
            place.archived = archived
            events.notice(place, "channel_archive" if archived else "channel_unarchive")
        if shared is not None and shared != place.shared:
            place.shared = shared
            other = {"connected_team_id" if shared else "previously_connected_team_id": new_id("T")}
            events.notice(place, "channel_shared" if shared else "channel_unshared", **other)
        workspace.save(place)
        self._slack.posting.join(place, joining)
        for user in leaving:
            if user.id == workspace.identity.bot_user_id:
                left = "channel_left" if place.kind == "public" else "group_left"
                events.notice(place, left, actor_id=user.id)
            events.member(place, user, "member_left_channel")
            place.members.remove(user.id)
            workspace.save(place)
        self._changed()
        return {"id": place.id}
