"""deploy/monitoring: promtool accepts the rules, and every alert fires in its tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.promtool import run

FOLDER = ROOT / "deploy" / "monitoring"


def read(name: str) -> Any:
    """Return a YAML file of the folder."""
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


def test_the_rules_are_valid() -> None:
    """Promtool finds no fault in the rules."""
    checked = run("check", "rules", "alerts.yaml", folder=FOLDER)
    assert checked.returncode == 0, checked.stdout


def test_every_alert_fires() -> None:
    """Each rule has a test in which it fires, and one moment at which it is silent."""
    tested = run("test", "rules", "alerts_test.yaml", folder=FOLDER)
    assert tested.returncode == 0, tested.stdout
    named = [rule["alert"] for group in read("alerts.yaml")["groups"] for rule in group["rules"]]
    cases = [one for test in read("alerts_test.yaml")["tests"] for one in test["alert_rule_test"]]
    assert [one["alertname"] for one in cases if one.get("exp_alerts")] == named
    assert [one["alertname"] for one in cases if not one.get("exp_alerts")] == named


PAGE = (ROOT / "docs" / "how-to" / "monitoring.md").read_text("utf-8")


def block(language: str) -> str:
    """Return the first code block of the page in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("line", re.findall(r"^promtool (.+)$", PAGE, re.MULTILINE))
def test_the_page_s_commands_work(line: str) -> None:
    """What the page says to run succeeds."""
    done = run(*line.split())
    assert done.returncode == 0, done.stdout


def test_the_page_s_configuration_is_valid(tmp_path: Path) -> None:
    """Prometheus takes the configuration of the page, with the rules where they are here."""
    config = tmp_path / "prometheus.yml"
    rules = str(FOLDER / "alerts.yaml")
    config.write_text(block("yaml").replace("/etc/prometheus/kioku/alerts.yaml", rules))
    checked = run("check", "config", str(config))
    assert checked.returncode == 0, checked.stdout


def test_the_page_lists_every_alert() -> None:
    """The table says of each alert what to do about it."""
    named = [rule["alert"] for group in read("alerts.yaml")["groups"] for rule in group["rules"]]
    assert re.findall(r"^\| `(Kioku\w+)` \|", PAGE, re.MULTILINE) == named
