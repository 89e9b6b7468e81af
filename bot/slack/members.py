"""Who is a member of the workspace and of which conversations, according to Slack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import SLACK_FAULTS, SlackApi, slack_fault
from bot.slack.kept_answers import KeptAnswers
from bot.slack.messages import Installation, is_outsider
from bot.slack.names import Names
from memory import DM, PUBLIC, Person
from memory.model import Json

log = logging.getLogger(__name__)

_MEMBER_SECONDS = 600.0
_CONVERSATIONS_SECONDS = 60.0
_PATIENCE_SECONDS = 3.0
_KINDS = "public_channel,private_channel,mpim"
_PAGE = 999
# The flags of users who are guests, of other workspaces, deactivated, or no people.
_NO_MEMBERS = (
    "is_restricted",
    "is_ultra_restricted",
    "is_stranger",
    "deleted",
    "is_bot",
)


@dataclass(frozen=True, slots=True)
class _Standing:
    """Whether a person is a member and no guest, and whether they are of another organisation."""

    is_member: bool
    is_outsider: bool


class Members:
    """``users.info`` and ``users.conversations`` of people, kept in this process.

    Whether a person is a guest, or of another organisation, is kept for ten minutes, and their
    conversations for one. The process that gets an event about a change asks again at once. A
    person about whom Slack gives no clear answer is a member of nothing.
    """

    def __init__(self, slack: SlackApi, names: Names) -> None:
        self._slack = slack
        self._names = names
        self._standings: KeptAnswers[Person, _Standing] = KeptAnswers()
        self._conversations: KeptAnswers[Person, Mapping[str, bool]] = KeptAnswers()

    def invalidate(self, person: Person) -> None:
        """Ask Slack again the next time."""
        self._standings.drop(person)
        self._conversations.drop(person)

    async def is_member(self, person: Person) -> bool:
        """Return whether a person is a member of the workspace and not a guest."""
        standing = await self._standing(person)
        return standing is not None and standing.is_member

    async def is_outsider(self, person: Person) -> bool:
        """Return whether a person is of another organisation; False if Slack does not tell."""
        standing = await self._standing(person)
        return standing is not None and standing.is_outsider

    async def _standing(self, person: Person) -> _Standing | None:
        """Return what Slack says of a person; None if it gives no answer."""
        known = self._standings.find(person)
        if known is not None:
            return known
        user = await self._names.find_user(person.team_id, person.user_id)
        if user is None:
            return None
        installation = self._slack.installation_in(person.team_id)
        found = _Standing(
            is_member(user, person.team_id), is_of_others(user, installation)
        )
        self._standings.keep(person, found, _MEMBER_SECONDS)
        return found

    async def conversations(self, person: Person) -> Mapping[str, bool]:
        """Return the conversations that a member is in; each value says if it is a public channel.

        Those that are shared with another organisation, or of unknown kind, are left out.
        """
        if not await self.is_member(person):
            return {}
        known = self._conversations.find(person)
        if known is not None:
            return known
        client = self._slack.client(person.team_id, patience=_PATIENCE_SECONDS)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                found = await _conversations(client, person)
        except SLACK_FAULTS as error:
            log.info("where a person is is not known: %s", slack_fault(error))
            return {}
        self._conversations.keep(person, found, _CONVERSATIONS_SECONDS)
        return found


async def _conversations(client: AsyncWebClient, person: Person) -> dict[str, bool]:
    found: dict[str, bool] = {}
    answer = await client.users_conversations(
        user=person.user_id, types=_KINDS, limit=_PAGE
    )
    async for page in answer:
        for channel in page.get("channels") or ():
            channel_id = str(channel["id"])
            audience, is_shared = kind_of(channel, channel_id)
            if audience is not None and not is_shared:
                found[channel_id] = audience == PUBLIC
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
