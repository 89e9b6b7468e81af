"""manifest.yml: valid by Slack's schema, and honest about itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "data" / "manifest.schema.1.0.0.json"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """The manifest, parsed."""
    content = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def test_it_is_valid(manifest: dict[str, Any]) -> None:
    """Slack's own JSON schema takes it."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    errors = [error.message for error in Draft7Validator(schema).iter_errors(manifest)]
    assert errors == []


def test_it_is_an_agent(manifest: dict[str, Any]) -> None:
    """It has the agent view, a writable Messages tab and no legacy assistant view."""
    features = manifest["features"]
    assert "agent_view" in features
    assert "assistant_view" not in features
    assert features["app_home"] == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True


def test_the_lists_are_sorted(manifest: dict[str, Any]) -> None:
    """Scopes and events are in order, each once, so that a difference is easy to read."""
    for entries in (
        manifest["settings"]["event_subscriptions"]["bot_events"],
        manifest["oauth_config"]["scopes"]["bot"],
        manifest["oauth_config"]["scopes"]["bot_optional"],
    ):
        assert entries == sorted(set(entries))


def test_it_says_that_it_is_generated(manifest: dict[str, Any]) -> None:
    """Every description tells that answers are AI-generated and may be wrong."""
    information = manifest["display_information"]
    texts = [
        information["description"],
        information["long_description"],
        manifest["features"]["agent_view"]["agent_description"],
    ]
    assert all("AI-generated" in text and "may be wrong" in text for text in texts)


def test_commands_are_described(manifest: dict[str, Any]) -> None:
    """Each command has a description and a hint, and only the named ones get ids of channels."""
    commands = {entry["command"]: entry for entry in manifest["features"]["slash_commands"]}
    keys = {"description", "usage_hint", "should_escape"}
    missing = {name: keys - entry.keys() for name, entry in commands.items()}
    assert not any(missing.values()), f"manifest.yml lacks keys of slash commands: {missing}"
    # `/memories preview #general` needs the channel's id; what is forgotten is taken as typed.
    escaped = {name for name, entry in commands.items() if entry["should_escape"]}
    assert escaped == {"/memories"}
    assert all(entry["description"] and entry["usage_hint"] for entry in commands.values())
