"""What the playground sends is compared with what was published; so is the comparison itself."""

from __future__ import annotations

from slack_playground.slack import Slack
from slack_playground.web_api.call import HANDLERS

from .conftest import web_client
from .published import ADDITIONS, answers, unpublished


async def test_what_nobody_published_is_named(slack: Slack) -> None:
    """A field that no published answer has, and one of another type, fail the test."""
    await web_client(slack).auth_test()
    assert unpublished(slack) == []
    [call] = slack.calls.since(0)
    call.result = {"ok": True, "surprise": 1, "team_id": 7}
    assert unpublished(slack) == [
        "auth.test surprise: unknown",
        "auth.test team_id: number, not string",
    ]
    call.result = None


def test_every_method_has_a_published_shape() -> None:
    """The answers of each method that the playground serves can be compared, or it is named."""
    named = {f"{method}: no published shape" for method in HANDLERS} & ADDITIONS.keys()
    unnamed = HANDLERS.keys() - {one.partition(":")[0] for one in named}
    assert unnamed <= answers().keys()


def test_every_addition_has_an_address() -> None:
    """What is sent beyond the published shapes says where it is described."""
    assert all(one.startswith("https://") for one in list(ADDITIONS.values())[:-1])
