"""`kioku setup`: asks for each token and the key, checks each at once, writes them to `.env`."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from getpass import getpass
from pathlib import Path

from dotenv import set_key
from pydantic import SecretStr

from bot.config import FIELDS, Settings
from bot.runtime.checks import Check, check_bot_token, check_events, check_model, check_settings
from bot.runtime.manifest import create_app_url, manifest_path
from bot.runtime.output import tell
from bot.runtime.problem import APP_TOKEN, BOT_TOKEN, Problem
from memory import KiokuMemoryError

_CREATE = """Use Kioku in your Slack, in about five minutes:

1. Open this address. Slack's form is filled in: choose your workspace, then Next and Create. If it
   is empty, choose From a manifest and YAML, and paste {manifest}.

{url}
"""
_KEY = "OPENAI_API_KEY"


async def _check_key(settings: Settings) -> str:
    if not settings.has_model:
        return "No key: Kioku answers with the stand-in."
    await check_settings(settings)
    return await check_model(settings)


_STEPS: tuple[tuple[str, str, Check], ...] = (
    (
        BOT_TOKEN,
        "2. In the app's settings choose Install App, then Install and Allow. Copy the Bot User"
        " OAuth Token.",
        check_bot_token,
    ),
    (
        APP_TOKEN,
        "3. Choose Basic Information, then App-Level Tokens and Generate Token and Scopes. Give it"
        " any name, add the scope connections:write, choose Generate, and copy the token.",
        check_events,
    ),
    (
        _KEY,
        "4. Create a key at https://platform.openai.com/api-keys and copy it. Without a key Kioku"
        " answers with the stand-in, which is a script.",
        _check_key,
    ),
)
_MODE = 0o600
# Needs no quotes in the file, which other programs read, too.
_VALUE = re.compile(r"[A-Za-z0-9._~+/=:-]+")


def set_up(settings: Settings) -> None:
    """Ask for each value until it works, then write all of them.

    In a terminal what is typed is not shown. From a pipe each line is one value. Raises `Problem`
    where the input ends, a value from a pipe is wrong, or the file cannot be written.
    """
    dotenv = Path(".env").resolve()
    tell(_CREATE.format(url=create_app_url(), manifest=manifest_path()))
    given: dict[str, str] = {}
    for name, text, check in _STEPS:
        tell(text)
        while True:
            value = _read(settings, name)
            try:
                tell(f"   ✓ {_checked(settings, name, value, check)}\n")
                break
            except (Problem, KiokuMemoryError) as problem:
                tell(f"   ✗ {problem}\n")
            if not sys.stdin.isatty():
                raise Problem(f"{name} does not work, and nothing was written.")
        if value:
            given[name] = value
            settings = _with(settings, name, value)
    _write(dotenv, given)
    tell(
        f"Written to {dotenv}. Start Kioku with `make up` or `kioku up`, then send it a direct"
        " message in your workspace."
    )


def _with(settings: Settings, name: str, value: str) -> Settings:
    return settings.model_copy(update={FIELDS[name]: SecretStr(value)}) if value else settings


def _checked(settings: Settings, name: str, value: str, check: Check) -> str:
    """Return what is right about a value; an empty one is what is set already. Raises `Problem`."""
    if value and not _VALUE.fullmatch(value):
        raise Problem("It has a space or another character that tokens never have: copy it again.")
    if value and os.environ.get(name, "").strip() not in ("", value):
        raise Problem(
            f"{name} is set in the environment, which has precedence over .env: unset it there."
        )
    settings = _with(settings, name, value)
    if name != _KEY and getattr(settings, FIELDS[name]) is None:
        raise Problem("Nothing was pasted.")
    return asyncio.run(check(settings))


def _read(settings: Settings, name: str) -> str:
    kept = " (Enter: as it is)" if getattr(settings, FIELDS[name]) else ""
    kept = kept or (" (Enter: none)" if name == _KEY else "")
    try:
        line = getpass(f"   {name}{kept}: ") if sys.stdin.isatty() else sys.stdin.readline()
    except EOFError:
        line = ""
    else:
        line = f"{line}\n" if sys.stdin.isatty() else line
    if not line:
        raise Problem("The input has ended, and nothing was written.")
    return line.strip()


def _write(dotenv: Path, given: dict[str, str]) -> None:
    """Write the values to the file, mode 600; its other lines stay."""
    try:
        dotenv.touch(_MODE)
        dotenv.chmod(_MODE)
        for name, value in given.items():
            set_key(dotenv, name, value, quote_mode="never")
    except (OSError, UnicodeDecodeError) as error:
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "not UTF-8"
        raise Problem(f"{dotenv} cannot be written ({why}): make it writable for you.") from None
