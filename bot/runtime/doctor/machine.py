"""The settings and the data folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dotenv import dotenv_values

from bot.config import Settings, SettingsError, load_settings
from bot.runtime.finding import Finding, fix, note, ok
from memory import InvalidSchemas, load_schemas


def read_settings() -> tuple[Settings, list[Finding]]:
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
