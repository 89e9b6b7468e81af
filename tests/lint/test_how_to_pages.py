"""The how-to pages: settings, commands and links in them exist, and both READMEs list each page."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from bot.config import Settings
from bot.runtime.cli import _parser
from tests.lint.tables import ROOT

PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
NAMES = [page.name for page in PAGES]
# Read by other programs than Kioku, or by Kioku's stack for AWS.
OTHERS = {"KIOKU_WORKER_FUNCTION"}
_SETTING = re.compile(r"\bKIOKU_[A-Z_]*[A-Z]\b")
_BLOCK = re.compile(r"^\s*```(?:sh|bash)\n(.*?)^\s*```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:]+?)(?:#([^)]*))?\)")


def text(name: str) -> str:
    """Return a page."""
    return (ROOT / "docs" / "how-to" / name).read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_settings_exist(name: str) -> None:
    """Each KIOKU_ name of a page is a setting."""
    known = {field.alias for field in Settings.model_fields.values()} | OTHERS
    assert set(_SETTING.findall(text(name))) - known == set()


@pytest.mark.parametrize("name", NAMES)
def test_shell_commands_parse(name: str) -> None:
    """bash reads each block of commands, and Kioku the arguments of each `kioku` in one."""
    for block in _BLOCK.findall(text(name)):
        read = subprocess.run(
            ["bash", "-n"], input=block, capture_output=True, text=True, check=False
        )
        assert (read.returncode, read.stderr) == (0, ""), block
        for line in block.splitlines():
            if re.match(r"\s*(?:\S+/)?kioku ", line):
                _parser().parse_args(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files_and_headings(name: str) -> None:
    """Each link to a file of the repository has its file, and its heading."""
    for target, heading in _LINK.findall(text(name)):
        path = (ROOT / "docs" / "how-to" / target).resolve()
        assert path.exists(), target
        if heading and path.suffix == ".md":
            titles = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in slugs, f"{target}#{heading}"


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_both_readmes_list_each_page(readme: str) -> None:
    """A page that the README does not name is found by nobody."""
    written = (ROOT / readme).read_text("utf-8")
    assert [name for name in NAMES if f"docs/how-to/{name}" not in written] == []
