"""Slack's rate limits, as budgets that all replicas share: token buckets in PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Error

from bot.logs import fault
from memory import Pool, execute_statement, measured

log = logging.getLogger(__name__)

_WAIT_SECONDS = 1.0
_LEASE_SECONDS = 5.0
_CLEARED_EVERY = 500

# What a crash may lose here is no matter: taking a token waits for no disk.
_HURRIED: LiteralString = "FROM (SELECT set_config('synchronous_commit', 'off', true)) AS hurried"
# By the database's clock. A bucket that Slack has emptied is refilled from a time to come; one that
# another transaction has just refilled may be ahead by a moment.
_PAUSED: LiteralString = "b.refilled_at > now() + interval '0.5 s'"
_LEFT: LiteralString = (
    "LEAST(%(burst)s, b.tokens"
    " + %(rate)s * GREATEST(0, extract(epoch FROM now() - b.refilled_at))::float8)"
)
_GRANTED: LiteralString = (
    f"CASE WHEN NOT {_PAUSED} AND {_LEFT} >= %(least)s"
    f" THEN LEAST(%(most)s, floor({_LEFT})) ELSE 0 END"
)
_TAKE: LiteralString = (
    "INSERT INTO slack_budgets AS b (team_id, name, tokens, refilled_at, granted)"
    f" SELECT %(team)s, %(name)s, %(burst)s - %(most)s, now(), %(most)s {_HURRIED}"
    " ON CONFLICT (team_id, name) DO UPDATE SET"
    f" granted = {_GRANTED}, tokens = {_LEFT} - {_GRANTED},"
    " refilled_at = GREATEST(b.refilled_at, now()) RETURNING granted AS said"
)
_RESERVE: LiteralString = (
    "INSERT INTO slack_budgets AS b (team_id, name, tokens, refilled_at)"
    f" SELECT %(team)s, %(name)s, %(burst)s - 1, now() {_HURRIED}"
    f" ON CONFLICT (team_id, name) DO UPDATE SET tokens = {_LEFT} - 1,"
    " refilled_at = GREATEST(b.refilled_at, now())"
    " RETURNING GREATEST(0, extract(epoch FROM refilled_at - now()))::float8"
    " + GREATEST(0, -tokens) / %(rate)s AS said"
)
_EMPTY: LiteralString = (
    "INSERT INTO slack_budgets AS b (team_id, name, tokens, refilled_at)"
    f" SELECT %(team)s, %(name)s, 1, now() + make_interval(secs => %(seconds)s) {_HURRIED}"
    " ON CONFLICT (team_id, name) DO UPDATE SET"
    f" tokens = CASE WHEN {_PAUSED} THEN LEAST(b.tokens, 1) ELSE 1 END,"
    " refilled_at = GREATEST(b.refilled_at, now() + make_interval(secs => %(seconds)s))"
    " RETURNING tokens AS said"
)

_CLEAR: LiteralString = "DELETE FROM slack_budgets WHERE refilled_at < now() - interval '10 min'"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many calls at once, and so many more a minute; the two together stay below a limit."""

    name: str
    burst: float
    per_minute: float


# Per workspace. Source: https://docs.slack.dev/apis/web-api/rate-limits
STREAM = RateLimit("stream", burst=20, per_minute=20)
"""``chat.startStream`` and ``chat.stopStream``, Tier 2 each: a start takes two, one for its end."""
APPEND = RateLimit("append", burst=20, per_minute=80)
"""``chat.appendStream``, Tier 4."""
UPDATE = RateLimit("update", burst=10, per_minute=40)
"""``chat.update``, Tier 3."""
HOMES = RateLimit("homes", burst=20, per_minute=80)
"""``views.publish``, Tier 4."""
STATUS = RateLimit("status", burst=60, per_minute=500)
"""``assistant.threads.setStatus``."""
SESSION = RateLimit("session", burst=25, per_minute=25)
"""``agents.sessions.setStatus``, Tier 3: a call a message, and one more where its end is no
stream's."""
DELETE = RateLimit("delete", burst=10, per_minute=40)
"""``chat.delete`` and ``files.delete``, Tier 3 each."""
PROFILE = RateLimit("profile", burst=20, per_minute=80)
"""``users.info``, Tier 4."""


def posts(channel_id: str) -> RateLimit:
    """Return the budget of ``chat.postMessage`` in one channel: one a second."""
    # A direct message's channel is somebody's: what is stored does not name it.
    name = hashlib.blake2b(channel_id.encode(), digest_size=8).hexdigest()
    return RateLimit(f"post {name}", burst=2, per_minute=60)


class RateLimits:
    """The `slack_budgets` table. While it cannot be asked everything is allowed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._leases: dict[tuple[str, str], tuple[float, float]] = {}
        self._fetching: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked = 0

    async def take(self, team_id: str, budget: RateLimit, tokens: float = 1) -> bool:
        """Take `tokens`, all or none; say whether they were there."""
        granted = await self._ask(_TAKE, team_id, budget, least=tokens, most=tokens)
        return granted is None or granted >= tokens

    async def take_spare(self, team_id: str, budget: RateLimit) -> bool:
        """Take a token that answers do not need: half a burst stays for them."""
        granted = await self._ask(_TAKE, team_id, budget, least=1 + budget.burst / 2, most=1)
        return granted is None or granted >= 1

    async def take_one(self, team_id: str, budget: RateLimit, *, lease: int) -> bool:
        """Take one token; up to `lease` are fetched at a time, and are good for five seconds."""
        key = (team_id, budget.name)
        # One at a time: of those that come together the first fetches for the others.
        async with self._fetching[key]:
            left, until = self._leases.pop(key, (0.0, 0.0))
            if left < 1 or time.monotonic() > until:
                granted = await self._ask(_TAKE, team_id, budget, least=1, most=lease)
                if granted is None:
                    return True
                left, until = granted, time.monotonic() + _LEASE_SECONDS
            if left > 1:
                self._leases[key] = (left - 1, until)
            return left >= 1

    async def reserve(self, team_id: str, budget: RateLimit) -> float:
        """Take one token, also one that is still to come; return the seconds until it is there."""
        return await self._ask(_RESERVE, team_id, budget) or 0.0

    async def empty(self, team_id: str, budget: RateLimit, seconds: float) -> None:
        """Slack has refused a call: nothing is left for `seconds`, and then one token at first."""
        self._leases.pop((team_id, budget.name), None)
        await self._ask(_EMPTY, team_id, budget, seconds=seconds)

    @measured("budget")
    async def _ask(
        self, statement: LiteralString, team_id: str, budget: RateLimit, **more: float
    ) -> float | None:
        values: dict[str, Any] = {
            "team": team_id,
            "name": budget.name,
            "burst": budget.burst,
            "rate": budget.per_minute / 60,
            **more,
        }
        try:
            self._asked += 1
            if self._asked % _CLEARED_EVERY == 0:
                await execute_statement(self._pool, _CLEAR, {}, wait=_WAIT_SECONDS)
            [row] = await execute_statement(self._pool, statement, values, wait=_WAIT_SECONDS)
        except Error as error:
            # An answer does not fail for its budget, whatever befell the table.
            log.info("a budget could not be asked: %s", fault(error))
            return None
        return float(row["said"])
