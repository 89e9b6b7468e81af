"""The app's manifest: scopes, events, commands."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from slack_playground.records import Json
from slack_playground.typed_json import WrongTypeError, checked


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
    redirect_urls: tuple[str, ...] = ()
    is_agent: bool = False
    suggested_prompts: tuple[dict[str, str], ...] = ()
    description: str = ""


def _at(content: Json, path: str, kind: Any, default: Any = None, *, place: str = "") -> Any:
    """The value at a path of names, `default` where it is absent or null.

    Raises ManifestError if a value that must be there is not (`default` is `...`), and for one of
    another type than `kind`. `place` is where in the manifest `content` is.
    """
    *above, name = path.split(".")
    inner, passed = content, place
    for one in above:
        passed += f"{one}."
        found = inner.get(one)
        inner = {} if found is None else _checked(passed.rstrip("."), found, dict)
    value = inner.get(name)
    if value is not None:
        return _checked(f"{place}{path}", value, kind)
    if default is ...:
        raise ManifestError(f"The manifest lacks {place}{path}.")
    return default


def _checked(path: str, value: Any, kind: Any) -> Any:
    try:
        return checked(f"{path} of the manifest", value, kind)
    except WrongTypeError as error:
        raise ManifestError(str(error)) from None


def read_manifest(path: Path) -> Manifest:
    """Read a manifest in YAML or JSON.

    Raises ManifestError when the file cannot be read or is no manifest.
    """
    try:
        text = path.read_text(encoding="utf-8")
        as_json = path.suffix == ".json"
        content = json.loads(text) if as_json else yaml.load(text, _loader())  # noqa: S506
    except OSError as error:
        raise ManifestError(f"The manifest {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError) as error:
        kind = "JSON" if path.suffix == ".json" else "YAML"
        raise ManifestError(f"The manifest {path} is not {kind}.") from error
    if not isinstance(content, dict) or "display_information" not in content:
        raise ManifestError(f"{path} is not a Slack app manifest: display_information is missing.")
    return manifest_from(content)


def manifest_from(content: dict[str, Any]) -> Manifest:
    """Build a Manifest from the parsed content of a manifest file.

    Raises ManifestError when something is missing that Slack requires or has another type than
    there, and when a scope is optional that is not asked for: "Optional scopes must also be listed
    in the corresponding bot fields" (https://docs.slack.dev/reference/app-manifest#oauth).
    """
    scopes = frozenset(_at(content, "oauth_config.scopes.bot", list[str], ()))
    optional = frozenset(_at(content, "oauth_config.scopes.bot_optional", list[str], ()))
    if missing := sorted(optional - scopes):
        raise ManifestError(
            f"The manifest lists {', '.join(missing)} under bot_optional only: list optional scopes"
            " under bot as well."
        )
    name = _at(content, "display_information.name", str, ...)
    views = [f"features.{one}" for one in ("agent_view", "assistant_view")]
    prompts = [p for view in views for p in _entries(content, f"{view}.suggested_prompts")]
    commands = [
        Command(
            name=_at(entry, "command", str, ..., place=place),
            description=_at(entry, "description", str, ..., place=place),
            usage_hint=_at(entry, "usage_hint", str, "", place=place),
            should_escape=_at(entry, "should_escape", bool, False, place=place),
        )
        for place, entry in _entries(content, "features.slash_commands")
    ]
    shortcuts = [
        Shortcut(
            callback_id=_at(entry, "callback_id", str, ..., place=place),
            kind=_at(entry, "type", str, ..., place=place),
            name=_at(entry, "name", str, ..., place=place),
        )
        for place, entry in _entries(content, "features.shortcuts")
    ]
    if wrong := [one.kind for one in shortcuts if one.kind not in ("global", "message")]:
        raise ManifestError(f"A shortcut of the manifest is global or message, not {wrong[0]}.")
    settings = "settings.event_subscriptions.bot_events"
    return Manifest(
        name=name,
        bot_name=_at(content, "features.bot_user.display_name", str, name),
        scopes=scopes,
        optional_scopes=optional,
        events=frozenset(_at(content, settings, list[str], ())),
        commands={command.name: command for command in commands},
        shortcuts={shortcut.callback_id: shortcut for shortcut in shortcuts},
        home_tab=_at(content, "features.app_home.home_tab_enabled", bool, False),
        messages_tab=_at(content, "features.app_home.messages_tab_enabled", bool, False),
        interactivity=_at(content, "settings.interactivity.is_enabled", bool, False),
        socket_mode=_at(content, "settings.socket_mode_enabled", bool, False),
        token_rotation=_at(content, "settings.token_rotation_enabled", bool, False),
        redirect_urls=tuple(_at(content, "oauth_config.redirect_urls", list[str], ())),
        description=_at(content, "display_information.description", str, ""),
        is_agent=any(_at(content, view, dict) for view in views),
        suggested_prompts=tuple(
            {part: _at(entry, part, str, ..., place=place) for part in ("title", "message")}
            for place, entry in prompts
        ),
    )


def _entries(content: Json, path: str) -> list[tuple[str, Json]]:
    """The entries of a list of objects, each with its place."""
    entries = _at(content, path, list[Json], ())
    return [(f"{path}[{number}].", entry) for number, entry in enumerate(entries)]


def _loader() -> Any:
    """The C loader where PyYAML has it: ten times faster at start-up."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
