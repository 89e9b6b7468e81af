"""The settings and the data folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bot.config import Settings, SettingsError, load_settings
from bot.doctor.finding import Finding, fix, note, ok


def read_settings() -> tuple[Settings, list[Finding]]:
    """Return the settings without those that are wrong, and one finding for each of these."""
    found: list[Finding] = []
    wrong: set[str] = set()
    dotenv: Path | None = Path(".env")
    while True:
        try:
            settings = load_settings(dotenv=dotenv, without=wrong)
        except SettingsError as problem:
            found.append(fix("Settings", str(problem)))
            if problem.name is None:
                dotenv = None
            else:
                wrong.add(problem.name)
        else:
            break
    if not found:
        source = "the environment and .env" if Path(".env").is_file() else "the environment"
        found.append(ok("Settings", f"read from {source}."))
    return settings, found


def data_folder(settings: Settings) -> Finding:
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
