"""The bill of materials lists what a server installs, with its hashes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bot import DISTRIBUTION, VERSION
from tests.conftest import ROOT

_PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z0-9, -]+\])?==([^\s;\\]+)", re.M)
_NEEDED = (
    "deploy/release.mk",
    "pyproject.toml",
    "requirements.lock",
    "README.md",
    "LICENSE",
)


def test_the_bill_of_materials_is_the_lock(tmp_path: Path) -> None:
    """The target `sbom` writes a CycloneDX document of exactly the packages of the lock."""
    shutil.copytree(
        ROOT / "deploy" / "supply-chain", tmp_path / "deploy" / "supply-chain"
    )
    for name in _NEEDED:
        shutil.copy(ROOT / name, tmp_path / name)
    command = ["make", "-f", "deploy/release.mk", "sbom", f"PYTHON={sys.executable}"]
    made = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    found = json.loads((tmp_path / "build" / "sbom.cdx.json").read_text("utf-8"))
    assert found["bomFormat"] == "CycloneDX"
    component = found["metadata"]["component"]
    assert (component["name"], component["version"]) == (DISTRIBUTION, VERSION)
    listed = {(one["name"], one["version"]) for one in found["components"]}
    pinned = set(_PINNED.findall((ROOT / "requirements.lock").read_text("utf-8")))
    assert len(pinned) > 50
    assert listed == pinned
    hashes = [one["externalReferences"][0]["hashes"] for one in found["components"]]
    assert all(hashes)
