"""The soak's fuzz, small: mutated payloads at every entry point of a real process."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.e2e.app import own_app
from tests.soak.fuzz import SETTINGS, Fuzz
from tests.soak.table import Table

pytestmark = pytest.mark.slow

REQUESTS = 600


@pytest.mark.failed_calls("*", because="The payloads name users and channels that do not exist.")
def test_mutated_payloads_are_handled(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    """No answer of 500, no error in the log, no row of others changed; then people are answered."""
    with own_app(postgres, tmp_path / "log", "http", **SETTINGS) as app:
        table = Table()
        Fuzz(app, seed=14).run(table, REQUESTS)
        table.show()
        assert table.violations == 0
