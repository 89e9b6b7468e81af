"""The pytest plugin by which tests run on PostgreSQL 16, the oldest that is promised.

The package that brings PostgreSQL 18 brings its programs, too, which know fewer options.
"""

from __future__ import annotations

import psycopg
import pytest

from memory.postgres import embedded


@pytest.fixture(scope="session", autouse=True)
def _runs_on_16(request: pytest.FixtureRequest) -> None:
    """Let the tests' server be of this version; fails if it is of another."""
    folder = embedded.find_binaries().parents[1] / "pginstall" / "bin"
    kept = [one for one in embedded._INITDB if "locale" not in one]
    fewer = [one for one in embedded._FEWER if "io_method" not in one]
    vars(embedded).update(
        find_binaries=lambda: folder,
        _INITDB=(*kept, "--locale=C.UTF-8"),
        _FEWER=tuple(fewer),
    )
    server: embedded.EmbeddedPostgres = request.getfixturevalue("postgres")
    with psycopg.connect(server.dsn()) as connection:
        assert connection.info.server_version // 10_000 == 16
