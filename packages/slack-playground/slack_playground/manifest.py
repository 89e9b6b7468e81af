"""The app's manifest: scopes, events, commands."""

import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from slack_playground.records import Json, without_nulls


class ManifestError(Exception):
    """The manifest cannot be used."""


def first_error(error: ValidationError) -> tuple[str, str]:
    """The place of the first error, and its message."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return place, first["msg"]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, validate_by_name=True)


class Command(_Part):
    """A slash command of the manifest."""

    name: str = Field(validation_alias="command")
    description: str
    usage_hint: str = ""
    should_escape: bool = False


class Shortcut(_Part):
    """A global or message shortcut of the manifest."""

    callback_id: str
    kind: Literal["global", "message"] = Field(validation_alias="type")
    name: str


class Prompt(_Part):
    """A prompt that is suggested to a person who has not written anything yet."""

    title: str
    message: str


class Agent(_Part):
    """The settings of an agent app: the prompts it suggests."""

    suggested_prompts: list[Prompt] = []


def _at(default: Any, *path: str) -> Any:
    """A field at this path of the manifest."""
    return Field(default, validation_alias=AliasPath(*path))


def _names_at(*path: str) -> Any:
    return Field(frozenset(), validation_alias=AliasPath(*path), strict=False)


class Manifest(_Part):
    """The parts of an app manifest that change what Slack does."""

    name: str = Field(validation_alias=AliasPath("display_information", "name"))
    description: str = _at("", "display_information", "description")
    bot_name: str = _at("", "features", "bot_user", "display_name")
    scopes: frozenset[str] = _names_at("oauth_config", "scopes", "bot")
    optional_scopes: frozenset[str] = _names_at(
        "oauth_config", "scopes", "bot_optional"
    )
    events: frozenset[str] = _names_at("settings", "event_subscriptions", "bot_events")
    commands: dict[str, Command] = _at({}, "features", "slash_commands")
    shortcuts: dict[str, Shortcut] = _at({}, "features", "shortcuts")
    home_tab: bool = _at(False, "features", "app_home", "home_tab_enabled")
    messages_tab: bool = _at(False, "features", "app_home", "messages_tab_enabled")
    interactivity: bool = _at(False, "settings", "interactivity", "is_enabled")
    socket_mode: bool = _at(False, "settings", "socket_mode_enabled")
    agent: Agent | None = Field(
        None,
        validation_alias=AliasChoices(
            AliasPath("features", "agent_view"), AliasPath("features", "assistant_view")
        ),
    )

    @field_validator("commands", "shortcuts", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        """Index a list of objects by their names."""
        if not isinstance(given, list):
            return given
        named: Json = {}
        for one in given:
            if not isinstance(one, dict):
                return given
            name = one.get("command") or one.get("callback_id")
            named[str(name)] = one
        return named


def read_manifest(path: Path) -> Manifest:
    """Read a manifest in YAML or JSON.

    Raises ManifestError if the file cannot be read or is not a manifest.
    """
    kind = "JSON" if path.suffix == ".json" else "YAML"
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if kind == "JSON" else yaml.safe_load(text)
    except OSError as error:
        raise ManifestError(
            f"The manifest {path} cannot be read: {error.strerror}."
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ManifestError(f"The manifest {path} is not {kind}.") from error
    if not isinstance(content, dict) or "display_information" not in content:
        raise ManifestError(
            f"{path} is not a Slack app manifest: display_information is missing."
        )
    return manifest_from(content)


def manifest_from(content: Json) -> Manifest:
    """Build a Manifest from the parsed content of a manifest file; null counts as absent.

    Raises ManifestError if a field that Slack requires is missing, if a field has the wrong type,
    or if an optional scope is not requested: "Optional scopes must also be listed in the
    corresponding bot fields" (https://docs.slack.dev/reference/app-manifest#oauth).
    """
    try:
        manifest = Manifest.model_validate(_without_nulls(content))
    except ValidationError as error:
        where, what = first_error(error)
        raise ManifestError(f"{where} of the manifest: {what}.") from None
    missing = sorted(manifest.optional_scopes - manifest.scopes)
    if missing:
        raise ManifestError(
            f"The manifest lists {', '.join(missing)} under bot_optional only: list optional scopes"
            " under bot as well."
        )
    bot_name = manifest.bot_name or manifest.name
    return manifest.model_copy(update={"bot_name": bot_name})


def _without_nulls(value: Any) -> Any:
    """A value of the manifest without fields that are null, at any depth."""
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {name: _without_nulls(field) for name, field in without_nulls(value).items()}
