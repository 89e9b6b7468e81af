"""docs/how-to/server.md: its commands, in order, and the unit files. See `tests.deploy.systemd`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from memory import EmbeddedPostgres
from memory.postgres.embedded.programs import find_binaries
from tests.conftest import ROOT, login_of, open_playground
from tests.deploy.test_image import context_files, postgres_port
from tests.e2e.messages import Json, markdown
from tests.e2e.workspace import Workspace
from tests.kioku_process import until
from tests.loopback import free_port

CAPACITY = ROOT / "docs" / "how-to" / "capacity.md"
UNINSTALL = ROOT / "docs" / "how-to" / "uninstall.md"
UNITS = ("kioku", "kioku-migrate", "kioku-backup", "kioku-backup-list")
TIMERS = ("kioku-backup", "kioku-backup-list")
STANDS_FOR = ("systemctl", "systemd-run", "apt-get", "journalctl")
SECONDS = 60
# Points of `systemd-analyze security`, of 100: below 20 it says "OK".
EXPOSURE = 20
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def sections(page: str) -> dict[str, str]:
    """Return the commands of each section of a page, by its title."""
    parts = re.split(r"^## (.+)$", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE)
    return {
        title: "".join(_BLOCK.findall(text))
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


class Server:
    """A folder in the place of a server's root, with programs in the place of those for root."""

    def __init__(self, root: Path, postgres: EmbeddedPostgres, tcp_port: int, port: str) -> None:
        self.root = root
        self._moved = {
            "/opt/kioku": f"{root}/opt/kioku",
            "/etc/": f"{root}/etc/",
            "/var/": f"{root}/var/",
            "@127.0.0.1/": f"@127.0.0.1:{tcp_port}/",
            ":3000/": f":{port}/",
        }
        told = psycopg.conninfo.conninfo_to_dict(postgres.dsn())
        programs = root / "programs"
        programs.mkdir()
        for name in STANDS_FOR:
            run = f'exec {sys.executable} {ROOT}/tests/deploy/systemd.py {root} {name} "$@"\n'
            self._program(name, run)
        as_postgres = (
            f"export PGHOST={told['host']} PGPORT={told.get('port', 5432)} PGUSER=postgres"
        )
        self._program(
            "sudo",
            f'echo "$*" >> {root}/command_lines\n'
            f'if [ "$1" = -u ]; then shift 2; {as_postgres}; fi; exec "$@"\n',
        )
        self._path = os.pathsep.join(
            [
                str(programs),
                str(find_binaries()),
                str(Path(sys.executable).parent),
                os.environ["PATH"],
            ]
        )

    def _program(self, name: str, text: str) -> None:
        path = self.root / "programs" / name
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)

    def follow(self, commands: str) -> str:
        """Run commands of the page in one shell, in a copy of the repository; return its output."""
        assert commands
        for written, here in self._moved.items():
            commands = commands.replace(written, here)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.root / "copy",
            env={**os.environ, "PATH": self._path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout


@contextmanager
def server(folder: Path, port: str) -> Iterator[tuple[Server, EmbeddedPostgres]]:
    """Give a server with a PostgreSQL of its own, without Kioku's roles."""
    for name in ("copy", "etc/systemd/system", "var/backups"):
        (folder / name).mkdir(parents=True)
    units = [f"deploy/systemd/{unit}.service" for unit in UNITS]
    units += [f"deploy/systemd/{timer}.timer" for timer in TIMERS]
    for name in [*context_files(), *units, ".env.example"]:
        target = folder / "copy" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    with EmbeddedPostgres(folder / "postgres") as postgres:
        with psycopg.connect(postgres.dsn(), autocommit=True) as owner:
            owner.execute(b"DROP ROLE IF EXISTS kioku_login")
            owner.execute(b"CREATE ROLE postgres LOGIN SUPERUSER")
        with postgres_port(postgres.dsn()) as tcp_port:
            try:
                yield Server(folder, postgres, tcp_port, port), postgres
            finally:
                # Left only where a command of the page failed.
                for left in folder.glob("*.pid"):
                    with suppress(ProcessLookupError):
                        os.kill(int(left.read_text()), signal.SIGKILL)


@pytest.mark.timeout(900)
def test_the_page_installs_upgrades_and_removes(tmp_path: Path) -> None:
    """Each command of the page works in its order; in between a message is answered."""
    page = sections("docs/how-to/server.md")
    port = str(free_port())
    with (
        server(tmp_path, port) as (machine, postgres),
        open_playground() as slack,
    ):
        own = {
            **slack.socket_settings,
            **slack.model_settings,
            "PORT": port,
        }
        lines = "".join(f"{name}={value}\n" for name, value in own.items())
        (tmp_path / "own").write_text(lines)
        edited = f"cat {tmp_path}/own >> /etc/kioku/kioku.env\n"
        said = machine.follow(
            page["Install"]
            + page["Create the database"]
            + page["Write the settings"]
            + edited
            + page["Start"]
            + page["Logs"]
        )
        assert "Roles: the serving user owns nothing" in said
        assert (tmp_path / "etc/kioku/kioku.env").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "etc/kioku/owner.env").stat().st_mode & 0o777 == 0o600
        workspace = Workspace(slack)
        answered(workspace, "ramen")
        machine.follow(page["Back up"])
        assert {path.stem for path in tmp_path.glob("*.timer")} == set(TIMERS)
        assert all(
            (tmp_path / "var/backups" / f"kioku.{end}").stat().st_size for end in ("dump", "list")
        )
        machine.follow(page["Upgrade"])
        answered(workspace, "sushi")
        machine.follow(page["Restore"])
        assert {path.stem for path in tmp_path.glob("*.timer")} == set(TIMERS)
        with psycopg.connect(postgres.dsn("kioku")) as owner:
            [(asked,)] = owner.execute("SELECT string_agg(question, ' ') FROM turns")
        assert "ramen" in asked
        assert "sushi" not in asked
        answered(workspace, "soba")
        passwords = re.findall(
            r"://\w+:(\w+)@",
            "".join(
                (tmp_path / "etc/kioku" / f"{one}.env").read_text() for one in ("kioku", "owner")
            ),
        )
        assert len(passwords) == 2
        command_lines = (tmp_path / "command_lines").read_text("utf-8")
        assert not [one for one in passwords if one in command_lines]
        machine.follow(page["Remove it"])
        assert not (tmp_path / "opt/kioku").exists()
        assert not (tmp_path / "etc/kioku").exists()
        assert list((tmp_path / "etc/systemd/system").iterdir()) == []
        assert list(tmp_path.glob("*.timer")) == []
        with psycopg.connect(postgres.dsn()) as owner:
            left = owner.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'kioku_%'")
            assert left.fetchall() == []
        with psycopg.connect(postgres.dsn(), autocommit=True) as owner:
            for statement in re.findall(r"^ALTER SYSTEM .+;$", CAPACITY.read_text("utf-8"), re.M):
                owner.execute(statement.encode())
    noted = (tmp_path / "noted").read_text("utf-8").splitlines()
    assert {line.split()[0] for line in noted} == set(STANDS_FOR)


