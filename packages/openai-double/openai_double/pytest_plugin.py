"""The fixture `openai_double`; pytest finds it by an entry point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from openai_double.testing import Double


@pytest.fixture
def openai_double() -> Iterator[Double]:
    """OpenAI's API for one test: its address, scripts, faults and what was asked."""
    from openai_double.testing import running  # not whenever pytest starts

    with running() as double:
        yield double
