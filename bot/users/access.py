"""Who is answered, and where: the allowlists of the settings."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError

from bot.config import Settings
from bot.locale import say
from bot.slack.client import Installations, error_code
from bot.slack.ephemeral import show_privately
from bot.slack.messages import Message
from bot.types import Policy, Refusal
from bot.users.profiles import Profiles
from bot.views.blocks import ephemeral_payload
from memory import DM

log = logging.getLogger(__name__)


def policy_of(settings: Settings) -> Policy:
    """Return the rules that the settings make."""
    return Policy(
        channels=settings.allowed_channels,
        people=settings.allowed_users,
        web_search=settings.web_search,
        retention_days=settings.retention_days,
    )


@dataclass(frozen=True, slots=True)
class RefusalNotices:
    """Tells people why they are not answered."""

    people: Profiles
    slack: Installations

    async def tell(self, message: Message, refusal: Refusal) -> None:
        """Tell a message's author why there is no answer, outside of any turn: nothing is kept.

        In the thread of their message where it is a direct one, else in an ephemeral message.
        Raises `SlackApiError` where Slack gives no reason.
        """
        language = await self.people.language(message.person, message.text)
        payload, in_dm = ephemeral_payload(say(language, refusal)), message.audience == DM
        try:
            client = self.slack.client(message.team_id)
            await show_privately(client, message, payload, in_dm=in_dm)
        except SlackApiError as error:
            if not error_code(error):
                raise
            log.info("a refusal could not be shown: %s", error_code(error))
