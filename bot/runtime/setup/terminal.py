"""`kioku setup`: the setup page's steps in a terminal."""

from __future__ import annotations

import asyncio
import sys
from getpass import getpass

from bot.config import Settings
from bot.locale import say
from bot.runtime.manifest import manifest_path
from bot.runtime.output import tell
from bot.runtime.setup.connect import OPENAI_KEY, STEPS, SlackSetup, Step
from bot.runtime.startup import StartError

_CREATE = """Use Kioku in your Slack, in about five minutes:

1. Open https://api.slack.com/apps?new_app=1, choose From a manifest, your workspace and YAML, paste
   {manifest}
   in place of what is there, then choose Next and Create.
"""


def set_up(settings: Settings) -> None:
    """Ask for each token and the key, check each at once, write them to `.env`.

    In a terminal what is typed is not shown, and asked for again until it works. From a pipe each
    line is one value. Raises `StartError` where the input ends, or a value from a pipe is wrong.
    """
    setup = SlackSetup(settings)
    tell(_CREATE.format(manifest=manifest_path()))
    for number, step in enumerate(STEPS, 2):
        tell(f"{number}. {say('en', step.text).replace('*', '')}")
        _ask(setup, step)
    setup.write("en")
    tell(
        f"Written to {setup.folder / '.env'}. Start Kioku with `make up` or `kioku up`, then send"
        f" it a direct message in {setup.team}: {setup.app_url}"
    )


def _ask(setup: SlackSetup, step: Step) -> None:
    """Ask for one value until it can be used."""
    kept = " (Enter: as it is)" if setup.has(step) else ""
    kept = kept or (" (Enter: none)" if step.name == OPENAI_KEY else "")
    label = f"   {say('en', step.label)}{kept}: "
    while True:
        found = asyncio.run(setup.check(step, _read(label), "en"))
        tell(f"   {found.level}  {found.text}\n")
        if found.level != "FIX":
            return
        if not sys.stdin.isatty():
            raise StartError(f"{step.name} does not work, and nothing was written.")


def _read(label: str) -> str:
    try:
        if sys.stdin.isatty():
            return getpass(label)
        line = sys.stdin.readline()
    except EOFError:
        line = ""
    if not line:
        raise StartError("The input has ended, and nothing was written.")
    return line
