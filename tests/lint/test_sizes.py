"""No part of the tree has more lines than `[tool.kioku.lines]` of pyproject.toml allows."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.conftest import ROOT
from tests.lint import features

COUNTED = (".py", ".pyi", ".sql", ".js", ".css", ".html", ".md", ".toml", ".po")
WHOLE = ("tests", "packages", "docs", "docs/examples", "bench", "bench/evals", "deploy")
LIMITS: dict[str, int] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
    "kioku"
]["lines"]


def parts() -> dict[str, list[Path]]:
    """Return the files of each part: a package of bot or memory, their own modules, a folder."""
    found = {name: list((ROOT / name).rglob("*")) for name in WHOLE}
    for top in ("bot", "memory"):
        entries = list((ROOT / top).iterdir())
        found[top] = [path for path in entries if path.is_file()]
        for package in (path for path in entries if (path / "__init__.py").is_file()):
            found[f"{top}/{package.name}"] = list(package.rglob("*"))
    for outer, inner in (("docs", "docs/examples"), ("bench", "bench/evals")):
        found[outer] = [path for path in found[outer] if path not in found[inner]]
    return found


def lines(files: list[Path]) -> int:
    """Count the lines of what people write: no data, nothing of others."""
    written = [one for one in files if one.suffix in COUNTED and "vendor" not in one.parts]
    return sum(len(one.read_text("utf-8").splitlines()) for one in written)


def test_no_part_exceeds_its_limit() -> None:
    """Each part has a limit and at most so many lines; lower the limit when a part shrinks."""
    counted = {name: lines(files) for name, files in parts().items()}
    counted["promises_and_cards"] = sum(features.counted().values())
    assert counted.keys() == LIMITS.keys()
    over = [f"{name}: {n} > {LIMITS[name]}" for name, n in counted.items() if n > LIMITS[name]]
    assert over == [], "[tool.kioku.lines] in pyproject.toml: shorten, or raise and say why."
