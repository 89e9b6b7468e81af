"""deploy/monitoring: the dashboard has Grafana's shape, and all queries use metrics that exist."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from bot.conversation.turns import Outcome
from bot.runtime.metrics import COUNTERS, ERRORS, GAUGES, STEPS
from tests.lint.tables import ROOT

FOLDER = ROOT / "deploy" / "monitoring"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
_SUFFIXES = ("bucket", "sum", "count")
LABELS: dict[str, set[str]] = {
    **{f"kioku_{name}_total": set(labels) for name, (_, labels) in COUNTERS.items()},
    **{f"kioku_{name}": set() for name in GAUGES},
    **{f"kioku_step_seconds_{suffix}": {"step"} for suffix in _SUFFIXES},
    "up": {"job"},
}
VALUES = {
    "kind": {*ERRORS, "input", "cache_write", "cached", "output"},
    "step": set(STEPS),
    "outcome": set(get_args(Outcome)),
    "job": {"kioku"},
}
_DATASOURCE = {
    "type": "object",
    "required": ["type", "uid"],
    "properties": {"type": {"const": "prometheus"}},
}
# The parts of Grafana's JSON model that the dashboard uses; it publishes no JSON schema of it.
# Source: https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "templating", "time"],
    "additionalProperties": False,
    "properties": {
        "uid": {"type": "string", "maxLength": 40},
        "title": {"type": "string", "minLength": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
        "timezone": {"enum": ["browser", "utc", ""]},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "version": {"type": "integer"},
        "editable": {"type": "boolean"},
        "refresh": {"type": "string", "pattern": r"^\d+[smh]$"},
        "time": {"type": "object", "required": ["from", "to"]},
        "annotations": {"type": "object", "required": ["list"]},
        "templating": {
            "type": "object",
            "required": ["list"],
            "properties": {
                "list": {
                    "type": "array",
                    "items": {"type": "object", "required": ["name", "type", "query"]},
                }
            },
        },
        "panels": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "datasource", "gridPos", "targets"],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "integer"},
                    "type": {"enum": ["timeseries", "stat", "gauge"]},
                    "title": {"type": "string", "minLength": 1},
                    "description": {"type": "string"},
                    "datasource": _DATASOURCE,
                    "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]},
                    "gridPos": {
                        "type": "object",
                        "required": ["x", "y", "w", "h"],
                        "properties": {"w": {"type": "integer", "minimum": 1, "maximum": 24}},
                    },
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["refId", "expr", "datasource", "legendFormat"],
                            "properties": {"datasource": _DATASOURCE},
                        },
                    },
                },
            },
        },
    },
}


def queries() -> list[str]:
    """Return every query of the dashboard and of the alerts."""
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))
    shown = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return shown + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def test_the_dashboard_has_the_shape_of_grafana_s_model() -> None:
    """Required fields are there, ids are unique, and no panel lies on another."""
    jsonschema.validate(DASHBOARD, SCHEMA)
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


@pytest.mark.parametrize("query", queries())
def test_queries_use_what_exists(query: str) -> None:
    """Each metric of a query, each of its labels and each value of a label is one of the app's."""
    used = re.findall(r"\b(kioku_\w+|up)\b(?:\{([^}]*)\})?", query)
    assert used
    allowed: set[str] = {"le"}
    for metric, matchers in used:
        assert metric in LABELS
        allowed |= LABELS[metric]
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            assert label in LABELS[metric]
            assert set(values.split("|")) <= VALUES[label]
    grouped = {label for by in re.findall(r"by \(([^)]*)\)", query) for label in by.split(", ")}
    assert grouped <= allowed
