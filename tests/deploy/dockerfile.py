"""Reading a Dockerfile, and doing what its first stage does without a container engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One instruction: its name in capitals and what follows, on one line."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """What follows as a list: exec form or words."""
        if self.rest.startswith("["):
            words: list[str] = json.loads(self.rest)
            return words
        return self.rest.split()


@dataclass
class Stage:
    """One stage: its base image, its name, and its steps."""

    image: str
    name: str = ""
    steps: list[Step] = field(default_factory=list)

    def all(self, name: str) -> list[Step]:
        """Return the steps of this name."""
        return [step for step in self.steps if step.name == name]

    def one(self, name: str) -> Step:
        """Return the only step of this name."""
        (step,) = self.all(name)
        return step

    @property
    def environment(self) -> dict[str, str]:
        """What its ENV steps set."""
        pairs = [pair for step in self.all("ENV") for pair in step.words]
        return dict(pair.split("=", 1) for pair in pairs)


def read_dockerfile(path: Path) -> list[Stage]:
    """Return the stages of a Dockerfile; fails at an instruction before the first FROM."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            image, _, alias = rest.partition(" AS ")
            stages.append(Stage(image, alias))
        else:
            stages[-1].steps.append(Step(name, " ".join(rest.split())))
    return stages


def build(stage: Stage, context: Path, files: list[str], root: Path) -> None:
    """Do a stage's steps below `root`; `files` are those of `context` that may be copied.

    Absolute paths in it are taken to be below `root`; ``python`` is this interpreter.
    """
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(root),
        **{name: value for name, value in os.environ.items() if name.upper().startswith("PIP_")},
        **stage.environment,
    }
    place = root
    for step in stage.steps:
        if step.name == "WORKDIR":
            place = root / step.rest.lstrip("/")
            place.mkdir(parents=True)
        elif step.name == "COPY":
            *sources, target = step.words
            for source in sources:
                _copy(context, files, source, place / target)
        elif step.name == "RUN":
            command = moved(step.rest, root)
            subprocess.run(["sh", "-euc", command], cwd=place, env=environment, check=True)
        else:
            assert step.name == "ENV", f"This test cannot do {step.name}."


def moved(text: str, root: Path) -> str:
    """Return a command with its absolute paths below `root`."""
    return re.sub(r"(?<![\w./])/(?=opt/|src\b)", f"{root}/", text)


def _copy(context: Path, files: list[str], source: str, target: Path) -> None:
    """Copy a file into a folder, or what is below a folder into `target`."""
    below = [name for name in files if name.startswith(f"{source}/")]
    pairs = [(name, target / name.removeprefix(f"{source}/")) for name in below]
    if source in files:
        pairs.append((source, target / source))
    assert pairs, f"{source} is not in the build context."
    for name, to in pairs:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(context / name, to)
