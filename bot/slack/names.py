"""Names of people, channels and groups for models, which never see Slack's ids.

A stored text has references (`memory.model.References`): ``<@U…>``, ``<#C…>``, ``<!subteam^S…>``. A
model reads ``@Mia Tanaka`` and ``#general`` in their place. Names are Slack's, from ``users.info``
and ``conversations.info``, kept in this process for a day. A name is data that its owner chose, so
`bot.slack.content.clean_name` removes markup, addresses and line ends from it.

The name of a private conversation is shown only in that conversation, because readers elsewhere may
not be its members. Groups have names only if Slack sends one with the message; to look them up the
app would need another scope.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.slack.client import (
    SLACK_FAULTS,
    SlackApi,
    error_code,
    is_passing,
    slack_fault,
)
from bot.slack.content import clean_name
from bot.slack.kept_answers import KeptAnswers
from bot.slack.messages import API_TEAM, person_reference
from memory import Person
from memory.metrics import step
from memory.model import Json, References, references_in

log = logging.getLogger(__name__)

MOST_LOOKUPS = 20
"""The most names that one message looks up in Slack; other unknown ones are placeholders."""
PATIENCE_SECONDS = 1.0
"""How long the names in some texts are waited for; those that come later are placeholders."""

UNKNOWN_PERSON = "@someone"
UNKNOWN_ASKER = "@the person who asks"
UNKNOWN_CHANNEL = "#a channel"
UNKNOWN_GROUP = "@a group"
_PRIVATE_CHANNEL = "#a private channel"
_USER = "users.info"
_CHANNEL = "conversations.info"
_TRUSTED_SECONDS = 86_400.0
_FAILED_SECONDS = 60.0
_USER_PATIENCE_SECONDS = 3.0
_PERSON = "<@"
_CHANNEL_SIGN = "<#"
# Slack is not asked about anything that cannot be one of its ids.
_MADE = re.compile(r"<(?:@[UW]|#[CG])[A-Z0-9]{7,20}>")
# In a frame "you" is the app; the others are Slack's own names for everyone.
_RESERVED = ("@you", "@here", "@channel", "@everyone")


@dataclass(frozen=True, slots=True)
class _Name:
    """What Slack said about a reference; no text if it said nothing.

    `private`: it is a private conversation. `gone`: the account is deactivated.
    """

    text: str = ""
    private: bool = False
    gone: bool = False


class Names:
    """The names that this process knows, by workspace: the newest, if there are too many."""

    def __init__(self, slack: SlackApi) -> None:
        self._slack = slack
        self._kept: dict[str, KeptAnswers[str, _Name]] = defaultdict(KeptAnswers)

    def find(self, team_id: str, reference: str) -> _Name | None:
        """Return what is known about a reference; None if Slack must be asked."""
        return self._kept[team_id].find(reference)

    def note_user(self, team_id: str, user: Json) -> None:
        """Keep the name in one of Slack's user objects."""
        reference = f"<@{user.get('id')}>"
        self._kept[team_id].keep(reference, _user_name(user), _TRUSTED_SECONDS)

    def is_gone(self, person: Person) -> bool:
        """Return whether a person's account is known to be deactivated."""
        name = self.find(person.team_id, person_reference(person.user_id))
        return name is not None and name.gone

    @step("names")
    async def look_up(self, team_id: str, references: Sequence[str]) -> None:
        """Ask Slack for all names at once, for a second at most, without a database connection.

        A name that does not come is asked for again only after a minute, so that a slow Slack
        delays one message and not every one.
        """
        if not references:
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(self._ask(team_id, one) for one in references))
        except TimeoutError:
            log.info("Slack did not say all names in time")
        for reference in references:
            if self.find(team_id, reference) is None:
                self._kept[team_id].keep(reference, _Name(), _FAILED_SECONDS)

    async def find_user(self, team_id: str, user_id: str) -> Json | None:
        """Ask Slack for a user object with the locale, and keep its name.

        Both are empty for an unknown person. Returns None if there is no answer within three
        seconds; while Slack's rate limit lasts it is not asked.
        """
        if self._slack.limits.wait(team_id, _USER):
            return None
        client = self._slack.client(team_id, patience=_USER_PATIENCE_SECONDS)
        try:
            async with asyncio.timeout(_USER_PATIENCE_SECONDS):
                answer = await client.users_info(user=user_id, include_locale=True)
        except SLACK_FAULTS as error:
            if error_code(error) == "user_not_found":
                self._kept[team_id].keep(f"<@{user_id}>", _Name(), _TRUSTED_SECONDS)
                return {}
            log.info("a person could not be looked up: %s", slack_fault(error))
            return None
        user: Json | None = answer.get("user")
        if user:
            self.note_user(team_id, user)
        return user

    async def _ask(self, team_id: str, reference: str) -> None:
        # A caller of POST /ask is no Slack user.
        if team_id == API_TEAM or not _MADE.fullmatch(reference):
            return
        identity = reference[2:-1]
        if reference.startswith(_PERSON):
            await self.find_user(team_id, identity)
        elif not self._slack.limits.wait(team_id, _CHANNEL):
            await self._ask_channel(team_id, identity)

    async def _ask_channel(self, team_id: str, channel_id: str) -> None:
        name = _Name()
        try:
            client = self._slack.client(team_id)
            answer = await client.conversations_info(channel=channel_id)
            name = _channel_name(answer.get("channel") or {})
        except SLACK_FAULTS as error:
            log.info("a name could not be looked up: %s", slack_fault(error))
            if is_passing(error):
                return
        self._kept[team_id].keep(f"<#{channel_id}>", name, _TRUSTED_SECONDS)


