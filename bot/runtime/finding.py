"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

Level: TypeAlias = Literal["OK", "NOTE", "FIX"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: how it is with `part`, and, where that is not OK, what to do.

    A "NOTE" is good to know and stops nothing; a "FIX" must be fixed. The text holds no secret.
    """

    level: Level
    part: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:<4}  {self.part}: {self.text}"


def ok(part: str, text: str) -> Finding:
    """Return a finding of level OK."""
    return Finding(level="OK", part=part, text=text)


def note(part: str, text: str) -> Finding:
    """Return a finding of level NOTE."""
    return Finding(level="NOTE", part=part, text=text)


def fix(part: str, text: str) -> Finding:
    """Return a finding of level FIX."""
    return Finding(level="FIX", part=part, text=text)


def without_secrets(url: str) -> str:
    """Return an address without the user, password and query it may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
