"""The app's manifest: where it is, which scopes it asks for, and Slack's form filled in."""

from __future__ import annotations

import json
from importlib.metadata import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from bot import DISTRIBUTION
from bot.config import Settings


def manifest_path() -> Path:
    """Return where ``manifest.yml`` is: in the source tree, or where it was installed.

    Raises FileNotFoundError with one sentence when it is in neither place.
    """
    beside = Path(__file__).resolve().parents[2] / "manifest.yml"
    if beside.is_file():
        return beside
    for file in files(DISTRIBUTION) or ():
        if file.name == "manifest.yml":
            return Path(str(file.locate())).resolve()
    raise FileNotFoundError(
        "manifest.yml is missing from this installation: install Kioku again."
    )


def print_manifest(_: Settings) -> None:
    """Print the manifest as JSON, as Slack's command-line tool takes it from ``.slack/hooks.json``.

    Source: https://docs.slack.dev/tools/slack-cli/reference/hooks
    """
    print(json.dumps(_read_manifest(), ensure_ascii=False, indent=2))


def create_app_url() -> str:
    """Return the address of Slack's form for a new app, filled in with ``manifest.yml``.

    Source: https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests
    """
    filled_in = json.dumps(_read_manifest(), ensure_ascii=False, separators=(",", ":"))
    return f"https://api.slack.com/apps?new_app=1&manifest_json={quote(filled_in, safe='')}"


def manifest_scopes() -> tuple[frozenset[str], frozenset[str]]:
    """Return the bot scopes that the app needs, and those that whoever installs it may decline.

    The latter are for files. In ``manifest.yml`` they are listed in ``bot`` too, as Slack wants.
    Source: https://docs.slack.dev/reference/app-manifest#oauth
    """
    scopes = _read_manifest()["oauth_config"]["scopes"]
    optional = frozenset(scopes.get("bot_optional", []))
    needed = frozenset(scopes["bot"]) - optional
    return needed, optional


def _read_manifest() -> Any:
    return yaml.safe_load(manifest_path().read_text("utf-8"))
