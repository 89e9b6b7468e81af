"""The interface of a published specification of which ``tests/data`` holds a reduced copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from tests.conformance.document import Document
from tests.conformance.repository import Repository

DATA = Path(__file__).resolve().parent.parent / "data"

Open = Callable[[str], Repository]
"""Opens a repository of GitHub by its ``owner/name``."""


class Source(Protocol):
    """One specification. `copies` reads it again, which is all that differs between sources."""

    def copies(self, open_repository: Open) -> Mapping[Path, Document]:
        """Return the reduced copies by the file that each is stored in."""
