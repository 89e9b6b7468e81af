"""CONTRIBUTING.md: the steps of each recipe, followed in a copy of the code."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recipes import RECIPES, Edit

ROOT = Path(__file__).parents[2]
PARTS = (
    *("bot", "memory", "playground", "tests", "docs", "examples", "bench", "deploy", "evals"),
    *(".ci", ".devcontainer", ".github"),
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def sections() -> dict[str, str]:
    """Return the text of each recipe by its title."""
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    _, *parts = re.split(r"^### ", page.split("## Style")[0], flags=re.MULTILINE)
    return {title: text for title, _, text in (part.partition("\n") for part in parts)}


def copy_of_the_code(folder: Path) -> Path:
    """Return a copy of everything that a recipe touches or its check reads."""
    left_out = shutil.ignore_patterns("__pycache__", "*.mo")
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=left_out)
    for file in ROOT.iterdir():
        if file.is_file() and file.name != ".env":
            shutil.copy(file, folder)
    return folder


def apply(edit: Edit, folder: Path) -> None:
    """Make one edit: insert its text before the one place that `before` names."""
    file = folder / edit.file
    if edit.copied_from:
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / edit.copied_from, file)
    elif not edit.before:
        file.write_text(edit.text, "utf-8")
    if edit.before:
        text = file.read_text("utf-8")
        assert text.count(edit.before) == 1, (edit.file, edit.before)
        replaced = edit.text if edit.replaces else edit.text + edit.before
        file.write_text(text.replace(edit.before, replaced), "utf-8")


def run(folder: Path, *command: str) -> str:
    """Return what a command prints in the copy, whose packages come before the installed ones."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended.stdout


def test_each_recipe_is_followed() -> None:
    """Every recipe of the page has its edits here, and no other."""
    assert list(sections()) == list(RECIPES)


@pytest.mark.parametrize("title", RECIPES)
def test_the_steps_are_enough(title: str, tmp_path: Path) -> None:
    """The edits touch the files that the steps name, the check passes, and the addition works.

    The check has all of lint, and a command that a step names writes pages of the reference.
    """
    text, recipe = sections()[title], RECIPES[title]
    steps, _, check = text.partition("\nCheck: ")
    named = re.findall(r"`((?:\w[\w./-]*/)?\.?[\w.-]+\.(?:py|po|md|yml|example))`", steps)
    assert set(named) == {edit.file for edit in recipe.edits}
    copy = copy_of_the_code(tmp_path / "kioku")
    for edit in recipe.edits:
        apply(edit, copy)
    for target in re.findall(r"`make ([a-z-]+)`", steps):
        # Without `install`, which would make another environment.
        binaries = f"BIN={Path(sys.executable).parent}"
        assert "\ndocs/reference/" in run(copy, "make", "-o", "install", target, binaries)
    command = shlex.split(check.strip().strip("`"))
    assert command[:4] == ["python", "-m", "pytest", "tests/lint"]
    options = ("-q", "-p", "no:cacheprovider", "-n", "0")
    run(copy, sys.executable, *command[1:3], *options, *command[3:])
    run(copy, sys.executable, "-c", recipe.shows)
