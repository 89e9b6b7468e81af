"""Slack's limits as budgets of all replicas, on a real PostgreSQL and by its clock."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import psycopg
import pytest

from bot.slack.rate_limits import APPEND, STREAM, UPDATE, RateLimit, RateLimits, posts
from memory import Pool

_teams = (f"T{number}" for number in itertools.count(1))
TEN = RateLimit("ten", burst=10, per_minute=60)


# One migrated database for all of these tests; each has a workspace of its own.
pytestmark = pytest.mark.one_database


@pytest.fixture
def team() -> str:
    """A workspace nobody has used."""
    return next(_teams)


def later(database: str, team: str, seconds: float) -> None:
    """Let so many seconds go by for the budgets of a workspace."""
    with psycopg.connect(database) as owner:
        owner.execute(
            "UPDATE slack_budgets SET refilled_at = refilled_at - make_interval(secs => %s)"
            " WHERE team_id = %s",
            (seconds, team),
        )


async def test_a_budget_ends_and_fills_up_again(database: str, pool: Pool, team: str) -> None:
    """So many at once, then none, then as many as the minutes that went by allow, never more."""
    budgets = RateLimits(pool)
    assert [await budgets.take(team, TEN) for _ in range(12)] == [True] * 10 + [False] * 2
    later(database, team, 3.5)
    assert [await budgets.take(team, TEN) for _ in range(5)] == [True] * 3 + [False] * 2
    later(database, team, 3_600)
    assert [await budgets.take(team, TEN) for _ in range(12)] == [True] * 10 + [False] * 2


async def test_workspaces_and_budgets_are_apart(pool: Pool, team: str) -> None:
    """What one workspace, method or channel has used up is not missing in another."""
    budgets = RateLimits(pool)
    one = replace(TEN, burst=1)
    assert await budgets.take(team, one)
    assert not await budgets.take(team, one)
    assert await budgets.take(next(_teams), one)
    assert await budgets.take(team, replace(one, name="other"))
    assert posts("D1") != posts("D2")
    assert "D1" not in posts("D1").name


async def test_what_can_wait_leaves_half_a_burst(pool: Pool, team: str) -> None:
    """Who may take only what is spare leaves the rest to the answers."""
    budgets = RateLimits(pool)
    assert [await budgets.take_spare(team, TEN) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [await budgets.take(team, TEN) for _ in range(6)] == [True] * 5 + [False]


async def test_replicas_share_a_budget(pool: Pool, team: str) -> None:
    """However many ask at once, no more is granted than there is."""
    replicas = [RateLimits(pool) for _ in range(5)]
    asked = [replica.take(team, STREAM, 2) for replica in replicas for _ in range(6)]
    assert sum(await asyncio.gather(*asked)) == 10


async def test_tokens_are_fetched_in_handfuls(database: str, pool: Pool, team: str) -> None:
    """A handful fetched at once is spent without asking the database, and not twice."""
    budgets, other = RateLimits(pool), RateLimits(pool)
    small = replace(TEN, burst=6)
    assert await budgets.take_one(team, small, lease=4)
    with psycopg.connect(database) as owner:
        [[left]] = owner.execute(
            "SELECT tokens FROM slack_budgets WHERE team_id = %s", (team,)
        ).fetchall()
    assert left == pytest.approx(2, abs=0.1)
    assert [await other.take_one(team, small, lease=4) for _ in range(3)] == [True, True, False]
    asked = [budgets.take_one(team, small, lease=4) for _ in range(4)]
    assert await asyncio.gather(*asked) == [True] * 3 + [False]


async def test_those_that_come_together_fetch_one_handful(pool: Pool, team: str) -> None:
    """Of many that ask at the same moment none is refused while there are tokens."""
    budgets = RateLimits(pool)
    asked = [budgets.take_one(team, TEN, lease=5) for _ in range(12)]
    assert sum(await asyncio.gather(*asked)) == 10


async def test_a_handful_goes_off(pool: Pool, team: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that were fetched and not spent in time are not spent later."""
    monkeypatch.setattr("bot.slack.rate_limits._LEASE_SECONDS", -1.0)
    budgets = RateLimits(pool)
    small = replace(TEN, burst=6)
    assert [await budgets.take_one(team, small, lease=3) for _ in range(3)] == [True, True, False]


async def test_whoever_must_wait_gets_a_moment_of_their_own(pool: Pool, team: str) -> None:
    """Those that come too many are told one after the other when it is their turn."""
    replicas = [RateLimits(pool) for _ in range(3)]
    waits = sorted(
        await asyncio.gather(
            *(replica.reserve(team, posts("C1")) for replica in replicas for _ in range(2))
        )
    )
    assert waits == pytest.approx([0, 0, 1, 2, 3, 4], abs=0.3)


async def test_a_refusal_empties_the_budget_for_all(database: str, pool: Pool, team: str) -> None:
    """After Slack has refused a call nobody calls until the time it named is over."""
    budgets, other = RateLimits(pool), RateLimits(pool)
    assert await other.take_one(team, APPEND, lease=4)
    await other.empty(team, APPEND, 30)
    assert not await other.take_one(team, APPEND, lease=4)
    assert not await budgets.take(team, APPEND)
    for replica in (budgets, other):
        await replica.empty(team, UPDATE, 30)
    waits = [await budgets.reserve(team, UPDATE) for _ in range(2)]
    assert waits == pytest.approx([30.0, 31.5], abs=0.5)
    later(database, team, 29)
    assert not await budgets.take(team, APPEND)
    later(database, team, 2.5)
    assert await budgets.take(team, APPEND)


async def test_an_answer_does_not_fail_for_its_budget(pool: Pool, team: str) -> None:
    """While the database is away everything is allowed, at once."""
    budgets = RateLimits(pool)
    await pool.close()
    assert await budgets.take(team, STREAM, 2)
    assert await budgets.take_one(team, APPEND, lease=4)
    assert await budgets.reserve(team, UPDATE) == 0.0
    await budgets.empty(team, UPDATE, 30)


async def test_what_nobody_uses_is_cleared_away(
    database: str, pool: Pool, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that has long been full is no row."""
    monkeypatch.setattr("bot.slack.rate_limits._CLEARED_EVERY", 2)
    budgets, other = RateLimits(pool), next(_teams)
    await budgets.take(team, TEN)
    later(database, team, 601)
    await budgets.take(other, TEN)
    with psycopg.connect(database) as owner:
        teams = owner.execute(
            "SELECT team_id FROM slack_budgets WHERE team_id = ANY(%s)", ([team, other],)
        ).fetchall()
    assert teams == [(other,)]
