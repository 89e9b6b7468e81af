"""Refresh the copies of published specifications: ``python -m tests.conformance [FOLDER]``.

Reads the newest commit of each repository from GitHub, or from the clones in `FOLDER`, and writes
the reduced copies to ``tests/data``; ``git diff`` shows what changed, one entry a line.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.conformance import repository
from tests.conformance.openai_schemas import OpenAISchemas
from tests.conformance.slack import SlackReference, SlackSamples
from tests.conformance.source import Open, Source

SOURCES: tuple[Source, ...] = (OpenAISchemas(), SlackReference(), SlackSamples())


def refresh(open_repository: Open) -> None:
    """Write every copy again."""
    for source in SOURCES:
        for path, document in source.copies(open_repository).items():
            path.write_text(document.dumps(), encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        if sys.argv[1:]:
            refresh(partial(repository.local, folder=Path(sys.argv[1])))
        else:
            refresh(partial(repository.clone, folder=Path(temporary)))
