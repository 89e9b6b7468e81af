"""A message outside of threads, such as a reminder, is posted once, whatever became of a call."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bot.slack.posting import find_posted, notice_metadata, post_once
from tests.integration.playground_slack import PersonThread, PlaygroundSlack

METADATA: dict[str, Any] = {
    "event_type": "kioku_trial",
    "event_payload": {"reminder": "one"},
}
OTHER: dict[str, Any] = {
    "event_type": "kioku_trial",
    "event_payload": {"reminder": "two"},
}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take for settled what is half a second old, and bear with Slack for two."""
    monkeypatch.setattr("bot.slack.posting.SETTLED_SECONDS", 0.5)
    monkeypatch.setattr("bot.slack.retries.TROUBLE_SECONDS", 2.0)


def posted(slack: PlaygroundSlack, place: PersonThread) -> list[str]:
    """Return the times of the reminder's messages in a direct message."""
    answer = slack.as_app(
        "conversations.history", channel=place.channel, include_all_metadata=True
    )
    return [one["ts"] for one in answer["messages"] if one.get("metadata") == METADATA]


async def post(slack: PlaygroundSlack, place: PersonThread) -> str:
    """Post the reminder as the app does."""
    client = slack.api().client(slack.team_id, patience=60)
    content = {"text": "Remember."}
    return await post_once(client, place.channel, content, METADATA)


@pytest.mark.parametrize(
    "fault", [None, {"drop": "before"}, {"drop": "after"}, {"status": 503}]
)
async def test_a_post_whose_fate_is_not_known_is_there_once(
    slack: PlaygroundSlack, fault: dict[str, Any] | None
) -> None:
    """After a lost connection or a server error the message is looked for, then posted."""
    place = slack.place()
    if fault:
        slack.fault("chat.postMessage", **fault)
    ts = await post(slack, place)
    assert posted(slack, place) == [ts]


@pytest.mark.parametrize(
    ("earlier", "is_found"),
    [(METADATA, True), (OTHER, False), (notice_metadata(), False)],
    ids=str,
)
async def test_what_an_earlier_attempt_posted_is_found(
    slack: PlaygroundSlack, earlier: dict[str, Any], is_found: bool
) -> None:
    """A message is found by its metadata; no other message is taken for it."""
    place = slack.place()
    since = time.time()
    text = "Remember."
    before = slack.as_app(
        "chat.postMessage", channel=place.channel, text=text, metadata=earlier
    )
    client = slack.api().client(slack.team_id, patience=60)
    found = await find_posted(client, place.channel, METADATA, since=since)
    assert found == (before["ts"] if is_found else None)
