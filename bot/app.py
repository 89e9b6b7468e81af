"""What the functions of the app share: one frozen object, passed as their first argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from bot.access import UnderWay
from bot.config import Settings
from bot.conversation.inbox import Inbox
from bot.conversation.pending import PendingReplies
from bot.delivery.sessions import Sessions
from bot.people import People
from bot.queue.queue import Queue
from bot.slack.audiences import Audiences
from bot.slack.client import Installations
from bot.slack.members import Members
from bot.slack.names import Names
from bot.workspaces import Workspaces
from memory import Embedder, Former, Pool, UserFact


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Connections, settings, and what is known for a while of people and conversations.

    `names` are the names by which models know people, channels and groups.
    """

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
    names: Names
    audiences: Audiences
    members: Members
    under_way: UnderWay = field(default_factory=UnderWay)
    pending_replies: PendingReplies = field(default_factory=PendingReplies)

    @property
    def stores_facts(self) -> bool:
        """Whether there is a kind of memory for any sentence."""
        return UserFact in self.schemas
