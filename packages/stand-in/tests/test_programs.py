"""The stand-in as programs: that of the README, and the playground with the model in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import slack_playground

README = Path(__file__).parents[1] / "README.md"
MANIFEST = Path(slack_playground.__file__).with_name("app_manifest.json")


def test_program_of_the_readme_passes(tmp_path: Path) -> None:
    """The first block of the README is a test, and passes as it is."""
    [program, *_] = re.findall(
        r"^```python\n(.+?)^```", README.read_text("utf-8"), re.M | re.S
    )
    (tmp_path / "test_hello.py").write_text(program, "utf-8")
    options = ("-q", "-W", "error", "-p", "no:asyncio")
    command = [sys.executable, "-m", "pytest", *options, "test_hello.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_playground_serves_the_model_beside_slack() -> None:
    """The command prints where both are, and ends when its standard input is closed."""
    options = ("--manifest", str(MANIFEST), "--exit-with-parent")
    command = [sys.executable, "-m", "kioku_stand_in.playground", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts["openai_base_url"] == f"{facts['url']}/v1"
        with urllib.request.urlopen(
            f"{facts['url']}/_model/journal", timeout=30
        ) as answer:
            assert json.load(answer)["entries"] == []
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
