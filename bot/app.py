"""What the functions of the app share: one frozen object, passed as their first argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from bot.config import Settings
from bot.conversation.inbox import Inbox
from bot.delivery.reply_stream import Sessions
from bot.people import People
from bot.queue.queue import Queue
from bot.slack.audiences import Audiences
from bot.slack.client import Installations
from bot.types import Refusal
from bot.workspaces import Workspaces
from memory import DM, Embedder, Former, Person, Pool, UserFact


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Connections, settings, and what is known for a while of people and conversations."""

    settings: Settings
    pool: Pool
    queue: Queue
    inbox: Inbox
    slack: Installations
    workspaces: Workspaces
    sessions: Sessions
    embedder: Embedder
    former: Former
    schemas: Sequence[type[BaseModel]]
    people: People
    audiences: Audiences

    @property
    def stores_facts(self) -> bool:
        """Whether there is a kind of memory for any sentence."""
        return UserFact in self.schemas

    def refuses(self, person: Person, channel_id: str, audience: str | None) -> Refusal | None:
        """Return why nothing that a person says in a conversation is read; None: it is read."""
        return self.refuses_channel(channel_id, audience) or self.refuses_person(person)

    def refuses_person(self, person: Person) -> Refusal | None:
        """Return why a person may not use Kioku; None: they may, as all if there is no list."""
        allowed = self.settings.allowed_users
        return "policy_person" if allowed and person.user_id not in allowed else None

    def refuses_channel(self, channel_id: str, audience: str | None) -> Refusal | None:
        """Return why no message is answered in a conversation; None: messages are answered.

        Direct messages always are.
        """
        allowed = self.settings.allowed_channels
        refused = audience != DM and allowed and channel_id not in allowed
        return "policy_place" if refused else None
