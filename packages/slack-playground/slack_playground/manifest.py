"""The app's manifest: scopes, events, commands."""

import json
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
    redirect_urls: tuple[str, ...] = ()
    is_agent: bool = False
    suggested_prompts: tuple[dict[str, str], ...] = ()
    description: str = ""


class _Section:
    """A mapping of the manifest; `path` is where it is, "" for the whole.

    What is absent or null has its default; what has another type raises ManifestError.
    """

    def __init__(self, content: dict[Any, Any], path: str = "") -> None:
        self._content = content
        self._path = path
        self.given = bool(content)

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def text(self, name: str, default: str | None = None) -> str:
        value = self._content.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise ManifestError(f"The manifest lacks {self._at(name)}.")
        if not isinstance(value, str):
            raise ManifestError(f"{self._at(name)} of the manifest must be a text.")
        return value

    def flag(self, name: str) -> bool:
        value = self._content.get(name)
        if not isinstance(value, bool | None):
            raise ManifestError(f"{self._at(name)} of the manifest must be true or false.")
        return bool(value)

    def choice(self, name: str, *values: str) -> str:
        value = self.text(name)
        if value not in values:
            raise ManifestError(f"{self._at(name)} of the manifest must be {' or '.join(values)}.")
        return value

    def _list(self, name: str) -> list[Any]:
        value = self._content.get(name)
        if not isinstance(value, list | None):
            raise ManifestError(f"{self._at(name)} of the manifest must be a list.")
        return value or []

    def texts(self, name: str) -> list[str]:
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise ManifestError(f"{self._at(name)} of the manifest must be a list of texts.")
        return values

    def section(self, name: str) -> "_Section":
        value = self._content.get(name)
        if not isinstance(value, dict | None):
            raise ManifestError(f"{self._at(name)} of the manifest must hold names and values.")
        return _Section(value or {}, self._at(name))

    def sections(self, name: str) -> "list[_Section]":
        values = self._list(name)
        if not all(isinstance(value, dict) for value in values):
            raise ManifestError(f"Each entry of {self._at(name)} must hold names and values.")
        return [_Section(one, f"{self._at(name)}[{n}]") for n, one in enumerate(values)]


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
    manifest = _Section(content)
    display = manifest.section("display_information")
    features, settings = manifest.section("features"), manifest.section("settings")
    home, oauth = features.section("app_home"), manifest.section("oauth_config")
    views = [features.section(name) for name in ("agent_view", "assistant_view")]
    name = display.text("name")
    asked = oauth.section("scopes")
    scopes, optional = frozenset(asked.texts("bot")), frozenset(asked.texts("bot_optional"))
    if missing := sorted(optional - scopes):
        raise ManifestError(
            f"The manifest lists {', '.join(missing)} under bot_optional only: list optional scopes"
            " under bot as well."
        )
    commands = [
        Command(
            name=entry.text("command"),
            description=entry.text("description"),
            usage_hint=entry.text("usage_hint", ""),
            should_escape=entry.flag("should_escape"),
        )
        for entry in features.sections("slash_commands")
    ]
    shortcuts = [
        Shortcut(
            callback_id=entry.text("callback_id"),
            kind=entry.choice("type", "global", "message"),
            name=entry.text("name"),
        )
        for entry in features.sections("shortcuts")
    ]
    return Manifest(
        name=name,
        bot_name=features.section("bot_user").text("display_name", name),
        scopes=scopes,
        optional_scopes=optional,
        events=frozenset(settings.section("event_subscriptions").texts("bot_events")),
        commands={command.name: command for command in commands},
        shortcuts={shortcut.callback_id: shortcut for shortcut in shortcuts},
        home_tab=home.flag("home_tab_enabled"),
        messages_tab=home.flag("messages_tab_enabled"),
        interactivity=settings.section("interactivity").flag("is_enabled"),
        socket_mode=settings.flag("socket_mode_enabled"),
        token_rotation=settings.flag("token_rotation_enabled"),
        redirect_urls=tuple(oauth.texts("redirect_urls")),
        description=display.text("description", ""),
        is_agent=any(view.given for view in views),
        suggested_prompts=tuple(
            {"title": prompt.text("title"), "message": prompt.text("message")}
            for view in views
            for prompt in view.sections("suggested_prompts")
        ),
    )


def _loader() -> Any:
    """The C loader where PyYAML has it: ten times faster at start-up."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
