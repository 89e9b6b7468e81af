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
from bot.runtime.checks import CHECKS, check_model, check_settings
from bot.runtime.manifest import create_app_url, manifest_path
from bot.runtime.problems import APP_TOKEN, BOT_TOKEN, Problem, explained

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


_STEPS = {
    BOT_TOKEN: (
        "2. In the app's settings choose Install App, then Install and Allow. Copy the Bot User"
        " OAuth Token.",
        CHECKS["Bot token"],
    ),
    APP_TOKEN: (
        "3. Choose Basic Information, then App-Level Tokens and Generate Token and Scopes. Give it"
        " any name, add the scope connections:write, choose Generate, and copy the token.",
        CHECKS["Events"],
    ),
    _KEY: (
        "4. Create a key at https://platform.openai.com/api-keys and copy it. Without a key Kioku"
        " answers with the stand-in, which is a script.",
        _check_key,
    ),
}
# Needs no quotes in the file, which other programs read, too.
_VALUE = re.compile(r"[A-Za-z0-9._~+/=:-]*")


def set_up(settings: Settings) -> None:
    """Ask for each value until it works, then write all of them.

    In a terminal what is typed is not shown. From a pipe each line is one value. Raises `Problem`
    where the input ends, a value from a pipe is wrong, or the file cannot be written.
    """
    print(_CREATE.format(url=create_app_url(), manifest=manifest_path()))
    given: dict[str, str] = {}
    for name, (text, check) in _STEPS.items():
        print(text)
        while True:
            value = _read(settings, name)
            changed = {FIELDS[name]: SecretStr(value)} if value else {}
            tried = settings.model_copy(update=changed)
            try:
                _check_form(tried, name, value)
                print(f"   ✓ {asyncio.run(check(tried))}\n")
                break
            except Exception as error:
                if (sentence := explained(error)) is None:
                    raise
                print(f"   ✗ {sentence}\n")
            if not sys.stdin.isatty():
                raise Problem(f"{name} does not work, and nothing was written.")
        settings = tried
        given |= {name: value} if value else {}
    dotenv = Path(".env").resolve()
    try:
        dotenv.touch()
        dotenv.chmod(0o600)
        for name, value in given.items():
            set_key(dotenv, name, value, quote_mode="never")
    except (OSError, UnicodeDecodeError) as error:
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "not UTF-8"
        raise Problem(f"{dotenv} cannot be written ({why}): make it writable for you.") from None
    print(
        f"Written to {dotenv}. Start Kioku with `make up` or `kioku up`, then send it a direct"
        " message in your workspace."
    )


def _read(settings: Settings, name: str) -> str:
    """Return what is typed for a setting; "" keeps what is set. Raises `Problem` at the end."""
    kept = getattr(settings, FIELDS[name]) is not None
    hint = " (Enter: as it is)" if kept else " (Enter: none)" if name == _KEY else ""
    try:
        if sys.stdin.isatty():
            return getpass(f"   {name}{hint}: ").strip()
        if line := sys.stdin.readline():
            return line.strip()
    except EOFError:
        pass
    raise Problem("The input has ended, and nothing was written.")


def _check_form(tried: Settings, name: str, value: str) -> None:
    if not _VALUE.fullmatch(value):
        raise Problem("It has a space or another character that tokens never have: copy it again.")
    if value and os.environ.get(name, "").strip() not in ("", value):
        raise Problem(
            f"{name} is set in the environment, which has precedence over .env: unset it there."
        )
    if name != _KEY and getattr(tried, FIELDS[name]) is None:
        raise Problem("Nothing was pasted.")
