"""Every Markdown page: its links, and the settings and commands that it names."""

from __future__ import annotations

import re
import textwrap
import tomllib

from bench import report
from bot.config import Settings
from bot.runtime.cli import _parser
from docs import translations
from docs.reference import generate
from tests.conftest import ROOT

FOLDERS = (".", ".github", "docs", "docs/*", "packages/*", "bench/*")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}/*.md"))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_BLOCK = re.compile(r"^( *)```([\w-]*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(
    r"\]\(<?([^)\s>]+)>?\)|^\[[^\]]+\]: (\S+)|(?:src|srcset|href)=\"([^\"]+)\"", re.M
)
_SETTING = re.compile(r"\bKIOKU_[A-Z_]*[A-Z]\b")
_FILE = re.compile(
    r"`((?:bot|memory|tests|bench|deploy|docs|packages)/[\w/.-]+\.\w+)(?:::(\w+))?`"
)
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
    return [
        textwrap.dedent(code) for _, language, code in found if language in languages
    ]


def anchors(name: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+?) *$", prose(name), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(
            next(
                s for n in range(99) if (s := f"{slug}-{n}" if n else slug) not in found
            )
        )
    return found


def test_links_lead_to_files_and_headings() -> None:
    """Each link within the repository has its file, and its heading."""
    wrong = []
    for name in NAMES:
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
                wrong.append(f"{name}: {link}")
    assert wrong == []


def test_links_are_named_by_titles() -> None:
    """No link to a page shows the name of its file; of a program it may."""
    named = re.compile(r"\[[^\]\n]*\.md\]\([^)]*\)")
    wrong = [f"{name}: {link}" for name in NAMES for link in named.findall(prose(name))]
    assert wrong == []


def test_settings_and_commands_that_are_named_exist() -> None:
    """Each KIOKU_ name of a page is a setting, each `kioku` command in code is one."""
    settings = {field.alias for field in Settings.model_fields.values()}
    commands = set(generate.subparsers(_parser()))
    wrong = []
    for name in NAMES:
        wrong += [
            f"{name}: {one}" for one in set(_SETTING.findall(text(name))) - settings
        ]
        named = set(re.findall(r"`kioku ([a-z][a-z-]*)", prose(name)))
        wrong += [f"{name}: kioku {one}" for one in named - commands]
    assert wrong == []


def test_files_tests_and_functions_that_are_named_exist() -> None:
    """Each file of the repository, each test in its file, each function in bold of One message."""
    wrong = []
    for name in NAMES:
        for file, test in set(_FILE.findall(prose(name))):
            there = (ROOT / file).is_file()
            if not there or (test and f"def {test}(" not in text(file)):
                wrong.append(f"{name}: {file} {test}")
    page = text("docs/explanation/one-message.md")
    code = "".join(text(file) for file, _ in set(_FILE.findall(page)))
    bold = re.findall(r"\*\*`(?:\w+\.)?(\w+)`\*\*", page)
    wrong += [one for one in bold if not re.search(rf"\b(def|class) {one}\b", code)]
    assert bold
    assert wrong == []


def commands(name: str) -> list[str]:
    """Return each command of a page's blocks in one line, without prompt and comment."""
    code = "".join(blocks(name, "sh", "console"))
    code = re.sub(r"^\$ | +# .*$|\\\n", "", code, flags=re.MULTILINE).strip()
    return [" ".join(one.split()) for one in re.split(r"\n(?=[^\s}])", code) if one]


def test_somebody_or_something_has_run_each_command() -> None:
    """A test, or a person on a day; of what nobody ran the list says why."""
    listed: dict[str, dict[str, list[str]]] = tomllib.loads(
        text("tests/data/commands.toml")
    )
    assert list(listed) == ["by test", "by hand", "never"]
    known = [
        one for group in listed.values() for each in group.values() for one in each
    ]
    assert sorted(known) == sorted({one for name in NAMES for one in commands(name)})
    assert all((ROOT / test).is_file() for test in listed["by test"])
    assert all(re.match(r"20\d\d-\d\d-\d\d, ", how) for how in listed["by hand"])


def test_generated_pages_are_as_they_would_be_generated() -> None:
    """By `python -m docs.reference.generate`, and from the results of `python -m bench`."""
    generated = {generate.PAGE: generate.page(), **report.pages()}
    assert generated == {path: path.read_text("utf-8") for path in generated}


def test_japanese_pages_name_what_they_follow() -> None:
    """The first line of each names an English page and a commit; there are four."""
    pages = {page.name for page in (ROOT / "docs").rglob("*.ja.md")}
    followed = translations.followed()
    japanese = {"README.ja.md", "controls.ja.md", "people.ja.md", "privacy.ja.md"}
    assert pages == set(followed) == japanese
    assert all((ROOT / english).is_file() for english, _ in followed.values())