class MessageNames:
    """The names in all that models read for one message: each reference keeps its name.

    No two are the same: the second of two equal names gets the suffix ``(2)``. A person whose name
    is unknown is ``@someone``. `asker` is the reference to the person whose message it is.
    """

    def __init__(
        self,
        names: Names,
        team_id: str,
        *,
        asker: str = "",
        channel_id: str = "",
    ) -> None:
        self._names = names
        self._team_id = team_id
        self._asker = asker
        self._channel = f"<#{channel_id}>"
        self._lookups_left = MOST_LOOKUPS
        self._shown: dict[str, str] = {}
        # Names, and the last number that a name has got.
        self._taken = dict.fromkeys(map(str.casefold, _RESERVED), 1)

    async def find(self, texts: Iterable[str]) -> References:
        """Return the names of all references so far and of those in `texts`, looked up in order."""
        new = [one for one in references_in(texts) if one not in self._shown]
        unknown = [one for one in new if self._names.find(self._team_id, one) is None]
        asked = unknown[: self._lookups_left]
        self._lookups_left -= len(asked)
        await self._names.look_up(self._team_id, asked)
        for reference in new:
            self._shown.setdefault(reference, self._unique(self._name(reference)))
        return References(dict(self._shown))

    def _name(self, reference: str) -> str:
        known = self._names.find(self._team_id, reference)
        if reference.startswith(_PERSON):
            if known is not None and known.text:
                return f"@{known.text}"
            return UNKNOWN_ASKER if reference == self._asker else UNKNOWN_PERSON
        if not reference.startswith(_CHANNEL_SIGN):
            return UNKNOWN_GROUP
        if known is None or not known.text:
            return UNKNOWN_CHANNEL
        if known.private and reference != self._channel:
            return _PRIVATE_CHANNEL
        return f"#{known.text}"

    def _unique(self, name: str) -> str:
        unique = name
        number = self._taken.get(name.casefold(), 1)
        while unique.casefold() in self._taken:
            number += 1
            unique = f"{name} ({number})"
        self._taken[unique.casefold()] = 1
        self._taken[name.casefold()] = number
        return unique


async def find_names(names: Names, person: Person, texts: Iterable[str]) -> References:
    """Return the names for the references in some texts of a person."""
    return await MessageNames(names, person.team_id).find(texts)


def _user_name(user: Json) -> _Name:
    """Return the name that Slack shows for a person: the one they chose, else their full name."""
    profile = user.get("profile") or {}
    names = (
        profile.get("display_name"),
        profile.get("real_name"),
        user.get("real_name"),
        user.get("name"),
    )
    cleaned = [clean_name(str(name or "")) for name in names]
    text = next(filter(None, cleaned), "")
    return _Name(text, gone=bool(user.get("deleted")))


def _channel_name(channel: Json) -> _Name:
    text = clean_name(str(channel.get("name") or ""))
    return _Name(text, private=channel.get("is_private") is not False)
