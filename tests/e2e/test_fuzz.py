"""The fuzz of `make soak`, small: mutated payloads at every entry point of a real process."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.conftest import fresh_database, json_server
from tests.e2e.app import running
from tests.e2e.conftest import PLAYGROUND
from tests.soak.fuzz import SETTINGS, Fuzz
from tests.soak.table import Table
from tests.soak.workspace import Workspace

pytestmark = pytest.mark.slow

REQUESTS = 600


@pytest.mark.failed_calls("*", because="The payloads name users and channels that do not exist.")
def test_mutated_payloads_are_handled(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    """No answer of 500, no error in the log, no row of others changed; then people are answered."""
    with (
        json_server(*PLAYGROUND) as slack,
        fresh_database(postgres) as conninfo,
        running(slack, conninfo, "http", tmp_path / "log", **SETTINGS) as app,
    ):
        table = Table()
        Fuzz(
            workspace=Workspace(slack),
            address=f"http://127.0.0.1:{app.port}",
            secret=str(slack.info["signing_secret"]),
            database=conninfo,
            log=app.said,
            alive=app.pause,
            seed=14,
        ).run(table, REQUESTS)
        table.show()
        assert table.violations == 0
