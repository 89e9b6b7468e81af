"""Many messages at once, of one person or of ten, delay nobody else's answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.conftest import open_playground
from tests.databases import fresh_database
from tests.e2e.app import running
from tests.e2e.gateway import gateway
from tests.e2e.world import World

pytestmark = pytest.mark.slow

PEOPLE = 20


def test_more_people_are_served_at_the_same_time_than_there_are_connections(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """With twelve database connections, twenty requests to the model run at the same time."""
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
        model.open.set()
        for one in said:
            assert world.reply(one).text
        for human in people:
            assert [c["food_name"] for c in world.formed_contents(human)] == ["ramen"]
