"""docs/reference/playground.md and playground/README.md: options, control API, methods."""

from __future__ import annotations

import re
import sys
from subprocess import run

from playground.model import create_model_app
from playground.server import create_app
from playground.slack import Slack
from playground.web_api import WebApi
from tests.playground.conftest import ROOT

REFERENCE = (ROOT / "docs" / "reference" / "playground.md").read_text("utf-8")
STAND_IN = (ROOT / "docs" / "reference" / "stand-in-model.md").read_text("utf-8")
PREFIX = "/_playground/"


def documented() -> set[tuple[str, str]]:
    """The method and path of each row of the control API's tables."""
    section = REFERENCE.split("## The control API")[1].split("\n## ")[0]
    found = set()
    for table in re.findall(r"(?:^\|.*\n)+", section, re.M):
        head, _, *rows = table.splitlines()
        column = head.split("|")[1].strip()
        for row in rows:
            for written in re.findall(r"`([^`]+)`", row.split("|")[1]):
                method, _, path = written.rpartition(" ")
                found.add((method or column, path.partition("?")[0]))
    return found


def test_every_path_of_the_control_api_is_documented(slack: Slack) -> None:
    """The reference has a row for each path of the control API, and no other."""
    app = create_app(slack, with_model=False)
    routes = {
        (route.method, route.resource.canonical.removeprefix(PREFIX))
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith(PREFIX)
    }
    served = {(method, path) for method, path in routes if method != "HEAD"}
    assert len(served) > 40
    assert documented() ^ served == set()


def test_every_control_of_the_stand_in_is_documented() -> None:
    """The stand-in's reference has a heading for each of its controls, and no other."""
    routes = {
        (route.method, route.resource.canonical)
        for route in create_model_app().router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/_model/")
    }
    headings = re.findall(r"^### (.*)$", STAND_IN, re.M)
    named = {pair for one in headings for pair in re.findall(r"`([A-Z]+) (/_model/\w+)", one)}
    assert named == {(method, path) for method, path in routes if method != "HEAD"}


def test_every_method_is_documented(slack: Slack) -> None:
    """The reference lists the Web API methods that there are."""
    section = REFERENCE.split("## The methods\n")[1].split("\n## ")[0]
    named = re.findall(r"`([a-z]+\.[\w.]+)`", section)
    assert named == sorted(WebApi(slack).handlers)


def test_every_option_is_documented() -> None:
    """The reference names the options that --help names."""
    command = [sys.executable, "-m", "playground", "--help"]
    told = run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z-]+", told)) - {"--help"}
    synopsis = REFERENCE.split("```")[1]
    assert set(re.findall(r"--[a-z-]+", synopsis)) == options


def test_nothing_but_the_stand_in_knows_kioku() -> None:
    """No text of the playground or its page is made for one app; the stand-in's answers are."""
    own = [
        path
        for path in (ROOT / "playground").rglob("*")
        if path.suffix in (".py", ".js", ".html", ".css", ".toml")
        and not {"vendor", "model"} & {*path.parts}
    ]
    assert len(own) > 80
    texts = {path: path.read_text("utf-8").lower() for path in own}
    assert [path for path, text in texts.items() if re.search("kioku|記憶|/memories", text)] == []


def test_the_constants_of_the_readme_are_those_printed(slack: Slack) -> None:
    """Tokens and secret in playground/README.md are the ones that work."""
    readme = (ROOT / "playground" / "README.md").read_text("utf-8")
    for value in slack.installation.tokens:
        assert f"SLACK_BOT_TOKEN={value}" in readme
    assert "SLACK_APP_TOKEN=xapp-playground" in readme
    assert "SLACK_SIGNING_SECRET=playground-signing-secret" in readme
