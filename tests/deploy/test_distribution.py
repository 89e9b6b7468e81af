"""The package as PyPI would show it and as pipx runs it; both doubles as pip installs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from bot import VERSION
from tests.conftest import ROOT
from tests.deploy.test_image import PACKAGES, context_files
from tests.readme import DOUBLES, written

_PINNED = re.compile(r"^([a-z0-9._-]+==[^\s;\\]+)( ;[^\\\n]+)?", re.M)
INSTALL_SECONDS = 600


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a release builds, in a folder with nothing but what the package needs."""
    copy = tmp_path_factory.mktemp("source")
    for name in [*context_files(), "deploy/release.mk"]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    built = shutil.ignore_patterns("*.egg-info", "build", "__pycache__", ".*")
    packages = copy / "packages"
    shutil.copytree(ROOT / "packages", packages, ignore=built, dirs_exist_ok=True)
    command = ["make", "-f", "deploy/release.mk", "dist", f"PYTHON={sys.executable}"]
    made = subprocess.run(
        command, cwd=copy, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return copy / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """Kioku's wheel, for every platform."""
    return dist / f"kioku_slack-{VERSION}-py3-none-any.whl"


def test_everything_of_the_packages_is_inside(dist: Path, wheel: Path) -> None:
    """Migrations, catalogues, the page and `py.typed`: each file, in sdist and wheel."""
    files = {name for name in context_files() if name.split("/")[0] in PACKAGES}
    assert {f"{package}/py.typed" for package in PACKAGES} <= files
    with zipfile.ZipFile(wheel) as content:
        inside = {name for name in content.namelist() if ".dist-info/" not in name}
    assert inside == {
        *files,
        f"kioku_slack-{VERSION}.data/data/share/kioku/manifest.yml",
    }
    with tarfile.open(dist / f"kioku_slack-{VERSION}.tar.gz") as content:
        packed = {name.partition("/")[2] for name in content.getnames()}
    assert {*files, "manifest.yml", "pyproject.toml", "README.md", "LICENSE"} <= packed


def test_each_wheel_has_its_licence_and_those_of_the_data_in_it(dist: Path) -> None:
    """A wheel and an sdist of each package, with the version of all."""
    notices = {}
    for built in sorted(dist.glob("*.whl")):
        name, version, _ = built.name.split("-", 2)
        assert version == VERSION
        assert (dist / f"{name}-{VERSION}.tar.gz").exists()
        with zipfile.ZipFile(built) as content:
            inside = [one for one in content.namelist() if "/licenses/" in one]
        notices[name] = {one.rpartition("/")[2] for one in inside}
    of_others = {"LICENSE", "THIRD_PARTY_LICENSES"}
    assert notices == {
        "kioku_slack": {"LICENSE"},
        "kioku_stand_in": {"LICENSE"},
        "openai_double": of_others,
        "slack_playground": of_others,
    }


def installing(folder: Path, *locks: str) -> dict[str, str]:
    """Return the environment in which pip takes the versions of the locks, and Kioku is absent."""
    pins = (ROOT / name / "requirements.lock" for name in locks)
    lines = {
        "".join(parts)
        for lock in pins
        for parts in _PINNED.findall(lock.read_text("utf-8"))
    }
    (folder / "constraints.txt").write_text("\n".join(sorted(lines)), "utf-8")
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    }
    return environment | {"PIP_CONSTRAINT": str(folder / "constraints.txt")}


@pytest.mark.parametrize("name", DOUBLES)
def test_readme_program_of_a_double_passes_in_an_empty_environment(
    name: str, tmp_path: Path
) -> None:
    """Its wheel has its own package only and needs no pytest; what its README says to install does.

    pytest finds the fixture by itself.
    """
    shutil.copytree(ROOT / "packages" / name, tmp_path / name)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*build, "--wheel-dir", ".", f"./{name}"], cwd=tmp_path, check=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        folders = {path.split("/")[0] for path in content.namelist()}
        [info] = (path for path in folders if path.endswith(".dist-info"))
        metadata = message_from_string(content.read(f"{info}/METADATA").decode())
    assert folders == {DOUBLES[name], info}
    needed = [
        one for one in metadata.get_all("Requires-Dist", []) if "extra ==" not in one
    ]
    assert "pytest" not in str(needed)
    program, (source, *others) = written(name, tmp_path)
    assert source == f"./packages/{name}"
    environment = installing(tmp_path, ".", "tests")
    empty, pip = (
        str(tmp_path / "empty/bin/python"),
        [sys.executable, "-m", "pip", "--quiet"],
    )
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", "empty"],
        [
            *pip,
            "--disable-pip-version-check",
            "--python",
            empty,
            "install",
            str(wheel),
            *others,
        ],
        [empty, "-m", "pytest", "-q", "-W", "error", program.name],
    ):
        subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, timeout=INSTALL_SECONDS
        )


@pytest.mark.timeout(900)
def test_pipx_runs_it_with_its_playground(wheel: Path, tmp_path: Path) -> None:
    """`pipx run --spec WHEEL[playground] kioku up` is ready without tokens, a key or a clone."""
    environment = installing(tmp_path, ".", "deploy/local") | {
        "PIP_FIND_LINKS": str(wheel.parent),
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_DEFAULT_PYTHON": sys.executable,
        "PORT": "0",
    }
    command = [sys.executable, "-m", "pipx", "run", "--spec", f"{wheel}[playground]"]
    told = subprocess.run(
        [*command, "kioku", "--version"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    assert (told.returncode, told.stdout) == (0, f"kioku {VERSION}\n"), told.stderr[
        -3000:
    ]
    with subprocess.Popen(
        [*command, "kioku", "up", "--no-browser"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as up:
        assert up.stdout is not None
        begin = up.stdout.readline()
        up.terminate()
        rest = up.stdout.read()
    assert up.returncode == 0
    assert re.match(r"Kioku is ready at http://127\.0\.0\.1:\d+$", begin)
    assert "Answers come from the stand-in model" in rest
