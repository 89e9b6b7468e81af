"""Who is a member of the workspace, and what a conversation is, according to Slack."""

from __future__ import annotations

from typing import Literal, TypeAlias

from bot.slack.cache import Cache
from bot.slack.client import SlackApi
from bot.slack.messages import Installation, is_outsider
from bot.slack.names import Names
from memory import DM, PUBLIC, Person
from memory.model import Json

_Standing: TypeAlias = Literal["member", "guest", "outsider"]
_MEMBER_SECONDS = 600.0
# The flags of users who are guests, of other workspaces, deactivated, or no people.
_NO_MEMBERS = (
    "is_restricted",
    "is_ultra_restricted",
    "is_stranger",
    "deleted",
    "is_bot",
)


class Members:
    """Whether people are members, guests or of another organisation, by ``users.info``.

    The answer is trusted for ten minutes in this process; the one that gets an event about a change
    asks again at once. A person about whom Slack gives no clear answer is no member.
    """

    def __init__(self, slack: SlackApi, names: Names) -> None:
        self._slack = slack
        self._names = names
        self._standings: Cache[Person, _Standing] = Cache()

    def invalidate(self, person: Person) -> None:
        """Ask Slack again the next time."""
        self._standings.drop(person)

    async def is_member(self, person: Person) -> bool:
        """Return whether a person is a member of the workspace and not a guest."""
        return await self._standing(person) == "member"

    async def is_outsider(self, person: Person) -> bool:
        """Return whether a person is of another organisation; False if Slack does not tell."""
        return await self._standing(person) == "outsider"

    async def _standing(self, person: Person) -> _Standing | None:
        """Return what Slack says of a person; None if it gives no answer."""
        known = self._standings.find(person)
        if known is not None:
            return known
        user = await self._names.find_user(person.team_id, person.user_id)
        if user is None:
            return None
        found: _Standing = "guest"
        if is_of_others(user, self._slack.installation_in(person.team_id)):
            found = "outsider"
        elif is_member(user, person.team_id):
            found = "member"
        self._standings.keep(person, found, _MEMBER_SECONDS)
        return found


def is_member(user: Json, team_id: str) -> bool:
    """Return whether Slack's user object is that of a member of a workspace, and not of a guest.

    In an enterprise, `team_id` of the object may be another one of the person's workspaces; all of
    them are in its ``enterprise_user``.
    """
    if not user:
        return False
    in_enterprise = user.get("enterprise_user") or {}
    teams = [user.get("team_id") or team_id]
    teams += in_enterprise.get("teams") or ()
    return team_id in teams and not any(map(user.get, _NO_MEMBERS))


def is_of_others(user: Json, installation: Installation) -> bool:
    """Return whether Slack's user object is that of a person of another organisation.

    A person of an Enterprise organisation has its id and their workspaces in ``enterprise_user``.
    """
    in_enterprise = user.get("enterprise_user") or {}
    homes = [user.get("team_id"), in_enterprise.get("enterprise_id")]
    homes += in_enterprise.get("teams") or ()
    outside = [is_outsider(one, installation, shared=True) for one in homes if one]
    return bool(outside) and all(outside)


def kind_of(channel: dict[str, object], channel_id: str) -> tuple[str | None, bool]:
    """Return (audience, shared with another organisation) for a conversation object.

    A channel that workspaces of one organisation share is an ordinary one. The audience is None if
    the object does not tell the kind for certain.
    Source: https://docs.slack.dev/reference/objects/conversation-object
    """
    if channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"):
        return channel_id, True
    if channel.get("is_im"):
        return DM, False
    if channel.get("is_shared") and not channel.get("is_org_shared"):
        return None, False
    if channel.get("is_mpim") or channel.get("is_private") is True:
        return channel_id, False
    if channel.get("is_channel") and channel.get("is_private") is False:
        return PUBLIC, False
    return None, False
