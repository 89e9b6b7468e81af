"""The tokens for a Slack workspace and the model's key: checked live, then written to `.env`."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from urllib.parse import quote, urlencode

import yaml
from dotenv import set_key
from pydantic import SecretStr

from bot.config import Settings, load_settings
from bot.locale import Language, say
from bot.runtime.finding import Finding, fix, note
from bot.runtime.manifest import manifest_path
from bot.runtime.startup import StartError, wrong_key

BOT_TOKEN, APP_TOKEN, OPENAI_KEY = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OPENAI_API_KEY"
NAMES = (BOT_TOKEN, APP_TOKEN, OPENAI_KEY)
LABELS = {
    BOT_TOKEN: "setup_slack_bot_token",
    APP_TOKEN: "setup_slack_app_token",
    OPENAI_KEY: "setup_openai_api_key",
}
_FIELDS = {
    BOT_TOKEN: "slack_bot_token",
    APP_TOKEN: "slack_app_token",
    OPENAI_KEY: "openai_api_key",
}
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

    `found` is the last finding for each name, `team` the workspace's name and `app_url` where the
    app is in Slack, once the bot token was accepted.
    """

    def __init__(self, settings: Settings, dotenv: Path = Path(".env")) -> None:
        self._settings = settings
        self._dotenv = dotenv.resolve()
        self._given: dict[str, str] = {}
        self._checking = asyncio.Lock()
        self.found: dict[str, Finding] = {}
        self.team = ""
        self.app_url = ""

    @property
    def folder(self) -> Path:
        """The folder of the file that is written."""
        return self._dotenv.parent

    @property
    def complete(self) -> bool:
        """Say whether every value was checked and none has to be fixed."""
        return self.found.keys() == set(NAMES) and not self.wrong

    @property
    def wrong(self) -> list[str]:
        """The names whose values have to be fixed."""
        return [name for name, finding in self.found.items() if finding.level == "FIX"]

    def has(self, name: str) -> bool:
        """Say whether there is a value for `name`, given now or set before."""
        return name in self._given or getattr(self._settings, _FIELDS[name]) is not None

    async def check(self, name: str, value: str, language: Language) -> Finding:
        """Check a value of `name`; an empty one is the one given before, or what is set already."""
        value = value.strip()
        if value:
            self._given[name] = value
            setting = {_FIELDS[name]: SecretStr(value)}
            self._settings = self._settings.model_copy(update=setting)
        self.found[name] = found = await self._check(name, language)
        return found

    async def check_all(self, values: dict[str, str], language: Language) -> bool:
        """Check all values at once; return whether they can be written."""
        async with self._checking:
            await asyncio.gather(
                *(self.check(name, values.get(name, ""), language) for name in NAMES)
            )
            return self.complete

    async def _check(self, name: str, language: Language) -> Finding:
        value = self._given.get(name, "")
        if not self.has(name) and name != OPENAI_KEY:
            return fix(name, say(language, "setup_missing"))
        if value and not _VALUE.fullmatch(value):
            return fix(name, say(language, "setup_characters"))
        if value and os.environ.get(name, "").strip() not in ("", value):
            return fix(name, say(language, "setup_in_environment", name=name))
        # Only now: the page must not wait for these packages at the start.
        from bot.runtime.doctor.slack import check_app_token, check_bot_token

        if name == APP_TOKEN:
            return await check_app_token(self._settings, language)
        if name == OPENAI_KEY:
            return await self._check_model(language)
        found, answered = await check_bot_token(self._settings, language)
        if answered is not None:
            said = answered.response
            self.team = str(said.get("team"))
            link = urlencode({"app": said.get("app_id"), "team": said.get("team_id")})
            found_app = f"https://slack.com/app_redirect?{link}"
            self.app_url = found_app if said.get("app_id") else str(said.get("url"))
        return next((one for one in found if one.level == "FIX"), found[0])

    async def _check_model(self, language: Language) -> Finding:
        if not self._settings.has_model:
            return note(OPENAI_KEY, say(language, "setup_without_key"))
        if wrong := wrong_key(self._settings, language):
            return fix(OPENAI_KEY, wrong)
        from bot.runtime.doctor.models import check_replies

        return await check_replies(self._settings, language)

    def write(self, language: Language) -> Settings:
        """Write the given values to the file, mode 600; return the settings with them.

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
        return load_settings(dotenv=self._dotenv)
