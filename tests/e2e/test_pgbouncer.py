"""Behind PgBouncer in transaction mode no notification arrives: jobs are found by polling."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from memory import EmbeddedPostgres
from tests.conftest import open_playground
from tests.databases import fresh_database, login_of, make_template
from tests.e2e.answers import UNDERSTOOD, live, slowly
from tests.e2e.app import running
from tests.e2e.world import World
from tests.loopback import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@contextmanager
def pgbouncer(server: str, folder: Path) -> Iterator[str]:
    """Run PgBouncer in transaction mode before a server; yield its conninfo."""
    port = free_port()
    there = conninfo_to_dict(server)
    users = folder / "users.txt"
    users.write_text(f'"{there["user"]}" ""\n', "utf-8")
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        "[databases]\n"
        f"* = host={there['host']} port={there['port']}\n"
        "[pgbouncer]\n"
        "listen_addr = 127.0.0.1\n"
        f"listen_port = {port}\n"
        "unix_socket_dir =\n"
        "auth_type = trust\n"
        f"auth_file = {users}\n"
        "pool_mode = transaction\n"
        "default_pool_size = 10\n",
        "utf-8",
    )
    # It refuses to run as root.
    process = subprocess.Popen(
        ["pgbouncer", "--quiet", "--user", "nobody", str(settings)]
    )
    try:
        here = make_conninfo(server, host="127.0.0.1", port=port)
        wait_until(lambda: connects(here), "a PgBouncer that answers")
        yield here
    finally:
        process.terminate()
        process.wait(60)


def connects(conninfo: str) -> bool:
    """Return whether a connection can be opened."""
    with suppress(psycopg.OperationalError), psycopg.connect(conninfo):
        return True
    return False


def with_template(server: EmbeddedPostgres) -> EmbeddedPostgres:
    """Return the server with the database that others are copies of."""
    make_template(server)
    return server


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user of PgBouncer may read, too."""
    with TemporaryDirectory(prefix="kb-", dir="/tmp") as made:
        Path(made).chmod(0o755)
        database = Path(made) / "database"
        database.mkdir(mode=0o711)
        yield Path(made)


def test_the_app_works_behind_a_pooler(folder: Path, tmp_path: Path) -> None:
    """An answer begins by the next poll, Stop ends it by the next, and memories are formed."""
    with (
        EmbeddedPostgres(folder / "database") as server,
        open_playground() as slack,
        fresh_database(with_template(server)) as conninfo,
        pgbouncer(login_of(conninfo), folder) as pooled,
        running(
            slack, conninfo, "socket", tmp_path / "log", DATABASE_URL=pooled
        ) as app,
    ):
        world = World(app)
        ann = world.human()
        assert world.reply(ann.say("I love ramen")).text == UNDERSTOOD
        assert [one["food_name"] for one in world.formed_contents(ann)] == ["ramen"]
        slowly(world)
        said = ann.say("Tell me a story")
        live(world, said)
        where = {"user": ann.id, "channel": said.channel, "thread_ts": said.thread_ts}
        world.control("stop", where)
        assert world.handled(said)["status"] == "stopped"
