"""An image built by buildah, and its processes, without the daemon of a container engine.

buildah runs with chroot isolation, so it needs neither namespaces of its own nor a network of its
own; a process of the image runs below a read-only bind mount of it, as compose.yaml asks.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, read_line

_PULL_SECONDS = 90
_BASE_SECONDS = 300
_BUILD_SECONDS = 400
_START_SECONDS = 90
_STOP_SECONDS = 60  # as stop_grace_period in compose.yaml
# As docker-library/python's slim images: Debian with Python, without recommended packages. The
# release of Debian is that of the image's tag.
_BASE_PACKAGES = "passwd,python3-venv,ca-certificates"
_NO_PAGES = ("doc", "man", "locale", "info")
_ENTER = """
set -eu
root=$0
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
exec chroot "$root" setpriv "$@"
"""


class Buildah:
    """buildah with a storage of its own below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._options = ("--root", f"{folder}/storage", "--runroot", f"{folder}/run")

    def __call__(self, *arguments: str, seconds: float = 60) -> str:
        """Run a command of buildah and return what it prints; fails with what it says."""
        done = subprocess.run(
            ["buildah", *self._options, "--storage-driver", "vfs", *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={
                **os.environ,
                "BUILDAH_ISOLATION": "chroot",
                "TMPDIR": str(self.folder),
            },
        )
        assert done.returncode == 0, (
            f"buildah {arguments[0]}: {done.stdout[-3000:]}{done.stderr}"
        )
        return done.stdout.strip()

    def inspect(self, image: str) -> dict[str, Any]:
        """Return an image's description, in Docker's format."""
        found: dict[str, Any] = json.loads(self("inspect", "--type", "image", image))
        return found


@contextmanager
def storage() -> Iterator[Buildah]:
    """Give a buildah whose images and containers, about a gigabyte, go afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="kioku-image-"))
    buildah = Buildah(folder)
    try:
        yield buildah
    finally:
        buildah("rm", "--all")
        shutil.rmtree(folder)


def base_for(buildah: Buildah, reference: str) -> str:
    """Return the base image to build on: `reference`, or one made here where it cannot be pulled.

    The one made here is Debian of the same release with Debian's own Python, by mmdebstrap.
    """
    try:
        buildah("pull", "--quiet", reference, seconds=_PULL_SECONDS)
    except (AssertionError, subprocess.TimeoutExpired):
        pass
    else:
        return reference
    tag = reference.partition("@")[0].rpartition(":")[2]
    release = tag.rpartition("-")[2]
    made = buildah("from", "scratch")
    root = Path(buildah("mount", made))
    subprocess.run(
        [
            *(
                "mmdebstrap",
                "--quiet",
                "--variant=essential",
                f"--include={_BASE_PACKAGES}",
            ),
            *(f"--dpkgopt=path-exclude=/usr/share/{pages}/*" for pages in _NO_PAGES),
            *(
                "--aptopt=Acquire::Languages none",
                "--skip=check/empty",
                release,
                str(root),
            ),
        ],
        check=True,
        timeout=_BASE_SECONDS,
        env={**os.environ, "TMPDIR": str(buildah.folder)},
    )
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    return buildah(
        "commit", "--quiet", "--rm", made, f"localhost/python:{tag}", seconds=120
    )


def build(buildah: Buildah, base: str, target: str = "") -> str:
    """Build the Dockerfile, up to the stage `target` if given, on `base`; return the image's id.

    The build reaches the package index as this machine's pip does: its settings are mounted.
    """
    settings = _pip_settings(buildah.folder / "pip.conf")
    mounts = [f"--volume={path}:{there}:ro" for there, path in settings.items()]
    stage = [f"--target={target}"] if target else []
    return buildah(
        *(
            "build",
            "--quiet",
            "--format",
            "docker",
            "--from",
            base,
            "--pull-never",
            "--layers",
            *mounts,
            *stage,
        ),
        *("--tag", target or "kioku"),
        str(ROOT),
        seconds=_BUILD_SECONDS,
    )


def _pip_settings(path: Path) -> dict[str, Path]:
    """Write this machine's settings of pip's network; return what is to be mounted, and where."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = dict(line.partition(".")[2].split("=", 1) for line in listed.splitlines())
    names = ("index-url", "proxy", "trusted-host", "timeout", "cert")
    kept = {name: found[name].strip("'") for name in names if name in found}
    written = configparser.ConfigParser(interpolation=None)
    written["global"] = kept
    with path.open("w", encoding="utf-8") as file:
        written.write(file)
    mounts = {"/etc/pip.conf": path}
    if "cert" in kept:
        mounts[kept["cert"]] = Path(kept["cert"])
    return mounts


class Image:
    """A built image: what it says of itself, and its processes."""

    def __init__(self, buildah: Buildah, image: str) -> None:
        described = buildah.inspect(image)["Docker"]
        self.config: dict[str, Any] = described["config"]
        self._container = buildah("from", "--pull-never", image, seconds=120)
        self.root = Path(buildah("mount", self._container))

    def start(self, *command: str, **settings: str) -> subprocess.Popen[str]:
        """Start a command as the image's user: read-only root, no capability and none to be had.

        The process has the image's environment and `settings`; signals reach the command itself.
        """
        user, group = self.config["User"].split(":")
        environment = dict(pair.split("=", 1) for pair in self.config["Env"])
        powerless = (
            *(f"--reuid={user}", f"--regid={group}", "--clear-groups"),
            *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"),
        )
        inside = ("env", "--ignore-environment", f"--chdir={self.config['WorkingDir']}")
        pairs = (
            f"{name}={value}" for name, value in {**environment, **settings}.items()
        )
        enter = ("unshare", "--mount", "sh", "-c", _ENTER, str(self.root), *powerless)
        return subprocess.Popen(
            [*enter, *inside, *pairs, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, **settings: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what it said."""
        with self.start(*command, **settings) as process:
            try:
                said, _ = process.communicate(timeout=_START_SECONDS)
            finally:
                process.kill()
        return process.returncode, said

    @contextmanager
    def serving(
        self, settings: Mapping[str, str], ready: str = "Kioku is ready on port {PORT}."
    ) -> Iterator[subprocess.Popen[str]]:
        """Run the image's own command, and give it once it says that it is ready."""
        command = [*self.config["Entrypoint"], *self.config["Cmd"]]
        with self.start(*command, **settings) as process:
            try:
                said = read_line(process.stdout, _START_SECONDS)
                assert said == f"{ready.format_map(settings)}\n"
                yield process
            finally:
                process.kill()

    def ask_to_end(self, process: subprocess.Popen[str]) -> None:
        """Send a process the signal that the image names."""
        process.send_signal(signal.Signals[self.config["StopSignal"]])


def ended(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a process that was asked to; return what it said since it was ready."""
    said, _ = process.communicate(timeout=_STOP_SECONDS)
    assert process.returncode == 0, said
    return said
