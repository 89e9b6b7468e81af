"""What people's clicks are doing in this process: each thing once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class AlreadyUnderWay(Exception):
    """The same thing is already being done for the same person."""


class UnderWay:
    """What people's clicks are doing in this process now, so that each thing is done only once."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    @contextmanager
    def once(self, name: str) -> Iterator[None]:
        """Hold `name` during the block. Raises `AlreadyUnderWay` if it is held already."""
        if name in self._names:
            raise AlreadyUnderWay
        self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)
