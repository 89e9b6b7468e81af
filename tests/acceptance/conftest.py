"""A Kioku as people start it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kioku import Kioku


@pytest.fixture(scope="session")
def shared_kioku(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kioku]:
    """The Kioku of all conversations that do it no harm."""
    started = Kioku(tmp_path_factory.mktemp("kioku") / "shared")
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def kioku(shared_kioku: Kioku) -> Kioku:
    """That Kioku, whose model answers by itself."""
    shared_kioku.calm()
    return shared_kioku


@pytest.fixture
def own_kioku(tmp_path: Path) -> Iterator[Kioku]:
    """A Kioku that nobody else talks with."""
    own = Kioku(tmp_path / "kioku")
    try:
        own.start()
        own.calm()
        yield own
    finally:
        own.stop()
