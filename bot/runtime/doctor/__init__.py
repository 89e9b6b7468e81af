"""`kioku doctor`: is everything there that Kioku needs, and what to do where it is not."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from bot.config import Settings, SettingsError, check_settings, given_values
from bot.runtime.doctor.database import examine_database
from bot.runtime.doctor.direct_message import Trial
from bot.runtime.doctor.live import try_live
from bot.runtime.doctor.models import examine_models
from bot.runtime.doctor.slack import examine_slack
from bot.runtime.finding import Finding, fix, note, ok
from memory import InvalidSchemas, load_schemas

__all__ = ["Trial", "examine", "kinds_of_memory", "run_doctor"]


async def examine(settings: Settings, *, database: bool = True) -> AsyncIterator[Finding]:
    """Check each part in the order in which a newcomer would fix it; continue after a failure.

    Without `database` it is not known which one is meant, so none is looked at.
    """
    yield _data_folder(settings)
    for finding in kinds_of_memory(settings):
        yield finding
    parts = [examine_slack, *([examine_database] if database else []), examine_models]
    for examine_part in parts:
        async for finding in examine_part(settings):
            yield finding


async def run_doctor(trial: Trial | None, tell: Callable[[str], None]) -> int:
    """Tell each finding as it comes; return 1 if there is something to fix, else 0.

    With a `trial`, what Slack's documentation leaves open is tried in a direct message instead.
    """
    # A finding says what the library would log of a refused call.
    logging.getLogger("memory.formation.chat_model").setLevel(logging.CRITICAL)
    settings, found, database = _read_settings()
    checked = examine(settings, database=database)
    found_now = checked if trial is None else try_live(settings, trial)
    for finding in found:
        tell(str(finding))
    async for finding in found_now:
        tell(str(finding))
        found.append(finding)
    to_fix = sum(finding.level == "FIX" for finding in found)
    tell("")
    if not to_fix:
        tell("Nothing to fix.")
        return 0
    things = "One thing" if to_fix == 1 else f"{to_fix} things"
    tell(f"{things} to fix; begin with the first FIX.")
    return 1


def _read_settings() -> tuple[Settings, list[Finding], bool]:
    """Return the settings without those that are wrong, and one finding for each of these.

    The last value is False if DATABASE_URL is wrong.
    """
    found: list[Finding] = []
    try:
        values = given_values()
    except SettingsError as problem:
        found.append(fix("Settings", str(problem)))
        values = given_values(dotenv=None)
    settings, problems = check_settings(values)
    found += [fix("Settings", problem) for problem in problems]
    if not found:
        source = "the environment and .env" if Path(".env").is_file() else "the environment"
        found.append(ok("Settings", f"read from {source}."))
    return settings, found, settings.database_url is not None or "DATABASE_URL" not in values


def _data_folder(settings: Settings) -> Finding:
    """Say whether the data folder can be written to, where it is needed at all."""
    part = "Data folder"
    folder = settings.data_dir.resolve()
    embedded = settings.database_url is None
    needed = embedded or settings.slack_bot_token is None
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
