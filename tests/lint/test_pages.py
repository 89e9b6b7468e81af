"""Every Markdown page: its links, headings, settings and blocks of code; both languages alike."""

from __future__ import annotations

import ast
import json
import re
import runpy
import shlex
import subprocess
import textwrap
import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from bot.config import Settings
from bot.runtime.cli import _parser
from docs.reference.generate import subparsers
from tests.lint.tables import ROOT, rows

FOLDERS = (".", "docs", "docs/*", "examples", "playground", "bench/*", "deploy/*", "evals")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}/*.md"))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
TRANSLATED = [name for name in NAMES if name.startswith("docs/") and name.endswith(".ja.md")]
# Read by other programs than Kioku, or by Kioku's stack for AWS; in a decision, an old name.
OTHERS = {"KIOKU_WORKER_FUNCTION"}
# As in docs/conf.py: the pages whose lists are the navigation.
INDEX = r"^docs/(index(\.ja)?|users|companies|[\w-]+/README)\.md$"
# They name settings of earlier versions.
OF_THE_PAST = ("CHANGELOG.md", "docs/decisions/")

_BLOCK = re.compile(r"^( *)```([\w-]*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(
    r"\]\(<?([^)\s>]+)>?\)|^\[[^\]]+\]: (\S+)|(?:src|srcset|href)=\"([^\"]+)\"", re.M
)
_SETTING = re.compile(r"\bKIOKU_[A-Z_]*[A-Z]\b")
_OTHER_SITE = re.compile(r"[a-z]+:|//")


def text(name: str) -> str:
    """Return a page."""
    return (ROOT / name).read_text("utf-8")


def prose(name: str) -> str:
    """Return a page without its blocks of code."""
    return _BLOCK.sub("", text(name))


def blocks(name: str, *languages: str) -> list[str]:
    """Return the blocks of code of a page that are in one of the languages."""
    found = _BLOCK.findall(text(name))
    return [textwrap.dedent(code) for _, language, code in found if language in languages]


def anchors(name: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+?) *$", prose(name), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(next(s for n in range(99) if (s := f"{slug}-{n}" if n else slug) not in found))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files_and_headings(name: str) -> None:
    """Each link within the repository has its file, and its heading."""
    wrong = []
    for found in _LINK.findall(_CODE.sub("", prose(name))):
        link = next(filter(None, found))
        target, _, heading = link.partition("#")
        path = ((ROOT / name).parent / target).resolve() if target else ROOT / name
        if _OTHER_SITE.match(link):
            continue
        there = path.exists() and path.is_relative_to(ROOT)
        if there and heading and path.suffix == ".md":
            there = heading in anchors(str(path.relative_to(ROOT)))
        if not there:
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(OF_THE_PAST)])
def test_settings_exist(name: str) -> None:
    """Each KIOKU_ name of a page is a setting."""
    known = {field.alias for field in Settings.model_fields.values()} | OTHERS
    assert set(_SETTING.findall(text(name))) - known == set()


@pytest.mark.parametrize("name", NAMES)
def test_python_is_python(name: str) -> None:
    """Each block of Python can be parsed."""
    for code in blocks(name, "python"):
        ast.parse(code)


@pytest.mark.parametrize("name", NAMES)
def test_data_is_data(name: str) -> None:
    """Each block of JSON, TOML and YAML can be read."""
    readers: dict[str, Callable[[str], object]] = {
        "json": json.loads,
        "toml": tomllib.loads,
        "yaml": yaml.safe_load,
    }
    for language, read in readers.items():
        for code in blocks(name, language):
            read(code)


@pytest.mark.parametrize("name", NAMES)
def test_shell_commands_parse(name: str) -> None:
    """bash reads each block; what is run by `kioku`, `make` and `python -m` exists."""
    made = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    code = [*blocks(name, "sh", "bash", "shell")]
    for block in blocks(name, "console"):
        typed = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
        code.append("\n".join(typed))
    for block in code:
        read = subprocess.run(
            ["bash", "-n"], input=block, capture_output=True, text=True, check=False
        )
        assert (read.returncode, read.stderr) == (0, ""), block
        for line in block.splitlines():
            command = re.match(r"\s*(?:[A-Z_]+=\S* +)*(?:\S*/)?(kioku|make|python3?) (.*)", line)
            if command is None:
                continue
            given = shlex.split(command[2], comments=True)
            if command[1] == "kioku":
                _parser().parse_args(given)
            elif command[1] == "make":
                assert {one for one in given if "=" not in one} <= made, line
            elif given[:1] == ["-m"] and given[1] not in ("venv", "pip"):
                assert find_spec(given[1]), line


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(OF_THE_PAST)])
def test_commands_that_are_named_exist(name: str) -> None:
    """Each command of Kioku and each target of make that a page names is there."""
    named = set(re.findall(r"`(kioku|make) ([a-z][a-z-]*)", prose(name)))
    there = {("kioku", command) for command in subparsers(_parser())}
    made = re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE)
    assert named - there - {("make", target) for target in made} == set()


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_no_table_of_a_readme_is_long(readme: str) -> None:
    """Twelve rows at most; what is longer belongs into the navigation of the documentation."""
    tables = re.findall(r"(?:^\|.*\n)+", text(readme), re.MULTILINE)
    assert [len(table.splitlines()) - 2 for table in tables if table.count("\n") > 14] == []
    assert len(tables) >= 3


def test_the_picture_of_the_architecture_is_drawn_by_its_program() -> None:
    """Two languages, light and dark: ``python docs/media/architecture.py`` after a change."""
    program = runpy.run_path(str(ROOT / "docs/media/architecture.py"))
    drawn = dict(program["pictures"]())
    assert len(drawn) == 4
    assert {path.name: path.read_text("utf-8") for path in drawn} == {
        path.name: picture for path, picture in drawn.items()
    }


def test_every_page_is_in_the_navigation() -> None:
    """A list or table of an index page links to each page: the site has no other navigation."""
    indexes = [ROOT / name for name in NAMES if re.search(INDEX, name)]
    listed = {
        str((index.parent / found[0]).resolve().relative_to(ROOT))
        for index in indexes
        for line in index.read_text("utf-8").splitlines()
        if line.startswith(("- ", "| "))
        for found in _LINK.findall(line)
        if found[0].endswith(".md")
    }
    pages = {name for name in NAMES if name.startswith("docs/") and "docs/index" not in name}
    assert pages - listed == set(), "list it in the README of its folder"


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_page_in_japanese_says_what_the_english_one_says(name: str) -> None:
    """The two have the same headings, tables, lists and settings, and lead to each other."""
    english = name.replace(".ja.md", ".md")
    for one, other in ((name, english), (english, name)):
        assert f"]({Path(other).name})" in text(one), f"{one} has no link to {other}"
    if Path(name).name == "index.ja.md":  # fewer pages are in Japanese
        return
    shapes = [
        (
            re.findall(r"^(#+) ", prose(page), re.MULTILINE),
            [len(row) for row in rows(prose(page), r"-+")],
            len(re.findall(r"^(?:-|\d+\.) ", prose(page), re.MULTILINE)),
            set(_SETTING.findall(text(page))),
            blocks(page, "sh", "python"),
        )
        for page in (name, english)
    ]
    assert shapes[0] == shapes[1]


def test_the_controls_in_japanese_name_the_same_tests() -> None:
    """Each row of controls.ja.md is about the control of the same row in English."""
    japanese, english = (
        [row[-1] for row in rows(text(f"docs/controls{end}.md"), "control|できること")]
        for end in (".ja", "")
    )
    assert japanese == english
