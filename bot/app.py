"""What the functions of the app share: one frozen object, passed as their first argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from bot.config import Settings
from bot.models.model import Model
from bot.models.pending import PendingReplies
from bot.people import People
from bot.presence import Presence
from bot.queue.queue import Queue
from bot.slack.client import SlackApi
from bot.slack.files import FileBytes
from bot.slack.members import Members
from bot.slack.names import Names
from bot.slack.sessions import Sessions
from bot.under_way import UnderWay
from memory import Embedder, Former, Pool, UserFact


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Connections, settings, and what is cached about people and conversations.

    `bot.runtime.wiring` makes it once. `model` writes replies. `names` are the names by which
    models know people, channels and groups.
    """

    settings: Settings
    pool: Pool
    queue: Queue
    slack: SlackApi
    presence: Presence
    sessions: Sessions
    model: Model
    embedder: Embedder
    former: Former
    schemas: Sequence[type[BaseModel]]
    people: People
    names: Names
    members: Members
    file_bytes: FileBytes = field(default_factory=FileBytes)
    under_way: UnderWay = field(default_factory=UnderWay)
    pending_replies: PendingReplies = field(default_factory=PendingReplies)

    @property
    def stores_facts(self) -> bool:
        """Whether any sentence can be a memory, because there is a kind for it."""
        return UserFact in self.schemas
