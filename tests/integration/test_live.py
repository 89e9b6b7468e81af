"""`python -m tests.live` against the playground: what was seen is printed, and nothing stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeAlias

import pytest

from bot import VERSION
from bot.config import load_settings
from tests.conftest import Server, open_playground
from tests.integration.relay import relay
from tests.live import try_live

NOTICE = "`chat.update` of a notice replaces its text and its blocks"


@pytest.fixture(scope="module")
def slack() -> Iterator[Server]:
    """A playground of this module."""
    with open_playground("--no-model") as server:
        yield server


class Person:
    """Somebody with a direct message of their own."""

    def __init__(self, slack: Server) -> None:
        self._slack = slack
        self._since = slack.call("/_playground/calls?since=999999999")["last"]
        self.id: str = slack.call("/_playground/users", {"name": "Installer"})["id"]

    def kept(self, channel: str = "dm") -> list[dict[str, Any]]:
        """What the app wrote that Slack keeps in a conversation, opened by the person."""
        path = f"/_playground/channels/{channel}/messages?as={self.id}"
        return [one for one in self._slack.call(path)["messages"] if one.get("bot_id")]

    @property
    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        """Method and arguments of each call since the person came."""
        found = self._slack.call(f"/_playground/calls?since={self._since}")["calls"]
        return [(call["method"], call["args"]) for call in found]


@pytest.fixture
def person(slack: Server) -> Person:
    """Somebody new with an open direct message."""
    person = Person(slack)
    person.kept()
    return person


@pytest.fixture
def channel(slack: Server, person: Person) -> str:
    """A channel that the person and Kioku are in."""
    made = slack.call("/_playground/channels", {"kind": "public", "members": [person.id]})
    return str(made["id"])


Seen: TypeAlias = tuple[int, dict[str, str]]
Try: TypeAlias = Callable[..., Coroutine[None, None, Seen]]


@pytest.fixture
def tried(slack: Server, person: Person, capsys: pytest.CaptureFixture[str]) -> Try:
    """What tries it in the person's direct message; returns the exit code, and what was seen."""

    async def run(*channel: str, **changed: str) -> Seen:
        settings = load_settings({**slack.slack_settings, **changed}, dotenv=None)
        code = await try_live(settings, person.id, *channel)
        return code, rows(capsys.readouterr().out)

    return run


def rows(printed: str) -> dict[str, str]:
    """Return what was seen of each behaviour, by the rows of the table."""
    head, rule, *found = printed.splitlines()
    assert (head, rule) == ("| Behaviour | Seen | When and where |", "|---|---|---|")
    cells = [re.split(r" ?\| ?", line) for line in found]
    assert all(where.endswith(f", Kioku {VERSION}") for _, _, _, where, _ in cells)
    return {what: said for _, what, said, _, _ in cells}


async def test_everything_is_tried_and_taken_away(person: Person, channel: str, tried: Try) -> None:
    """Each behaviour is a row for docs/reality.md, and the conversations are as before."""
    code, found = await tried(channel)
    assert code == 0
    assert [said.partition(";")[0] for said in found.values()][:4] == ["yes"] * 4
    assert len(found) == 6
    assert person.kept() == person.kept(channel) == []
    [own, in_channel] = [args for name, args in person.sent if name == "chat.startStream"]
    assert own["recipient_user_id"] == in_channel["recipient_user_id"] == person.id
    assert in_channel["channel"] == channel
    sessions = [a["status"] for name, a in person.sent if name == "agents.sessions.setStatus"]
    assert sessions[-1] == "active"


async def test_an_update_that_keeps_the_old_text_is_a_failure(
    slack: Server, person: Person, tried: Try
) -> None:
    """Slack's answer to the update says nothing: the message is read again."""

    def keep(method: str, answer: dict[str, Any]) -> None:
        if method == "conversations.replies":
            for message in answer["messages"]:
                message["text"] = f"Kioku's trial wrote this first. {message['text']}"

    with relay(slack, change=keep) as url:
        code, found = await tried(SLACK_API_URL=url)
    assert found[NOTICE] == "**no**: the old text is still there"
    assert code == 1
    assert person.kept() == []
