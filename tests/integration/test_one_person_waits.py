"""However much one person asks for, the others have connections to PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from bot.acts.kinds import Forget, Place
from bot.acts.receipt import Click, explain
from bot.forgetting.forgetting import forget_selected
from bot.under_way import AlreadyUnderWay
from memory import ChangeGone, Person, Pool, create_pool
from memory.postgres import (
    execute_statement,
    is_unavailable,
    person_transaction,
    transaction,
    transaction_timeout,
)
from memory.postgres.pool import PERSON_CONNECTIONS
from tests.databases import login_of, owner_rows
from tests.integration.app import App
from tests.waiting import until

ANN = Person("T1", "U1")
BOB = Person("T1", "U2")
_WAITING = (
    "SELECT count(*)::int AS number FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = 'kioku_login' AND wait_event_type = 'Lock'"
)
_ROW = "UPDATE person_settings SET notices = NOT notices WHERE team_id = %s AND user_id = %s"


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool of as many connections as `kioku run` has."""
    async with create_pool(
        login_of(database), min_size=1, max_size=12, timeout=10
    ) as pool:
        yield pool


@contextmanager
def holding(database: str, statement: str, *values: object) -> Iterator[None]:
    """Hold in another session, until the end, the lock that a statement takes."""
    with psycopg.connect(database, row_factory=dict_row) as other:
        other.execute(statement.encode(), values)
        yield
        other.rollback()


def waiting(database: str) -> int:
    """Return how many connections of the app wait for a lock in PostgreSQL."""
    [row] = owner_rows(database, _WAITING)
    return int(row["number"])


async def write(pool: Pool) -> None:
    """Take the person's lock, as what writes their memories does."""
    async with person_transaction(pool, ANN, locked=True):
        pass


async def end_a_turn(pool: Pool) -> None:
    """Wait for the person's lock, as what ends beside a write does."""
    async with transaction(pool, ANN.settings, lock=ANN.prefix, shared=True):
        pass


async def update_a_row(pool: Pool) -> None:
    """Wait for a row that another transaction of the person has changed."""
    ids = (ANN.team_id, ANN.user_id)
    await execute_statement(pool, _ROW, ids, scope=ANN.settings)


Work = Callable[[Pool], Coroutine[Any, Any, None]]
THE_LOCK = ("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", ANN.prefix)
THE_ROW = (_ROW, ANN.team_id, ANN.user_id)


def kept_in(pool: Pool) -> int:
    """Return the number of names for which the pool keeps places."""
    gc.collect()
    return len(pool.places)


@pytest.mark.parametrize(
    ("work", "held", "most"),
    [
        ((write,), THE_LOCK, 1),
        ((end_a_turn,), THE_LOCK, 1),
        ((write, end_a_turn), THE_LOCK, 1),
        ((update_a_row,), THE_ROW, PERSON_CONNECTIONS),
    ],
    ids=["writes", "ends", "both", "rows"],
)
async def test_those_who_wait_for_one_person_leave_connections_to_others(
    pool: Pool, database: str, work: tuple[Work, ...], held: tuple[str, ...], most: int
) -> None:
    """Fifty wait with few connections; some are cancelled, the others end, and nothing is kept."""
    for person in (ANN, BOB):
        settings = (
            "INSERT INTO person_settings (team_id, user_id) VALUES (%s, %s) RETURNING 1"
        )
        owner_rows(database, settings, person.team_id, person.user_id)
    with holding(database, *held):
        tasks = [
            asyncio.ensure_future(work[number % len(work)](pool))
            for number in range(50)
        ]
        await until(lambda: waiting(database) == most)
        async with asyncio.timeout(60):
            ids = (BOB.team_id, BOB.user_id)
            await execute_statement(pool, _ROW, ids, scope=BOB.settings)
        assert waiting(database) == most
        for task in tasks[::3]:
            task.cancel()
        await asyncio.wait(tasks[::3])
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ended[::3]] == [asyncio.CancelledError] * len(
        tasks[::3]
    )
    assert [one for one in ended if not isinstance(one, asyncio.CancelledError)] == [
        None
    ] * 33
    del ended, task, tasks  # the errors of cancelled tasks refer to what these held
    await until(lambda: kept_in(pool) == 0)


async def test_the_wait_counts_in_the_time_of_a_transaction(
    pool: Pool, database: str
) -> None:
    """Who waits in front of the pool fails in time; PostgreSQL goes on with nothing afterwards."""
    with holding(database, *THE_LOCK):
        with transaction_timeout(0.3):
            ended = await asyncio.gather(
                *[write(pool) for _ in range(5)], return_exceptions=True
            )
        assert all(
            is_unavailable(one) for one in ended if isinstance(one, BaseException)
        )
        assert None not in ended
        await until(lambda: waiting(database) == 0)
    await write(pool)


async def test_a_second_click_on_a_forgetting_under_way_is_answered_at_once(
    app: App,
) -> None:
    """The first goes on; after it the button can be pressed again."""
    place = app.slack.place()
    message = await app.ask(place, "I love ramen")
    await app.form(message)
    [memory] = await app.memories(message.person)
    core = app.core
    localizer = await core.people.localizer(message.person)
    click = Click(person=message.person, localizer=localizer, place=Place())
    act = Forget(keys=(memory.key,))
    lock = (THE_LOCK[0], message.person.prefix)
    with holding(app.database, *lock):
        first = asyncio.ensure_future(forget_selected(core, click, act))
        await until(lambda: waiting(app.database) == 1)
        with pytest.raises(AlreadyUnderWay) as told:
            await forget_selected(core, click, act)
        assert explain(click.localizer, told.value).line == click.localizer.say(
            "under_way"
        )
    assert (await first).button
    with pytest.raises(ChangeGone):
        await forget_selected(core, click, act)
