"""Fronts and workers as processes of their own, over one database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from tests.conftest import Server, json_server, login_of
from tests.kioku_process import ended, fetched, ready, running, wait_for
from tests.loopback import free_port


@pytest.fixture(scope="module")
def slack() -> Iterator[Server]:
    """A playground of this module."""
    with json_server("playground", "--manifest", "manifest.yml") as server:
        yield server


def settings(slack: Server, database: str) -> dict[str, str]:
    """Return what both roles need."""
    return {
        **slack.slack_settings,
        **slack.model_settings,
        "KIOKU_REPLY_MODEL": "kioku-stand-in",
        "DATABASE_URL": login_of(database),
        "PORT": "0",
    }


def folder(path: Path, name: str) -> Path:
    """Return a folder for one process."""
    made = path / name
    made.mkdir()
    return made


def rows(database: str, statement: LiteralString) -> list[tuple[Any, ...]]:
    """Read as the owner does."""
    with psycopg.connect(database) as owner:
        return owner.execute(statement).fetchall()


def test_a_front_stores_and_a_worker_answers(tmp_path: Path, slack: Server, database: str) -> None:
    """A message that a front stored waits for a worker, which needs no endpoint of its own."""
    both = settings(slack, database)
    receives = {"SLACK_APP_TOKEN": slack.info["app_token"]}
    ann = slack.call("/_playground/users", {"name": "Ann"})["id"]

    def replies() -> list[dict[str, Any]]:
        seen = slack.call(f"/_playground/channels/dm/messages?as={ann}")["messages"]
        return [m for m in seen if m["user"] == slack.info["bot_user_id"]]

    with running(folder(tmp_path, "front"), "run", "--role", "front", **both, **receives) as front:
        front_url = ready(front)
        assert fetched(f"{front_url}/readyz") == (200, "ready\n")
        slack.call("/_playground/messages", {"user": ann, "channel": "dm", "text": "I like ramen"})
        wait_for(lambda: rows(database, "SELECT 1 FROM inbox_events"))
        assert rows(database, "SELECT status::text, queue_name FROM procrastinate_jobs") == [
            ("todo", "replies")
        ]
        assert rows(database, "SELECT 1 FROM procrastinate_workers") == []
        typed = {"user": ann, "channel": "dm", "command": "/memories"}
        assert slack.call("/_playground/commands", typed)["ok"]
        wait_for(lambda: [m for m in replies() if m.get("is_ephemeral")])
        assert len(replies()) == 1
        with running(folder(tmp_path, "worker"), "run", "--role", "worker", **both) as worker:
            worker_url = ready(worker)
            for url in (front_url, worker_url):
                assert fetched(f"{url}/healthz") == (200, "alive\n")
                assert fetched(f"{url}/readyz") == (200, "ready\n")
            assert fetched(f"{worker_url}/slack/events")[0] == 404
            wait_for(lambda: [m for m in replies() if "ramen" in m["text"]])
            wait_for(lambda: rows(database, "SELECT 1 FROM inbox_events WHERE status = 'done'"))


def test_a_receiver_needs_an_app_token_or_a_signing_secret(
    tmp_path: Path, slack: Server, database: str
) -> None:
    """A front without a way for Slack to reach it is told what to write; a role has to exist."""
    done = ended(tmp_path, "run", "--role", "front", **settings(slack, database))
    assert done.code == 1
    assert done.err.startswith("kioku: SLACK_BOT_TOKEN is set without SLACK_APP_TOKEN: copy it")
    done = ended(tmp_path, "run", "--role", "back")
    assert done.code == 2
    assert "invalid choice: 'back'" in done.err


def test_metrics_are_on_a_port_of_their_own(tmp_path: Path, slack: Server, database: str) -> None:
    """`kioku run` answers Prometheus on `KIOKU_METRICS_PORT`, and not on its public port."""
    port = free_port()
    given = {**settings(slack, database), "KIOKU_METRICS_PORT": str(port)}
    url = f"http://127.0.0.1:{port}/metrics"
    with running(tmp_path, "run", **given, SLACK_APP_TOKEN=slack.info["app_token"]) as kioku:
        assert fetched(f"{ready(kioku)}/metrics")[0] == 404
        assert "kioku_database_up 1.0" in fetched(url)[1]
        wait_for(lambda: "kioku_processes 1.0" in fetched(url)[1])
