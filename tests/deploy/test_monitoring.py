"""deploy/monitoring: promtool accepts the rules, and every alert fires in its tests."""

from __future__ import annotations

from typing import Any

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
    named = [
        rule["alert"]
        for group in read("alerts.yaml")["groups"]
        for rule in group["rules"]
    ]
    cases = [
        one
        for test in read("alerts_test.yaml")["tests"]
        for one in test["alert_rule_test"]
    ]
    assert [one["alertname"] for one in cases if one.get("exp_alerts")] == named
    assert [one["alertname"] for one in cases if not one.get("exp_alerts")] == named
