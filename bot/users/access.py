"""Whether a person is answered at all, by what operators allow."""

from __future__ import annotations

import logging

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.locale import say
from bot.slack.client import error_code
from bot.slack.ephemeral import show_privately
from bot.slack.messages import Message
from bot.types import Refusal
from bot.users.policies import Policies
from bot.users.profiles import Profiles
from bot.views.blocks import ephemeral_payload
from memory import DM, Person

log = logging.getLogger(__name__)


class AccessControl:
    """The workspace's policy, and what Slack says of the person."""

    def __init__(self, policies: Policies, people: Profiles, client: AsyncWebClient) -> None:
        self._policies = policies
        self._people = people
        self._client = client

    async def refuses(self, message: Message) -> Refusal | None:
        """Return why a message is not to be answered; None where it is."""
        policy = await self._policies.applies(message.team_id)
        if refusal := policy.refuses_channel(message.channel_id, message.audience):
            return refusal
        return await self.refuses_person(message.person)

    async def refuses_person(self, person: Person) -> Refusal | None:
        """Return why nothing new is to be remembered of a person anywhere; None where it is.

        Slack is asked whether they are a guest where that decides; while it does not answer they
        are taken for a member.
        """
        policy = await self._policies.applies(person.team_id)
        if policy.guests or policy.people:
            return policy.refuses(person, guest=None)
        return policy.refuses(person, guest=(await self._people.settings(person)).guest)

    async def keeps(self, person: Person, chosen: int | None) -> int | None:
        """Return for how many days a person's things are kept, who chose so many; None: no end."""
        return (await self._policies.applies(person.team_id)).retention_days_for(chosen)

    async def tell(self, message: Message, refusal: Refusal) -> None:
        """Tell a message's author why there is no answer, outside of any turn: nothing is kept.

        In the thread of their message where it is a direct one, else in an ephemeral message.
        Raises `SlackApiError` where Slack gives no reason.
        """
        language = await self._people.language(message.person, message.text)
        payload, in_dm = ephemeral_payload(say(language, refusal)), message.audience == DM
        try:
            await show_privately(self._client, message, payload, in_dm=in_dm)
        except SlackApiError as error:
            if not error_code(error):
                raise
            log.info("a refusal had nowhere to stand: %s", error_code(error))
