"""The fixtures `slack_playground` and `slack_manifest`; pytest finds them by an entry point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from slack_playground.testing import Playground


@pytest.fixture
def slack_manifest() -> Path:
    """The path of the app's manifest; define this fixture in your tests to use your own."""
    return Path(__file__).with_name("app_manifest.json")


@pytest.fixture
def slack_playground(slack_manifest: Path) -> Iterator[Playground]:
    """A Slack for one test: addresses, tokens, and people who act in it."""
    from slack_playground.testing import running  # not whenever pytest starts

    with running(slack_manifest) as playground:
        yield playground
