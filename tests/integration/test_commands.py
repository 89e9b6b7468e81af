"""The commands as processes: what stops a start is one sentence that says what to do."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from memory.postgres import packaged_migrations
from tests.conftest import Server, json_server
from tests.databases import SPACE, login_of, owner_rows, read_only
from tests.kioku_process import (
    Ended,
    ended,
    fetched,
    gone,
    ready,
    running,
    running_fresh,
)
from tests.loopback import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
MODEL = {"OPENAI_API_KEY": "sk-none", "KIOKU_EMBEDDING_MODEL": SPACE.model}
AWAY = (
    "PostgreSQL gives no connection: check address, user and password in DATABASE_URL and"
    " DATABASE_OWNER_URL, and that the server runs."
)
READ_ONLY = "PostgreSQL answers, but takes no writes: it is a standby, or default_tra"
NOWHERE = "postgresql://kioku:hunter2@127.0.0.1:1/kioku"


@pytest.fixture(scope="module")
def slack() -> Iterator[Server]:
    """A playground of this module."""
    with json_server(
        "kioku_stand_in.playground", "--manifest", "manifest.yml"
    ) as server:
        yield server


def slack_settings(slack: Server) -> dict[str, str]:
    """Return the settings that lead to the playground, the stand-in model too."""
    return {
        **slack.socket_settings,
        **MODEL,
        "OPENAI_BASE_URL": slack.openai_base_url,
        "PORT": "0",
    }


def refused(done: Ended) -> str:
    """Return the one sentence of a command that did not start."""
    assert done.code == 1
    assert done.out == ""
    [line] = done.err.splitlines()
    assert line.startswith("kioku: ")
    return line.removeprefix("kioku: ")


@pytest.mark.parametrize("command", ["run", "up", "migrate"])
def test_a_wrong_setting_is_named_with_what_to_write(
    tmp_path: Path, command: str
) -> None:
    """Each command stops at a wrong value, says which, and does not repeat the value."""
    told = refused(ended(tmp_path, command, DATABASE_URL="hunter2"))
    assert told.startswith("DATABASE_URL: an address such as postgresql://")
    assert "hunter2" not in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("moment", "sentence"),
    [
        (
            "yesterday",
            "write a date such as 2026-11-20, or with a time, in UTC, 2026-11-20T03:00.",
        ),
        # A list that is empty would say that nothing was forgotten.
        (
            "2999-01-01T12:00",
            "it is in the future: write when the backup was begun, in UTC.",
        ),
    ],
)
def test_a_moment_that_cannot_be_is_told_how_to_write(
    tmp_path: Path, moment: str, sentence: str
) -> None:
    """The command's usage is shown, too, as for each wrong argument."""
    done = ended(tmp_path, "forgotten", "--since", moment)
    assert (done.code, done.out) == (2, "")
    told = done.err.splitlines()[-1]
    assert told == f"kioku forgotten: error: argument --since: {sentence}"


MISSING = [
    ({}, "No model is set: write OPENAI_API_KEY, or OPENAI_BASE_URL for a server that"),
    (
        {**MODEL, **TOKENS, "DATABASE_URL": NOWHERE},
        AWAY,
    ),
]


