"""App Home as it is wired, for tests that put the app together by hand."""

from __future__ import annotations

from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Settings
from bot.home.publisher import HomePublisher
from bot.home.queries import HomeQueries
from bot.memories.actions import MemoryActions
from bot.queue.queue import Queue
from bot.slack.permalinks import Permalinks
from bot.users.access import AccessControl
from bot.users.policies import Policies, policy_of
from bot.users.profiles import Profiles
from memory import Embedder, Pool


def homes_of(
    pool: Pool,
    queue: Queue,
    client: AsyncWebClient,
    people: Profiles,
    embedder: Embedder,
    *,
    consent: str = "notice",
) -> HomePublisher:
    """Return everybody's Homes."""
    own = MemoryActions(pool, embedder, stand_in=True)
    settings = Settings.model_validate({"consent": consent, "reply_model": "kioku-stand-in"})
    policies = Policies(pool, policy_of(settings))
    admission = AccessControl(policies, people, client)
    reading = HomeQueries(pool, own, Permalinks(client), settings, policies, admission)
    return HomePublisher(pool, queue, client, people, reading)
