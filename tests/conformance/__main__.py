"""Refresh the copies of published specifications: ``python -m tests.conformance``.

Reads the newest commit of each repository from GitHub, or from the clones in ``--from FOLDER``,
writes the reduced copies to ``tests/data`` and prints what changed in them. The exit code is 0
where nothing changed, 1 where something did, and 2 where a repository could not be read.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.conformance import repository
from tests.conformance.document import differences, read
from tests.conformance.openai_schemas import OpenAISchemas
from tests.conformance.repository import RepositoryError
from tests.conformance.slack import SlackReference, SlackSamples
from tests.conformance.source import Open, Source

SOURCES: tuple[Source, ...] = (OpenAISchemas(), SlackReference(), SlackSamples())


def refresh(sources: Sequence[Source], open_repository: Open) -> list[str]:
    """Write every copy again and return the differences, each with the name of its source."""
    found = []
    for source in sources:
        for path, document in source.copies(open_repository).items():
            found += [f"{source.name} {one}" for one in differences(read(path), document)]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document.dumps(), encoding="utf-8")
    return found


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Refresh the copies of published specifications and print what changed.",
    )
    parser.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="FOLDER",
        help="read clones from this folder, as owner/name or name (default: clone from GitHub)",
    )
    given = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="kioku-conformance-") as temporary:
            opened: Open = (
                partial(repository.local, folder=given.folder)
                if given.folder
                else partial(repository.clone, folder=Path(temporary))
            )
            found = refresh(SOURCES, opened)
    except RepositoryError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for one in found:
        sys.stdout.write(f"{one}\n")
    sys.stdout.write(f"{len(found)} changes.\n" if found else "Nothing changed.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