@pytest.mark.parametrize(("settings", "sentence"), MISSING)
def test_run_says_what_is_missing(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    """`kioku run` names the setting or the service without which it cannot start."""
    told = refused(ended(tmp_path, "run", **settings))
    assert told.startswith(sentence)
    assert "hunter2" not in told


def test_up_opens_no_playground_beside_the_settings_of_a_server(tmp_path: Path) -> None:
    """Whoever wrote tokens of Slack expects their workspace."""
    settings = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s"}
    sentence = (
        "SLACK_BOT_TOKEN is set without SLACK_APP_TOKEN, but `kioku up` gets events"
    )
    assert refused(ended(tmp_path, "up", **settings)).startswith(sentence)
    assert not list(tmp_path.iterdir())


def test_run_says_that_it_cannot_know_the_size_of_vectors(
    tmp_path: Path, database: str
) -> None:
    """The model has embedded nothing yet, so that its server is needed."""
    settings = {
        **MODEL,
        **TOKENS,
        "DATABASE_URL": login_of(database),
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "KIOKU_EMBEDDING_MODEL": "own-embedding",
    }
    told = refused(ended(tmp_path, "run", **settings))
    assert told.startswith(
        "The embedding model own-embedding did not answer (APITimeoutError): check"
    )


def test_migrate_says_that_its_addresses_name_two_databases(
    tmp_path: Path, database: str, empty_database: str
) -> None:
    """The owner's is up to date, and the one that `kioku run` would open is not set up."""
    one = {**MODEL, "DATABASE_OWNER_URL": database}
    assert ended(tmp_path, "migrate", **one, DATABASE_URL=login_of(database)).code == 0
    told = refused(
        ended(tmp_path, "migrate", **one, DATABASE_URL=login_of(empty_database))
    )
    assert told == (
        "DATABASE_URL and DATABASE_OWNER_URL name different databases: write the address of one"
        " database into both, each with its own user, and run `kioku migrate` again."
    )


@pytest.mark.parametrize("setting", ["PORT", "KIOKU_METRICS_PORT"])
def test_run_says_that_its_port_is_taken(
    tmp_path: Path, slack: Server, database: str, setting: str
) -> None:
    """A port that another server has is named, with what to set."""
    good = {**slack_settings(slack), "DATABASE_URL": login_of(database), "PORT": "0"}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        told = refused(ended(tmp_path, "run", **{**good, setting: port}))
    why = "(Address already in use)"
    assert told == f"Port {port} cannot be opened {why}: set {setting} to a free one."


@pytest.mark.parametrize("host", ["[::1]", "203.0.113.1", "nowhere.invalid", "a..b"])
def test_run_says_that_its_host_is_none_of_this_machine(
    tmp_path: Path, slack: Server, database: str, host: str
) -> None:
    """An address of another machine, or in brackets, is not taken for a port that is taken."""
    good = {**slack_settings(slack), "DATABASE_URL": login_of(database)}
    told = refused(ended(tmp_path, "run", KIOKU_HOST=host, **good))
    assert told.startswith(
        f"{host} is no address of this machine: set KIOKU_HOST to one, such as"
    )


def test_run_tells_whether_it_is_ready(tmp_path: Path, slack: Server) -> None:
    """`/readyz` says so while PostgreSQL is away or read-only, and when it is back."""
    with EmbeddedPostgres(tmp_path / "database") as postgres:
        settings = {**slack_settings(slack), "DATABASE_URL": postgres.dsn()}
        assert ended(tmp_path, "migrate", **settings).code == 0
        with running_fresh(tmp_path, "run", **settings) as kioku:
            url = ready(kioku)
            assert fetched(f"{url}/healthz") == (200, "alive\n")
            assert fetched(f"{url}/readyz") == (200, "ready\n")
            postgres.stop()
            away = (503, f"{AWAY}\n")
            wait_until(lambda: fetched(f"{url}/readyz") == away)
            assert fetched(f"{url}/healthz") == (200, "alive\n")
            postgres.start()
            wait_until(lambda: fetched(f"{url}/readyz") == (200, "ready\n"))
            with read_only(postgres):
                wait_until(lambda: fetched(f"{url}/readyz")[1].startswith(READ_ONLY))
            wait_until(lambda: fetched(f"{url}/readyz") == (200, "ready\n"))
            owner_rows(
                postgres.dsn(), "DELETE FROM kioku_migrations WHERE name LIKE 'bot/%'"
            )
            behind = (
                f"The database is {len(packaged_migrations('bot'))} step(s) behind this version:"
                " run `kioku migrate`.\n"
            )
            wait_until(lambda: fetched(f"{url}/readyz") == (503, behind))


def test_run_is_not_ready_without_socket_mode(tmp_path: Path, database: str) -> None:
    """`/readyz` says when Slack's connection is lost."""
    with json_server(
        "kioku_stand_in.playground", "--manifest", "manifest.yml"
    ) as slack:
        kioku_settings = {**slack_settings(slack), "DATABASE_URL": database}
        with running(tmp_path, "run", **kioku_settings) as kioku:
            url = ready(kioku)
            assert fetched(f"{url}/readyz") == (200, "ready\n")
            slack.process.terminate()
            slack.process.wait(60)
            wait_until(
                lambda: (
                    fetched(f"{url}/readyz")
                    == (503, "Slack's Socket Mode is not connected.\n")
                )
            )


def test_metrics_are_on_a_port_of_their_own(
    tmp_path: Path, slack: Server, database: str
) -> None:
    """`kioku run` answers Prometheus on `KIOKU_METRICS_PORT`, and not on its public port."""
    port = free_port()
    given = {**slack_settings(slack), "DATABASE_URL": login_of(database)}
    url = f"http://127.0.0.1:{port}/metrics"
    with running(tmp_path, "run", **given, KIOKU_METRICS_PORT=str(port)) as kioku:
        assert fetched(f"{ready(kioku)}/metrics")[0] == 404
        wait_until(lambda: "kioku_database_up 1.0" in fetched(url)[1])
        wait_until(lambda: "kioku_processes 1.0" in fetched(url)[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_with_an_embedded_database_stops_clean(
    tmp_path: Path, slack: Server, number: signal.Signals
) -> None:
    """Without DATABASE_URL PostgreSQL runs below the data directory; a signal stops both."""
    settings = slack_settings(slack)
    assert ended(tmp_path, "migrate", **settings).code == 0
    with running(tmp_path, "run", **settings) as kioku:
        ready(kioku)
        below = kioku.children
        assert kioku.child("postgres")
        done = kioku.stop(number)
    assert done.code == 0
    assert done.out == "Kioku is finishing what it has begun …\n"
    assert all(map(gone, below))
