"""PostgreSQL may be restarted at any moment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.conversation.inbox import MAX_FAILURES
from bot.locale import say
from memory import EmbeddedPostgres
from tests.databases import owner_rows
from tests.e2e.answers import UNDERSTOOD
from tests.e2e.messages import Json
from tests.e2e.world import World
from tests.frozen import frozen
from tests.person import Said, shown

pytestmark = pytest.mark.slow


@pytest.fixture
def server(postgres: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """The session's PostgreSQL; it runs again afterwards."""
    yield postgres
    postgres.start()


def test_a_message_during_an_outage_is_answered_after_it(
    world: World, server: EmbeddedPostgres
) -> None:
    """What cannot be stored is not acknowledged, so Slack brings it again, once."""
    ann = world.human()
    server.stop(immediate=True)
    said = ann.say("I love ramen")
    world.until(lambda: _refusals(world, said), "a refusal")
    world.until(lambda: world.app.get("/readyz")[0] != 200, "no readiness")
    assert world.app.get("/healthz")[0] == 200
    server.start()
    assert world.reply(said).text == UNDERSTOOD
    assert len(world.answers(said)) == 1
    world.until(lambda: world.app.get("/readyz")[0] == 200, "readiness")


def test_a_command_while_postgresql_is_silent_or_away_says_so(
    world: World, server: EmbeddedPostgres
) -> None:
    """A command is acknowledged at once and answered meanwhile: it did not work, try again."""
    ann = world.human()
    world.remember(ann, "ramen")

    def refused() -> None:
        ann.type("/memories")
        ann.form_says(say("en", "command_broke"))

    with frozen(server):
        refused()
    server.stop(immediate=True)
    refused()
    server.start()
    assert "ramen" in shown(ann.panel())


def test_an_event_while_postgresql_is_silent_is_brought_again(
    world: World, server: EmbeddedPostgres
) -> None:
    """What PostgreSQL does not take in two seconds is not acknowledged, so it comes again."""
    ann = world.human()
    with frozen(server):
        said = ann.say("I love ramen")
        world.until(lambda: _refusals(world, said), "a refusal")
    assert world.reply(said).text == UNDERSTOOD
    assert len(world.answers(said)) == 1


def test_a_full_disk_costs_no_message(world: World) -> None:
    """While PostgreSQL's disk is full no event is acknowledged or lost; then it goes on."""
    ann, bo = world.human(), world.human()
    full = (
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        " 'could not extend file' USING ERRCODE = 'disk_full'; END $$;"
        "CREATE TRIGGER no_turns BEFORE UPDATE OF begun_at ON messages"
        " EXECUTE FUNCTION full_disk();"
    )
    owner_rows(world.app.conninfo, full)
    try:
        stored_only = bo.say("I love sushi")
        # More often than a turn that fails for a reason of its own is tried.
        world.until(
            lambda: (
                world.app.said().count("a turn waits for PostgreSQL") > MAX_FAILURES
            ),
            "many attempts",
        )
        owner_rows(
            world.app.conninfo,
            "CREATE TRIGGER full_disk BEFORE INSERT ON messages EXECUTE FUNCTION full_disk()",
        )
        said = ann.say("I love ramen")
        world.until(lambda: _refusals(world, said), "a refusal")
    finally:
        owner_rows(world.app.conninfo, "DROP FUNCTION full_disk CASCADE")
    assert world.reply(stored_only).text == UNDERSTOOD
    assert world.reply(said).text == UNDERSTOOD
    assert len(world.answers(said)) == 1


def _refusals(world: World, said: Said) -> list[Json]:
    return [
        attempt
        for delivery in world.control("deliveries")["deliveries"]
        if delivery["body"].get("event", {}).get("ts") == said.ts
        for attempt in delivery["attempts"]
        if attempt.get("ok") is False
    ]
