"""Reading a Dockerfile."""

from __future__ import annotations

import json
import re
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
