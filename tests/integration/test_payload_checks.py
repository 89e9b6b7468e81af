"""What every test asks the playground after it: which calls failed, which sessions were left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from slack_playground.testing import Playground, running
from tests.conftest import ROOT
from tests.payloads import CALLS, Payloads, summary, unexpected


@pytest.fixture
def playground() -> Iterator[Playground]:
    """A playground with the app's manifest."""
    with running(ROOT / "manifest.yml") as one:
        yield one


@pytest.fixture
def client(playground: Playground) -> WebClient:
    """The app's Web API client."""
    return WebClient(playground.bot_token, base_url=playground.api_url)


def test_the_suite_asks_for_failures(playground: Playground, client: WebClient) -> None:
    """A failure is returned once, also after its playground was left, and only if unexpected."""
    watch, watching = Payloads(), ExitStack()
    dm = playground.person("Aya").act("messages", text="hi")["channel"]
    watching.enter_context(watch.watched(playground.url, lambda: True))
    with pytest.raises(SlackApiError):
        client.chat_postMessage(channel="C0NOWHERE", text="x")
    assert watch.failures() == ["chat.postMessage: channel_not_found"]
    assert watch.failures() == []
    with pytest.raises(SlackApiError):
        client.chat_postMessage(channel=dm, blocks=[{}], text="x")
    watching.close()
    assert watch.counts[CALLS] == 2
    assert summary(watch.counts) == (
        "Slack's reference: 2 calls validated, of which 0 failed as their tests say; 1 violations"
    )
    [told] = watch.failures()
    assert told.startswith("chat.postMessage: invalid_blocks [ERROR]")
    assert unexpected([told], {"chat.postMessage: invalid_blocks"}) == []
    assert unexpected([told], {"*"}) == []
    assert unexpected([told], {"chat.update: invalid_blocks"}) == [told]


def test_the_suite_fails_for_a_session_left_in_processing(
    playground: Playground, client: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check that follows each test names the thread, once."""
    monkeypatch.setattr("tests.payloads._SETTLE_SECONDS", 0.1)
    watch, alive = Payloads(), [True]
    aya = playground.person("Aya")
    with watch.watched(playground.url, lambda: alive[0]):
        said = aya.act("messages", text="hi")
        session = {"channel_id": said["channel"], "thread_ts": said["ts"]}
        client.api_call(
            "agents.sessions.setStatus", json={**session, "status": "processing"}
        )
        client.chat_postMessage(
            channel=said["channel"], thread_ts=said["ts"], text="ho"
        )
        [told] = watch.violations()
        assert said["ts"] in told
        assert watch.violations() == []
        alive[0] = False
