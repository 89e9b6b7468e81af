"""The tokens for a Slack workspace and the model's key: checked live, then written to `.env`."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import yaml
from dotenv import set_key
from pydantic import SecretStr

from bot.config import FIELDS, Settings, load_settings
from bot.locale import Language, say
from bot.runtime.finding import Finding, fix, note
from bot.runtime.manifest import manifest_path
from bot.runtime.startup import StartError, wrong_key

BOT_TOKEN, APP_TOKEN, OPENAI_KEY = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One value that is asked for: its setting, and the keys of its texts."""

    name: str
    label: str
    title: str
    text: str
    looks_like: str


STEPS = (
    Step(
        name=BOT_TOKEN,
        label="setup_slack_bot_token",
        title="setup_install_title",
        text="setup_install",
        looks_like="xoxb-…",
    ),
    Step(
        name=APP_TOKEN,
        label="setup_slack_app_token",
        title="setup_connect_title",
        text="setup_connect",
        looks_like="xapp-…",
    ),
    Step(
        name=OPENAI_KEY,
        label="setup_openai_api_key",
        title="setup_model_title",
        text="setup_model",
        looks_like="sk-…",
    ),
)
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_MODE = 0o600
# Needs no quotes in the file, which other programs read, too.
_VALUE = re.compile(r"[A-Za-z0-9._~+/=:-]+")


def create_app_url() -> str:
    """Return the address of Slack's form for a new app, filled in with ``manifest.yml``.

    Source: https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests
    """
    manifest = yaml.safe_load(manifest_path().read_text("utf-8"))
    filled_in = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
    return f"https://api.slack.com/apps?new_app=1&manifest_json={quote(filled_in, safe='')}"


class SlackSetup:
    """The tokens and the key, as one person gives them; kept in memory until they are written.

    `settings` have the values given so far, `found` is the last finding for each name, `team` the
    workspace's name and `app_url` where the app is in Slack, once the bot token was accepted.
    """

    def __init__(self, settings: Settings) -> None:
        self._dotenv = Path(".env").resolve()
        self._given: dict[str, str] = {}
        self.settings = settings
        self.found: dict[str, Finding] = {}
        self.team = ""
        self.app_url = ""

    @property
    def folder(self) -> Path:
        """The folder of the file that is written."""
        return self._dotenv.parent

    @property
    def wrong(self) -> bool:
        """Say whether a value has to be fixed."""
        return any(finding.level == "FIX" for finding in self.found.values())

    def has(self, step: Step) -> bool:
        """Say whether there is a value for `step`, given now or set before."""
        return getattr(self.settings, FIELDS[step.name]) is not None

    async def check(self, step: Step, value: str, language: Language) -> Finding:
        """Check a value of `step`; an empty one is the one given before, or what is set already."""
        value = value.strip()
        if value:
            self._given[step.name] = value
            self.settings = self.settings.model_copy(update={FIELDS[step.name]: SecretStr(value)})
        self.found[step.name] = found = await self._check(step, language)
        return found

    async def _check(self, step: Step, language: Language) -> Finding:
        name = step.name
        value = self._given.get(name, "")
        if not self.has(step) and name != OPENAI_KEY:
            return fix(name, say(language, "setup_missing"))
        if value and not _VALUE.fullmatch(value):
            return fix(name, say(language, "setup_characters"))
        if value and os.environ.get(name, "").strip() not in ("", value):
            return fix(name, say(language, "setup_in_environment", name=name))
        # Only now: the page must not wait for these packages at the start.
        from bot.runtime.doctor.slack import check_app_token, check_bot_token

        if name == APP_TOKEN:
            return await check_app_token(self.settings, language)
        if name == OPENAI_KEY:
            return await self._check_model(language)
        found, answered = await check_bot_token(self.settings, language)
        if answered is not None:
            said = answered.response
            self.team = str(said.get("team"))
            link = urlencode({"app": said.get("app_id"), "team": said.get("team_id")})
            found_app = f"https://slack.com/app_redirect?{link}"
            self.app_url = found_app if said.get("app_id") else str(said.get("url"))
        return next((one for one in found if one.level == "FIX"), found[0])

    async def _check_model(self, language: Language) -> Finding:
        if not self.settings.has_model:
            return note(OPENAI_KEY, say(language, "setup_without_key"))
        if wrong := wrong_key(self.settings, language):
            return fix(OPENAI_KEY, wrong)
        from bot.runtime.doctor.models import check_replies

        return await check_replies(self.settings, language)

    def write(self, language: Language) -> None:
        """Write the given values to the file, mode 600, and read `settings` again.

        Other lines of the file stay. Raises `StartError` if it cannot be written.
        """
        try:
            self._dotenv.touch(_MODE)
            self._dotenv.chmod(_MODE)
            for name, value in self._given.items():
                set_key(self._dotenv, name, value, quote_mode="never")
        except (OSError, UnicodeDecodeError) as error:
            why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "UTF-8"
            raise StartError(
                say(language, "setup_not_written", file=self._dotenv, why=why)
            ) from None
        self._given.clear()
        self.settings = load_settings(dotenv=self._dotenv)


class SetupPage:
    """The state of the setup page; `bot.runtime.setup.server` serves it on `listener`.

    `code` is part of the address that the terminal prints and of every request that does anything.
    `connected` is set once all values were checked and written, `ready` once Kioku serves them.
    """

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self.setup = SlackSetup(settings)
        self.listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self.code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))
        self.wrong_codes = 0
        self.connected = asyncio.Event()
        self.ready = False

    @property
    def url_with_code(self) -> str:
        """The address for the terminal."""
        return f"{self.url}?{urlencode({'code': self.code})}"
