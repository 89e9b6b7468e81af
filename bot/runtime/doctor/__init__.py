"""`kioku doctor`: is everything there that Kioku needs, and what to do where it is not."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from dotenv import dotenv_values

from bot.config import Settings, SettingsError, load_settings
from bot.runtime.doctor.database import examine_database
from bot.runtime.doctor.direct_message import Trial
from bot.runtime.doctor.live import try_live
from bot.runtime.doctor.models import examine_models
from bot.runtime.doctor.slack import examine_slack
from bot.runtime.finding import Finding, fix, note, ok
from memory import InvalidSchemas, load_schemas

__all__ = ["Trial", "examine", "kinds_of_memory", "run_doctor"]


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Check each part in the order in which a newcomer would fix it; continue after a failure."""
    yield _data_folder(settings)
    for finding in kinds_of_memory(settings):
        yield finding
    async for finding in examine_slack(settings):
        yield finding
    async for finding in examine_database(settings):
        yield finding
    async for finding in examine_models(settings):
        yield finding


async def run_doctor(trial: Trial | None, tell: Callable[[str], None]) -> int:
    """Tell each finding as it comes; return 1 if something has to be mended, else 0.

    With a `trial`, what Slack's documentation leaves open is tried in a direct message instead.
    """
    # A finding says what the library would log of a refused call.
    logging.getLogger("memory.formation.chat_model").setLevel(logging.CRITICAL)
    settings, found = _read_settings()
    found_now = examine(settings) if trial is None else try_live(settings, trial)
    for finding in found:
        tell(str(finding))
    async for finding in found_now:
        tell(str(finding))
        found.append(finding)
    to_mend = sum(finding.level == "FIX" for finding in found)
    tell("")
    if not to_mend:
        tell("Nothing has to be mended.")
        return 0
    things = "One thing has" if to_mend == 1 else f"{to_mend} things have"
    tell(f"{things} to be mended; begin with the first FIX.")
    return 1


def _read_settings() -> tuple[Settings, list[Finding]]:
    """Return the settings without those that are wrong, and one finding for each of these."""
    found: list[Finding] = []
    from_file: dict[str, str | None] = {}
    dotenv = Path(".env")
    if dotenv.is_file():
        try:
            from_file = dict(dotenv_values(dotenv))
        except (OSError, UnicodeDecodeError):
            found.append(
                fix("Settings", ".env cannot be read: make it readable for this user, in UTF-8.")
            )
    values = {name: value for name, value in from_file.items() if value} | os.environ
    good: dict[str, str] = {}
    for name in sorted(values):
        # No setting depends on another, so each can be judged alone.
        try:
            load_settings({name: values[name]}, dotenv=None)
        except SettingsError as problem:
            found.append(fix("Settings", str(problem)))
        else:
            good[name] = values[name]
    if not found:
        source = "the environment and .env" if from_file else "the environment"
        found.append(ok("Settings", f"read from {source}."))
    return load_settings(good, dotenv=None), found


def _data_folder(settings: Settings) -> Finding:
    """Say whether the data folder can be written to, where it is needed at all."""
    part = "Data folder"
    folder = settings.data_dir.expanduser().resolve()
    needed = settings.database_url is None or settings.slack_bot_token is None
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        if not there.is_dir():
            raise NotADirectoryError
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "it is no folder"
        problem = f"{there} cannot be written to ({why})"
        if needed:
            return fix(part, f"{problem}: set KIOKU_DATA_DIR to another folder.")
        return note(part, f"{problem}; with DATABASE_URL nothing is kept there.")
    if there == folder:
        return ok(part, f"{folder} can be written to.")
    return ok(part, f"{folder} will be made when it is needed.")


def kinds_of_memory(settings: Settings) -> Iterator[Finding]:
    """Say whether the kinds that KIOKU_SCHEMAS names can be used; nothing where it is not set."""
    if settings.schemas is None:
        return
    try:
        kinds = load_schemas(settings.schemas)
    except InvalidSchemas as problem:
        yield fix("Kinds of memory", str(problem))
    else:
        yield ok("Kinds of memory", f"{', '.join(kind.__name__ for kind in kinds)}.")