def test_the_units_of_backups_connect_as_the_owner(database: str, tmp_path: Path) -> None:
    """Each writes its file; the user of `kioku run` could not."""
    for name in ("opt/kioku/venv/bin", "etc/kioku", "etc/systemd/system", "var/backups"):
        (tmp_path / name).mkdir(parents=True)
    kioku = tmp_path / "opt/kioku/venv/bin/kioku"
    kioku.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m bot "$@"\n')
    kioku.chmod(0o755)
    (tmp_path / "etc/kioku/kioku.env").write_text(f"DATABASE_URL={login_of(database)}\n")
    (tmp_path / "etc/kioku/owner.env").write_text(f"DATABASE_OWNER_URL={database}\n")
    for timer in TIMERS:
        unit = ROOT / "deploy" / "systemd" / f"{timer}.service"
        shutil.copy(unit, tmp_path / "etc/systemd/system")
    start = ("tests/deploy/systemd.py", str(tmp_path), "systemctl", "start", *TIMERS)
    done = subprocess.run(
        [sys.executable, *start], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = [path.name for path in (tmp_path / "var/backups").iterdir()]
    assert sorted(names) == ["kioku.dump", "kioku.list"]


def answered(workspace: Workspace, food: str) -> None:
    """Fail unless a new person gets an answer that names what they love."""
    [human] = workspace.people(1)
    said = workspace.say(human, f"I love {food}")

    def answer() -> Json | None:
        found = [one for one in workspace.app_messages([said]) if not one.get("streaming")]
        return found[0] if found else None

    assert food in markdown(until(answer, "an answer", SECONDS))


def test_the_page_removes_what_is_on_a_laptop(tmp_path: Path) -> None:
    """Data, settings and what was installed go; the copy of the repository stays."""
    for folder in (".kioku", ".venv", "build"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".env").touch()
    shutil.copy(ROOT / "Makefile", tmp_path)
    commands = _BLOCK.findall(UNINSTALL.read_text("utf-8"))[-1]
    subprocess.run(["bash", "-euc", commands], cwd=tmp_path, check=True, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """They are valid, and the service is exposed to little: `systemd-analyze` says so."""
    tool = shutil.which("systemd-analyze")
    assert tool or sys.platform != "linux", "systemd-analyze is missing: install systemd."
    for unit in UNITS:
        text = (ROOT / "deploy" / "systemd" / f"{unit}.service").read_text("utf-8")
        assert "ExecStart=/opt/kioku/venv/bin/kioku " in text
        # Nothing is installed there where this test runs.
        made = text.replace("/opt/kioku/venv/bin/kioku", sys.executable)
        (tmp_path / f"{unit}.service").write_text(made)
    for timer in TIMERS:
        shutil.copy(ROOT / "deploy" / "systemd" / f"{timer}.timer", tmp_path)
    if tool:
        units = [str(tmp_path / f"{unit}.service") for unit in UNITS]
        units += [str(tmp_path / f"{timer}.timer") for timer in TIMERS]
        valid = subprocess.run(
            [tool, "verify", "--man=no", *units], capture_output=True, text=True, check=False
        )
        assert (valid.returncode, valid.stderr) == (0, "")
        security = [tool, "security", "--offline=true", f"--threshold={EXPOSURE}", units[0]]
        judged = subprocess.run(security, capture_output=True, text=True, check=False)
        assert judged.returncode == 0, judged.stdout


def test_the_service_has_the_time_that_the_image_has() -> None:
    """systemd waits as long for the end as Compose does."""
    unit = (ROOT / "deploy" / "systemd" / "kioku.service").read_text("utf-8")
    compose = (ROOT / "compose.yaml").read_text("utf-8")
    assert "TimeoutStopSec=40\n" in unit
    assert "stop_grace_period: 40s\n" in compose
