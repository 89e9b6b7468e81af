"""manifest.yml: valid by Slack's schema, honest, and what the code registers and calls."""

from __future__ import annotations

import ast
import inspect
import json
import re
from fnmatch import fnmatch
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from jsonschema import Draft7Validator
from slack_sdk.web.async_client import AsyncWebClient

from bot.config import load_settings
from bot.listeners import events
from bot.listeners.interactions import Interactions
from bot.runtime.cli import _parser
from bot.runtime.manifest import create_app_url, manifest_scopes, print_manifest
from bot.slack import messages
from slack_playground.web_api.methods import load_methods
from tests.conftest import ROOT

SCHEMA = ROOT / "tests" / "data" / "manifest.schema.1.0.0.json"
# Called with the app-level token, which has scopes of its own.
APP_LEVEL = {"apps.connections.open"}
# What an event needs, one of these scopes. Source: Events API reference.
EVENT_SCOPES: dict[str, set[str]] = {
    "agent_session_stopped": {"chat:write"},
    "app_home_opened": set(),
    "app_uninstalled": set(),
    "tokens_revoked": set(),
    "app_mention": {"app_mentions:read"},
    "channel_id_changed": {"channels:read", "groups:read"},
    "channel_left": {"channels:read"},
    "channel_shared": {"channels:read", "groups:read"},
    "channel_unshared": {"channels:read", "groups:read"},
    "group_left": {"groups:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "message.mpim": {"mpim:history"},
    "user_change": {"users:read"},
}
# A function of the SDK that is no method of Slack's, and the methods that it calls.
UPLOAD = "files.upload.v2"
UPLOADS = {"files.getUploadURLExternal", "files.completeUploadExternal"}
# What a feature of the manifest needs. Source: Slack's guide to agents, and to slash commands.
FEATURE_SCOPES = {
    "agent_view": {"assistant:write"},
    "shortcuts": {"commands"},
    "slash_commands": {"commands"},
}
# What an element of a form needs. Source: Block Kit reference, file input element.
ELEMENT_SCOPES = {"files:read"}


def test_slacks_own_tool_gets_the_manifest_and_starts_what_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The two hooks are commands of `kioku`, and one prints the manifest as JSON."""
    file = json.loads((ROOT / ".slack" / "hooks.json").read_text("utf-8"))
    assert file["config"] == {"sdk-managed-connection-enabled": True}
    commands = {}
    for hook, line in file["hooks"].items():
        program, *arguments = line.split()
        assert program == ".venv/bin/kioku"
        commands[hook] = _parser().parse_args(arguments).command
    assert commands == {"get-manifest": "manifest", "start": "up"}
    print_manifest(load_settings({}, dotenv=None))
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    assert json.loads(capsys.readouterr().out) == manifest


def called_methods() -> set[str]:
    """Return the Web API methods that `bot` calls, by Slack's names."""
    attributes = {
        node.attr
        for path in (ROOT / "bot").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }
    methods = {
        name.replace("_", ".")
        for name in attributes
        # `api_call` takes any method's name; what is called by it is not known here.
        if "_" in name.strip("_")
        and name != "api_call"
        and callable(getattr(AsyncWebClient, name, None))
    }
    assert UPLOAD in methods
    return (methods - {UPLOAD}) | UPLOADS


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
    """It has the agent view, a writable Messages tab and no legacy assistant view.

    Everybody sees the same prompts: as many are Japanese as English.
    """
    features = manifest["features"]
    prompts = features["agent_view"]["suggested_prompts"]
    assert [one["message"].isascii() for one in prompts] == [True, True, False, False]
    assert "assistant_view" not in features
    assert features["app_home"] == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True


@pytest.fixture(scope="module")
def called() -> set[str]:
    """The Web API methods that the code calls, by Slack's names."""
    return called_methods()


def bot_events(manifest: dict[str, Any]) -> list[str]:
    """Return the subscribed events."""
    return list(manifest["settings"]["event_subscriptions"]["bot_events"])


def all_scopes(manifest: dict[str, Any]) -> set[str]:
    """Return the scopes that are asked for, the optional ones too."""
    return set(manifest["oauth_config"]["scopes"]["bot"])


def test_what_is_optional_is_only_for_files(
    manifest: dict[str, Any], called: set[str]
) -> None:
    """A workspace that grants no optional scope loses what is done with files, nothing else."""
    required = all_scopes(manifest) - set(
        manifest["oauth_config"]["scopes"]["bot_optional"]
    )
    methods = load_methods()
    lost = {
        name
        for name in called - APP_LEVEL
        if methods[name].scopes and not required & set(methods[name].scopes)
    }
    assert lost == UPLOADS


def test_optional_scopes_are_asked_for_too(manifest: dict[str, Any]) -> None:
    """Every optional scope is also in `bot`, as Slack's manifest reference demands."""
    # https://docs.slack.dev/reference/app-manifest#oauth
    scopes = manifest["oauth_config"]["scopes"]
    assert scopes["bot_optional"] == ["files:read", "files:write"]
    assert set(scopes["bot_optional"]) <= set(scopes["bot"])
    needed, optional = manifest_scopes()
    assert needed | optional == set(scopes["bot"])
    assert not needed & optional


def test_the_manifest_subscribes_to_the_events_that_the_code_handles(
    manifest: dict[str, Any],
) -> None:
    """The code names every subscribed event."""
    heard = {"message" if e.startswith("message.") else e for e in bot_events(manifest)}
    code = "".join(map(inspect.getsource, (events, messages)))
    assert {one for one in heard if f'"{one}"' not in code} == set()
    of_messages = {one for one in events.HANDLERS if str(one).startswith("message_")}
    unsubscribed = {*events.HANDLERS} - heard - of_messages
    assert unsubscribed == {
        "channel_convert_to_private",
        "channel_convert_to_public",
    }, "manifest.yml subscribes to no such event"


def test_a_page_says_what_each_scope_and_event_is_for(manifest: dict[str, Any]) -> None:
    """It stands in the first column of one of the tables; `channel_*` names several events."""
    page = (ROOT / "docs" / "reference" / "slack.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = re.findall(r"`([^`]+)`", " ".join(rows))
    asked = {*all_scopes(manifest), *bot_events(manifest)}
    assert {
        one for one in asked if not any(fnmatch(one, name) for name in named)
    } == set(), "docs/reference/slack.md has no row for it"
    assert {
        name for name in named if not any(fnmatch(one, name) for one in asked)
    } == set(), "manifest.yml does not ask for it"


def registered(kind: str) -> list[str]:
    """Return the names for which the listeners of commands and shortcuts are registered."""
    bolt = MagicMock()
    Interactions(MagicMock()).register(bolt)
    return [call.args[0] for call in getattr(bolt, kind).call_args_list]


def test_every_event_is_known_and_granted(manifest: dict[str, Any]) -> None:
    """Each subscribed event exists, which Slack's schema does not check, and has its scope."""
    assert set(bot_events(manifest)) == EVENT_SCOPES.keys(), (
        "EVENT_SCOPES has another event, or lacks one"
    )
    scopes = all_scopes(manifest)
    assert [
        event for event, one in EVENT_SCOPES.items() if one and not one & scopes
    ] == []


def test_commands_are_those_the_code_answers(manifest: dict[str, Any]) -> None:
    """Every declared command is registered, and every registered one declared."""
    declared = [entry["command"] for entry in manifest["features"]["slash_commands"]]
    assert sorted(declared) == sorted(registered("command"))


def test_shortcuts_are_those_the_code_answers(manifest: dict[str, Any]) -> None:
    """Every declared shortcut is registered with its kind, and every registered one declared."""
    shortcuts = manifest["features"]["shortcuts"]
    for kind in ("message", "global"):
        declared = [one["callback_id"] for one in shortcuts if one["type"] == kind]
        assert declared == registered(f"{kind}_shortcut")


def test_every_called_method_is_allowed(
    manifest: dict[str, Any], called: set[str]
) -> None:
    """Each Web API method the code calls exists, and one of its scopes is asked for."""
    methods = load_methods()
    assert called <= methods.keys()
    scopes = all_scopes(manifest)
    refused = {
        name
        for name in called - APP_LEVEL
        if methods[name].scopes and not scopes & set(methods[name].scopes)
    }
    assert refused == set()


def test_each_scope_is_needed(manifest: dict[str, Any], called: set[str]) -> None:
    """Each scope is needed by a method that is called, an event or a feature."""
    methods = load_methods()
    needed = set[str]().union(
        *(methods[name].scopes for name in called - APP_LEVEL),
        *EVENT_SCOPES.values(),
        *(FEATURE_SCOPES.get(feature, set()) for feature in manifest["features"]),
    )
    assert all_scopes(manifest) - needed - ELEMENT_SCOPES == set()


@pytest.mark.parametrize("page", ["README.md", "docs/README.ja.md"])
def test_the_button_of_the_readme_opens_the_form_that_setup_opens(page: str) -> None:
    """Its address is that of today's manifest.yml: write again what `create_app_url` returns."""
    told = (ROOT / page).read_text("utf-8")
    assert "[create]" in told
    assert told.endswith(f"\n[create]: {create_app_url()}\n")
