"""`kioku doctor --live` against the playground: what was seen is printed, and nothing stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot import VERSION
from tests.conftest import Server, open_playground
from tests.kioku_process import Ended, ended, on_terminal

pytestmark = pytest.mark.slow

FIRST = "A direct message takes a message with metadata"
SESSION = "A session is `processing`, with a status line, then `active`"
STREAM = "A stream in a direct message is appended to and stopped"
NOTICE = "`chat.update` of a notice replaces its text and its blocks"
FORWARDED = "A forwarded message is in `attachments`"
IN_CHANNEL = "A stream in a channel's thread has a recipient"


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
def person(slack: Server) -> Iterator[Person]:
    """Somebody new with an open direct message, and no faults left over."""
    person = Person(slack)
    person.kept()
    yield person
    slack.call("/_playground/faults", method="DELETE")


@pytest.fixture
def channel(slack: Server, person: Person) -> str:
    """A channel that the person and Kioku are in."""
    made = slack.call("/_playground/channels", {"kind": "public", "members": [person.id]})
    return str(made["id"])


def tried(folder: Path, slack: Server, person: Person, *more: str, **changed: str) -> Ended:
    """Run it in the person's direct message."""
    live = ("doctor", "--live", "--yes", "--user", person.id, *more)
    return ended(folder, *live, **{**slack.slack_settings, **changed})


def rows(done: Ended) -> dict[str, str]:
    """Return what was seen of each behaviour, by the rows of the table."""
    assert done.err == ""
    head, rule, *found = [line for line in done.out.splitlines() if line.startswith("|")]
    assert (head, rule) == ("| Behaviour | Seen | When and where |", "|---|---|---|")
    seen = {}
    for line in found:
        _, what, said, where, _ = re.split(r" ?\| ?", line)
        assert where.endswith(f", Kioku {VERSION}")
        assert where.startswith(f"{datetime.now(UTC):%Y-}")
        seen[what] = said
    return seen


def test_everything_is_tried_and_taken_away(
    tmp_path: Path, slack: Server, person: Person, channel: str
) -> None:
    """Each behaviour is a row for docs/reality.md, and the conversations are as before."""
    done = tried(tmp_path, slack, person, "--channel", channel)
    found = rows(done)
    assert list(found) == [FIRST, SESSION, STREAM, NOTICE, FORWARDED, IN_CHANNEL]
    assert found[FIRST] == "yes; the metadata came back"
    assert found[SESSION] == "yes"
    assert found[STREAM].startswith("yes; read back with ")
    assert found[NOTICE] == "yes; the old text is gone"
    assert found[IN_CHANNEL].startswith("yes; read back with ")
    assert done.code == 0
    assert "These rows belong into docs/reality.md" in done.out
    assert person.kept() == person.kept(channel) == []
    [own, in_channel] = [args for name, args in person.sent if name == "chat.startStream"]
    assert own["recipient_user_id"] == in_channel["recipient_user_id"] == person.id
    assert in_channel["channel"] == channel
    sessions = [a["status"] for name, a in person.sent if name == "agents.sessions.setStatus"]
    assert sessions[-1] == "active"


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A fault of chat.stopStream leaves a stream that runs.",
)
@pytest.mark.parametrize(
    ("method", "fault", "failed"),
    [
        ("chat.postMessage", {"drop": "before"}, {FIRST}),
        ("agents.sessions.setStatus", {"error": "feature_disabled"}, {SESSION}),
        ("chat.startStream", {"error": "unknown_method"}, {STREAM}),
        ("chat.stopStream", {"error": "invalid_blocks"}, {STREAM}),
        ("chat.update", {"drop": "before"}, {NOTICE}),
    ],
)
def test_what_does_not_work_is_said_and_nothing_stays(
    tmp_path: Path,
    slack: Server,
    person: Person,
    method: str,
    fault: dict[str, Any],
    failed: set[str],
) -> None:
    """A refusal is named by Slack's word; what does not need it is tried all the same."""
    slack.call("/_playground/faults", {"method": method, **fault})
    done = tried(tmp_path, slack, person)
    found = rows(done)
    assert {what for what, said in found.items() if said.startswith("**no**: ")} == failed
    assert done.code == 1
    for word in (fault.get("error", ""),):
        assert word in "".join(found.values())
    assert person.kept() == []


@pytest.mark.failed_calls("auth.test: invalid_auth", because="The token is wrong.")
def test_nothing_is_tried_without_permission(tmp_path: Path, slack: Server, person: Person) -> None:
    """Without a person, a token, a conversation or a yes nothing is posted, and no DM is opened."""
    other = Person(slack)
    for arguments, change, sentence in [
        (["--yes"], {}, "Say who you are: --user U…"),
        (["--yes", "--user", other.id], {}, f"{other.id} has no direct message with Kioku yet:"),
        (["--user", "U1"], {"SLACK_BOT_TOKEN": ""}, "SLACK_BOT_TOKEN is not set: copy it from"),
        (["--user", "U1"], {"SLACK_BOT_TOKEN": "xoxb-1"}, "Slack refuses SLACK_BOT_TOKEN (inva"),
        (["--user", "U1"], {"SLACK_API_URL": "http://127.0.0.1:1"}, "Slack does not answer at"),
        (["--user", person.id], {}, "Nothing was tried: answer y, or give --yes."),
    ]:
        done = ended(tmp_path, "doctor", "--live", *arguments, **{**slack.slack_settings, **change})
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"kioku: {sentence}"), done.err
    calls = [name for name, _ in person.sent]
    assert not [call for call in calls if call.startswith(("chat.", "assistant."))]
    assert "conversations.open" not in calls


@pytest.mark.parametrize(("answer", "agreed"), [("y", True), ("", False)])
def test_it_asks_on_a_terminal(
    tmp_path: Path, slack: Server, person: Person, answer: str, agreed: bool
) -> None:
    """It says what it is about to do, and in which workspace; only y lets it."""
    arguments = ("doctor", "--live", "--user", person.id)
    _, shown = on_terminal(tmp_path, "[y/N] ", [answer], *arguments, **slack.slack_settings)
    asked = f"Kioku writes into the direct message with {person.id} of Playground and deletes it."
    assert f"{asked} Go on? [y/N]" in shown
    assert ("chat.postMessage" in [name for name, _ in person.sent]) is agreed
    assert person.kept() == []
