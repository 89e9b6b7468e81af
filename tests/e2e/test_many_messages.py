"""Many messages at once, of one person or of ten, delay nobody else's answer."""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString

import pytest

from memory import EmbeddedPostgres
from tests.conftest import open_playground
from tests.databases import fresh_database, owner_rows
from tests.e2e.app import running
from tests.e2e.gateway import gateway
from tests.e2e.world import World

pytestmark = pytest.mark.slow

PEOPLE = 20
CUT: LiteralString = """
SELECT pg_terminate_backend(pid), query LIKE 'LISTEN%' AS listens FROM (
    SELECT DISTINCT ON (query LIKE 'LISTEN%') pid, query FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle' AND pid <> pg_backend_pid()
) AS one_of_each
"""


def test_more_people_are_served_at_the_same_time_than_there_are_connections(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """With twelve database connections, twenty requests to the model run at the same time.

    Connections that end meanwhile, that of notifications too, take none of them along.
    """
    with (
        open_playground() as slack,
        fresh_database(postgres) as conninfo,
        gateway(slack.openai_base_url) as model,
        running(
            slack,
            conninfo,
            "http",
            tmp_path / "log",
            OPENAI_BASE_URL=model.base_url,
        ) as app,
    ):
        world = World(app)
        people = [world.human() for _ in range(PEOPLE)]
        requests: list[str] = []
        model.seen = requests.append
        model.open.clear()
        said = [human.say("I love ramen") for human in people]
        world.until(lambda: len(requests) >= PEOPLE, "twenty requests under way")
        people[0].panel()
        cut = owner_rows(conninfo, CUT)
        assert sorted(row["listens"] for row in cut) == [False, True]
        later = world.human()
        said.append(later.say("I love ramen"))
        world.until(lambda: len(requests) > PEOPLE, "one more request")
        model.open.set()
        for one in said:
            assert world.reply(one).text
        replies = [request for request in requests if '"stream":true' in request]
        assert len(replies) == PEOPLE + 1, "None was begun again."
        for human in people:
            assert [c["food_name"] for c in world.formed_contents(human)] == ["ramen"]
