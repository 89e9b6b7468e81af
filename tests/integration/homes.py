"""App Home as it is wired, for tests that put the app together by hand."""

from __future__ import annotations

from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Settings
from bot.home.publisher import Homes
from bot.home.queries import HomeReading
from bot.memories.actions import OwnMemories
from bot.queue.queue import Queue
from bot.slack.permalinks import Permalinks
from bot.users.access import Admission
from bot.users.policies import Policies, policy_of
from bot.users.profiles import People
from memory import Embedder, Pool


def homes_of(
    pool: Pool,
    queue: Queue,
    client: AsyncWebClient,
    people: People,
    embedder: Embedder,
    *,
    consent: str = "notice",
) -> Homes:
    """Return everybody's Homes."""
    own = OwnMemories(pool, embedder, stand_in=True)
    settings = Settings.model_validate({"consent": consent, "reply_model": "kioku-stand-in"})
    policies = Policies(pool, policy_of(settings))
    admission = Admission(policies, people, client)
    reading = HomeReading(pool, own, Permalinks(client), settings, policies, admission)
    return Homes(pool, queue, client, people, reading)
