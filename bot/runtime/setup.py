"""`kioku setup`: asks for each token and the key, checks each, and writes it to `.env` at once."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from getpass import getpass
from pathlib import Path
from typing import Final

from dotenv import set_key
from pydantic import SecretStr

from bot.config import FIELDS, Settings
from bot.runtime.browser import open_browser
from bot.runtime.checks import CHECKS, Check
from bot.runtime.manifest import create_app_url, manifest_path
from bot.runtime.problems import APP_TOKEN, BOT_TOKEN, Problem, explained
from bot.runtime.settings_check import check_settings

_BEGIN: Final = """Use Kioku in your Slack, in about five minutes. What you give is kept in
{dotenv}.
"""
_OPENED: Final = """1. Slack's form for a new app opens in your browser, filled in: choose your
   workspace, then Next and Create. If it is empty or does not open, end this with Ctrl-C:
   `kioku setup --no-browser` prints its address, and what to do.
"""
_PRINTED: Final = """1. Open this address. Slack's form is filled in: choose your workspace, then
   Next and Create. If it is empty, choose From a manifest and YAML, and paste
   {manifest}.

{url}
"""
_MADE: Final = """1. An app-level token is set, so the app is made: open it at https://api.slack.com/apps.
"""
_KEY: Final = "OPENAI_API_KEY"


async def _check_key(settings: Settings) -> str:
    await check_settings(settings)
    return await CHECKS["Model"](settings)


_STEPS: Final[dict[str, tuple[str, Check]]] = {
    APP_TOKEN: (
        """2. Slack now shows Basic Information. Under App-Level Tokens choose Generate Token
   and Scopes, give it any name, add the scope connections:write, choose Generate, and
   copy the token. It begins with xapp-.""",
        CHECKS["Events"],
    ),
    BOT_TOKEN: (
        """3. Choose Install App, then Install and Allow. Copy the Bot User OAuth Token. It
   begins with xoxb-. If an admin has to approve the app first, end this with Ctrl-C and
   come back: what you gave is kept.""",
        CHECKS["Bot token"],
    ),
    _KEY: (
        """4. Create a key at https://platform.openai.com/api-keys and copy it. Without a key
   the stand-in answers, which is no language model. For another server than OpenAI's
   write OPENAI_BASE_URL into .env (docs/how-to/models.md).""",
        _check_key,
    ),
}
# These need no quotes in the file, which other programs read, too.
_VALUE: Final = re.compile(r"[A-Za-z0-9._~+/=:-]*")


def set_up(settings: Settings, *, browser: bool = True) -> None:
    """Ask for each value until it works, and write it.

    A terminal does not show what is typed. From a pipe each line is one value. Raises `Problem` if
    the input ends, a value from a pipe is wrong, or the file cannot be written; what worked before
    that is kept, also after Ctrl-C.
    """
    dotenv = Path(".env").resolve()
    print(_BEGIN.format(dotenv=dotenv))
    if settings.slack_app_token is not None:
        print(_MADE)
    elif browser and open_browser(create_app_url()):
        print(_OPENED)
    else:
        print(_PRINTED.format(url=create_app_url(), manifest=manifest_path()))
    written: list[str] = []
    try:
        for name, (text, check) in _STEPS.items():
            print(text)
            settings, value = _ask(settings, name, check)
            if value:
                _write(dotenv, name, value)
                written.append(name)
    except KeyboardInterrupt:
        kept = "nothing"
        if written:
            kept = f"{', '.join(written)} in {dotenv}"
        print(f"\nStopped. Kept: {kept}. Run `kioku setup` again to go on.")
        raise
    print(
        "Everything is set. Start Kioku with `make up` or `kioku up`, then send it a direct message"
        " in your workspace."
    )


def _ask(settings: Settings, name: str, check: Check) -> tuple[Settings, str]:
    """Ask for a setting until it works; return the settings with it, and what was typed."""
    while True:
        value = _read(settings, name)
        tried = settings
        if value:
            tried = settings.model_copy(update={FIELDS[name]: SecretStr(value)})
        try:
            _check_form(tried, name, value)
            print("   Checking …")
            print(f"   ✓ {asyncio.run(check(tried))}\n")
        except Exception as error:
            sentence = explained(error)
            if sentence is None:
                raise
            print(f"   ✗ {sentence}\n")
        else:
            return tried, value
        if not sys.stdin.isatty():
            raise Problem(f"{name} does not work, and was not written.")


def _read(settings: Settings, name: str) -> str:
    """Return what is typed for a setting; "" keeps what is set. Raises `Problem` at EOF."""
    hints = ["hidden as you type"]
    if getattr(settings, FIELDS[name]) is not None:
        hints.append("Enter: as it is")
    elif name == _KEY:
        hints.append("Enter: none")
    try:
        if sys.stdin.isatty():
            return getpass(f"   {name} ({', '.join(hints)}): ").strip()
        if line := sys.stdin.readline():
            return line.strip()
    except EOFError:
        pass
    raise Problem(
        f"The input has ended before {name}: run `kioku setup` again to go on with it."
    )


def _check_form(tried: Settings, name: str, value: str) -> None:
    if not _VALUE.fullmatch(value):
        raise Problem(
            "It has a space or another character that tokens never have: copy it again."
        )
    if value and os.environ.get(name, "").strip() not in ("", value):
        raise Problem(
            f"{name} is set in the environment, which has precedence over .env: unset it there."
        )
    if name != _KEY and getattr(tried, FIELDS[name]) is None:
        raise Problem("Nothing was pasted.")


def _write(dotenv: Path, name: str, value: str) -> None:
    """Write a setting into a file that only its owner can read. Raises `Problem`."""
    try:
        dotenv.touch()
        dotenv.chmod(0o600)
        set_key(dotenv, name, value, quote_mode="never")
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise Problem(
            f"{dotenv} cannot be written ({why}): make it writable for you."
        ) from None
