"""The workflows, the hooks and the development container run what `make` runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from tests.lint.tables import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
_PINNED = re.compile(r"^[\w-]+/[\w./-]+@[0-9a-f]{40}  ?# v\d+\.\d+\.\d+$")


def parsed(path: Path) -> dict[str, Any]:
    """Return a YAML file's content."""
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return content


def goals(commands: str) -> list[str]:
    """Return what `make` is asked for in these commands, in their order."""
    return re.findall(r"\bmake ([a-z-]+)", commands)


def test_each_action_is_pinned_by_its_commit_and_names_its_version() -> None:
    """A tag can be moved to other code; a commit cannot."""
    used = [
        line.split("uses: ")[1].strip()
        for path in WORKFLOWS
        for line in path.read_text("utf-8").splitlines()
        if "uses: " in line
    ]
    assert len(used) > 5
    assert [one for one in used if not _PINNED.match(one)] == []


def test_github_runs_what_ci_runs() -> None:
    """The jobs of the workflow run the commands of .ci/run, one each."""
    jobs = parsed(ROOT / ".github" / "workflows" / "ci.yml")["jobs"].values()
    run = [goals(step["run"]) for job in jobs for step in job["steps"] if "run" in step]
    assert [goal for [goal] in run] == goals((ROOT / ".ci" / "run").read_text("utf-8"))


def test_the_hooks_run_what_lint_runs() -> None:
    """pre-commit runs each command of `make lint`, in its order, from the same .venv."""
    rule = re.search(r"^lint: .*\n((?:\t.*\n)+)", MAKEFILE, re.M)
    assert rule
    linted = [line.strip().replace("$(BIN)", ".venv/bin") for line in rule[1].splitlines()]
    [repository] = parsed(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == linted
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}


def test_the_development_container_has_the_image_of_the_dockerfile() -> None:
    """One base image, by its digest; it sets up what `make test` needs."""
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert f"FROM {container['image']} AS base\n" in dockerfile
    assert "@sha256:" in container["image"]
    assert goals(container["postCreateCommand"]) == ["install"]
    assert re.search(r"^lint: install ", MAKEFILE, re.M)
    assert re.search(r"^test: lint ", MAKEFILE, re.M)


def test_the_agents_page_names_what_there_is() -> None:
    """Each path and make goal that AGENTS.md names exists; the page is one page."""
    page = (ROOT / "AGENTS.md").read_text("utf-8")
    assert len(page.splitlines()) <= 70
    named = re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:md|toml|py|yml))`", page)
    assert len(named) > 20
    assert [one for one in named if not (ROOT / one).exists()] == []
    for goal in goals(page):
        assert re.search(rf"^{goal}:", MAKEFILE, re.M), goal
    for command in re.findall(r"^    (\.venv/bin/\S+)", page, re.M):
        assert shlex.split(command)
