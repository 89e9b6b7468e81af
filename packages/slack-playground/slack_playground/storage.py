"""Persistence of the workspaces: one JSON file, written whole when something has changed."""

import json
from pathlib import Path

from slack_playground.records import Json


class StorageError(Exception):
    """The data directory cannot be used."""


def load(file: Path) -> Json:
    """Return what was written, {} if nothing was.

    Raises StorageError for a folder or file that cannot be used.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return dict(json.loads(file.read_text("utf-8"))) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise StorageError(
            f"The playground cannot keep its data in {file.parent} ({error}): choose another"
            " --data-dir."
        ) from error


def write(file: Path, content: Json) -> None:
    """Write JSON, of data classes their fields; a stop in between leaves what was there."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content, default=vars), "utf-8")
    new.replace(file)
