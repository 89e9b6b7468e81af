"""Whatever the models do, one whole answer or one clear sentence; then go on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.answers import STORY, goes_on
from tests.e2e.world import World

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429, "retry_after": 0.1},
        {"drop": True},
        {"break_after_chars": 30},
        {"break_after_chars": 700},
        {"event": "failed", "break_after_chars": 30},
        {"event": "error", "break_after_chars": 700},
    ],
    ids=str,
)
def test_a_model_that_fails_once_is_asked_again(world: World, fault: dict[str, Any]) -> None:
    """One failure, also in the middle of the answer, is not seen: the answer is whole."""
    ann = world.human()
    world.script(STORY, times=-1)
    world.model_fault(kind="reply", **fault)
    assert world.ask(ann, "Tell me a story").parts == [STORY]
    assert goes_on(world, ann)
