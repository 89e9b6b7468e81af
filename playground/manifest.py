"""The app's manifest: scopes, events, commands."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


class ManifestError(Exception):
    """The manifest cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A slash command of the manifest."""

    name: str
    description: str
    usage_hint: str = ""
    should_escape: bool = False


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A global or message shortcut of the manifest."""

    callback_id: str
    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The parts of an app manifest that change what Slack does."""

    name: str
    bot_name: str
    scopes: frozenset[str]
    events: frozenset[str]
    optional_scopes: frozenset[str] = frozenset()
    commands: dict[str, Command] = field(default_factory=dict)
    shortcuts: dict[str, Shortcut] = field(default_factory=dict)
    home_tab: bool = False
    messages_tab: bool = True
    interactivity: bool = False
    socket_mode: bool = False
    token_rotation: bool = False
    org_deploy: bool = False
    redirect_urls: tuple[str, ...] = ()
    suggested_prompts: tuple[dict[str, str], ...] = ()
    description: str = ""


def read_manifest(path: Path) -> Manifest:
    """Read a manifest in YAML or JSON.

    Raises ManifestError when the file cannot be read or is no manifest.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _loader())  # noqa: S506
    except OSError as error:
        raise ManifestError(f"The manifest {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ManifestError(f"The manifest {path} is not YAML.") from error
    if not isinstance(content, dict) or "display_information" not in content:
        raise ManifestError(f"{path} is not a Slack app manifest: display_information is missing.")
    return manifest_from(content)


def manifest_from(content: dict[str, Any]) -> Manifest:
    """Build a Manifest from the parsed content of a manifest file.

    Raises ManifestError when a scope is optional that is not asked for: "Optional scopes must also
    be listed in the corresponding bot fields" (https://docs.slack.dev/reference/app-manifest#oauth).
    """
    features = content.get("features", {})
    settings = content.get("settings", {})
    home = features.get("app_home", {})
    name = content["display_information"]["name"]
    oauth = content.get("oauth_config", {})
    asked = oauth.get("scopes", {})
    scopes, optional = frozenset(asked.get("bot", [])), frozenset(asked.get("bot_optional", []))
    if missing := sorted(optional - scopes):
        raise ManifestError(
            f"The manifest lists {', '.join(missing)} under bot_optional only: list optional scopes"
            " under bot as well."
        )
    return Manifest(
        name=name,
        bot_name=features.get("bot_user", {}).get("display_name", name),
        scopes=scopes,
        optional_scopes=optional,
        events=frozenset(settings.get("event_subscriptions", {}).get("bot_events", [])),
        commands={
            entry["command"]: Command(
                name=entry["command"],
                description=entry["description"],
                usage_hint=entry.get("usage_hint", ""),
                should_escape=entry.get("should_escape", False),
            )
            for entry in features.get("slash_commands", [])
        },
        shortcuts={
            entry["callback_id"]: Shortcut(
                callback_id=entry["callback_id"], kind=entry["type"], name=entry["name"]
            )
            for entry in features.get("shortcuts", [])
        },
        home_tab=home.get("home_tab_enabled", False),
        messages_tab=home.get("messages_tab_enabled", False),
        interactivity=settings.get("interactivity", {}).get("is_enabled", False),
        socket_mode=settings.get("socket_mode_enabled", False),
        token_rotation=settings.get("token_rotation_enabled", False),
        org_deploy=settings.get("org_deploy_enabled", False),
        redirect_urls=tuple(oauth.get("redirect_urls", [])),
        description=content["display_information"].get("description", ""),
        suggested_prompts=tuple(features.get("agent_view", {}).get("suggested_prompts", [])),
    )


def _loader() -> Any:
    """The C loader where PyYAML has it: ten times faster at start-up."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
