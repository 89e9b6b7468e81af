"""Processes that are killed: their messages are answered, and only the cause is given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import LiteralString

import pytest

from bot.conversation.inbox import MAX_FAILURES
from bot.locale import say
from memory import EmbeddedPostgres
from tests.conftest import open_playground
from tests.databases import fresh_database
from tests.e2e.gateway import Gateway, gateway
from tests.e2e.messages import app_messages, markdown
from tests.e2e.stored import Stored
from tests.kioku_process import forked
from tests.person import Person, Said
from tests.playground import Playground
from tests.soak.replicas import Fleet, Replica
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

MANY = 20
POISON = "the word that ends the process"
APOLOGY = say("en", "turn_failed")


@dataclass(frozen=True)
class Stage:
    """A workspace, processes that ask the model through a gateway each, and the database."""

    workspace: Playground
    fleet: Fleet
    gateways: list[Gateway]
    stored: Stored

    def say_many(self) -> list[Said]:
        """Let many people write one message each."""
        people = [Person(self.workspace) for _ in range(MANY)]
        return [one.say(f"Hello from {one.id}") for one in people]

    def status(self, said: Said) -> str:
        """Return the status of a message in the inbox."""
        [row] = self.stored.inbox(said)
        return str(row["status"])

    def failures(self, said: Said) -> int:
        """Return how many attempts at a message have failed."""
        [row] = self.stored.inbox(said)
        return int(row["failures"])

    def wait(self, messages: int, seconds: float) -> None:
        """Wait until so many messages have been stored and have ended."""
        ended: LiteralString = "SELECT 1 FROM messages WHERE ended_at IS NOT NULL"
        wait_until(lambda: len(self.stored.rows(ended)) == messages, "an end", seconds)

    def shown(self, said: Said) -> list[str]:
        """Return the app's messages to the author of `said`."""
        return [markdown(message) for message in app_messages([said])]


@contextmanager
def stage(postgres: EmbeddedPostgres, folder: Path, processes: int) -> Iterator[Stage]:
    """Open a playground with the app in it; processes that end are started again."""
    with ExitStack() as stack:
        enter = stack.enter_context
        slack = enter(open_playground("--retry-delays", "0.2,1,3,5"))
        conninfo = enter(fresh_database(postgres))
        usual = {
            **slack.socket_settings,
            **slack.model_settings,
            "DATABASE_URL": conninfo,
            "PORT": "0",
        }
        gateways = [enter(gateway(slack.openai_base_url)) for _ in range(processes)]
        folder.mkdir(exist_ok=True)
        replicas = [
            Replica(
                f"app-{n}", ("run",), {**usual, "OPENAI_BASE_URL": one.base_url}, folder
            )
            for n, one in enumerate(gateways)
        ]
        fleet = enter(closing(Fleet(replicas, forked)))
        fleet.begin("")
        stored = Stored(conninfo, str(slack.info["team_id"]))
        yield Stage(Playground(slack.url, slack.info), fleet, gateways, stored)


def _kill(fleet: Fleet, process: Replica, body: str) -> None:
    if POISON in body:
        fleet.kill(process)


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A process that was killed leaves a stream of another message live.",
)
@pytest.mark.timeout(900)
def test_what_ends_its_process_each_time_gets_the_apology_alone(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """A message that kills its process is given up after a few crashes, the others are answered."""
    with stage(postgres, tmp_path / "app", processes=2) as staged:
        for passing, process in zip(
            staged.gateways, staged.fleet.replicas, strict=True
        ):
            passing.seen = partial(_kill, staged.fleet, process)
        eve = Person(staged.workspace)
        poison = eve.say(f"Tell me {POISON}")
        said = staged.say_many()
        staged.wait(1 + MANY, 200)
        assert staged.shown(poison) == [APOLOGY]
        assert staged.status(poison) == "failed"
        assert [staged.status(one) for one in said] == ["answered"] * MANY
        assert APOLOGY not in [text for one in said for text in staged.shown(one)]
        assert staged.failures(poison) == MAX_FAILURES
        assert staged.fleet.happened["kill -9"] <= MAX_FAILURES + 1
