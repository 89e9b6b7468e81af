"""PostgreSQL may be restarted at any moment."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from bot.conversation.inbox import MAX_FAILURES
from bot.locale import say
from memory import EmbeddedPostgres
from tests.databases import owner_rows
from tests.e2e.answers import STORY, UNDERSTOOD, goes_on, slowly
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


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="PostgreSQL may stop before the ts of the stream is recorded: it still runs then.",
)
def test_postgresql_restarted_while_answering(
    world: World, server: EmbeddedPostgres
) -> None:
    """A crash of PostgreSQL in the middle of an answer costs neither word nor memory."""
    ann = world.human()
    slowly(world)
    said = ann.say("I love ramen")
    world.until(
        lambda: [m for m in world.answers(said) if m.get("streaming")], "a live stream"
    )
    server.stop(immediate=True)
    server.start()
    reply = world.reply(said)
    assert reply.parts == [STORY]
    assert len(world.turns(said)) == 1
    assert [c["food_name"] for c in world.formed_contents(ann)] == ["ramen"]
    assert goes_on(world, ann)


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


@pytest.mark.failed_calls(
    "chat.stopStream: message_not_in_streaming_state",
    "chat.delete: cant_delete_message",
    because="The next attempt does not know whether the one before has ended its stream.",
)
def test_a_stream_that_could_not_be_noted_is_taken_over(world: World) -> None:
    """The connection is lost just as the reply's ts is stored: there is one answer."""
    ann = world.human()
    world.script(STORY, times=-1)
    world.fault("chat.startStream", delay_ms=5_000)
    said = ann.say("Tell me a story")
    world.until(
        lambda: [turn for turn in world.turns(said) if turn["posting_since"]],
        "a post under way",
    )
    with psycopg.connect(world.app.conninfo) as owner:
        owner.execute("SELECT FROM messages WHERE ts = %s FOR UPDATE", [said.ts])
        world.until(
            lambda: world.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " AND query LIKE '%array_append(reply_ts%'"
            ),
            "a note that waits",
        )
        assert [turn["reply_ts"] for turn in world.turns(said)] == [[]]
        assert len(world.answers(said)) == 1
    assert world.reply(said).parts == [STORY]
    assert len(world.answers(said)) == 1
    assert goes_on(world, ann)
