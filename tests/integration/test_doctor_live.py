"""`kioku doctor --live` against the playground: what worked is said, and nothing stays."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server, json_server
from tests.integration.relay import relay
from tests.kioku_process import Ended, ended, on_terminal, running, wait_for

pytestmark = pytest.mark.slow

EVERYTHING = [
    "Settings",
    "users.info",
    "chat.postMessage",
    "chat.postEphemeral below a message without replies",
    "agents.sessions.setStatus processing",
    "assistant.threads.setStatus",
    "chat.startStream with a task",
    "chat.appendStream with text after a task",
    "chat.stopStream with a footer and metadata",
    "chat.update of what was posted",
    "Reading metadata back",
    "agents.sessions.setStatus active",
    "chat.postEphemeral in a thread with a reply",
    "Cleaning up",
]
# What says more than that it worked.
SAID = {
    "chat.postEphemeral below a message without replies": "OK Slack took it; look in the direct"
    " message for “Kioku's doctor: only you see this, below a message without replies.”.",
    "chat.postEphemeral in a thread with a reply": "OK Slack took it; look in the thread for"
    " “Kioku's doctor: only you see this, in a thread.”.",
    "Cleaning up": "OK 2 messages deleted; reload Slack to remove the ephemeral ones.",
}


@pytest.fixture(scope="module")
def slack() -> Iterator[Server]:
    """A playground of this module."""
    with json_server("playground", "--manifest", "manifest.yml", "--no-model") as server:
        yield server


class Person:
    """Somebody with a direct message of their own."""

    def __init__(self, slack: Server) -> None:
        self._slack = slack
        self._since = slack.call("/_playground/calls?since=999999999")["last"]
        self.id: str = slack.call("/_playground/users", {"name": "Installer"})["id"]

    @property
    def _seen(self) -> dict[str, Any]:
        seen: dict[str, Any] = self._slack.call(f"/_playground/channels/dm/messages?as={self.id}")
        return seen

    @property
    def dm(self) -> str:
        """The id of the direct message, opened by the person."""
        return str(self._seen["channel"])

    @property
    def kept(self) -> list[dict[str, Any]]:
        """What Slack keeps in the direct message; ephemeral messages go with a reload."""
        return [one for one in self._seen["messages"] if not one.get("is_ephemeral")]

    @property
    def status(self) -> str:
        """The status lines that are shown."""
        return "".join(thread["status"] for thread in self._seen["threads"])

    @property
    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        """Method and arguments of each call since the person came."""
        found = self._slack.call(f"/_playground/calls?since={self._since}")["calls"]
        return [(call["method"], call["args"]) for call in found]

    @property
    def calls(self) -> list[str]:
        """The methods that were called since the person came."""
        return [method for method, _ in self.sent]

    def arguments(self, method: str) -> list[dict[str, Any]]:
        """The arguments of each call of `method`."""
        return [args for name, args in self.sent if name == method]


@pytest.fixture
def person(slack: Server) -> Iterator[Person]:
    """Somebody new, and no faults left over."""
    yield Person(slack)
    slack.call("/_playground/faults", method="DELETE")


def tried(folder: Path, slack: Server, person: Person, **changed: str) -> Ended:
    """Run it in the person's direct message, which this opens."""
    live = ("doctor", "--live", "--yes", "--channel", person.dm)
    return ended(folder, *live, **{**slack.slack_settings, **changed})


def findings(done: Ended) -> dict[str, str]:
    """Return part → level and text, in order."""
    assert done.err == ""
    pairs = [line.partition(": ") for line in done.out.splitlines() if ": " in line]
    return {name[6:]: f"{name[:4].strip()} {text}" for name, _, text in pairs}


def test_everything_is_tried_and_taken_away(tmp_path: Path, slack: Server, person: Person) -> None:
    """Each behaviour is said to work, and the direct message is as it was before."""
    person.dm  # noqa: B018 - opens it
    done = ended(tmp_path, "doctor", "--live", "--yes", "--user", person.id, **slack.slack_settings)
    found = findings(done)
    assert list(found) == EVERYTHING
    worked = dict.fromkeys(EVERYTHING[1:], "OK worked.")
    assert {part: text for part, text in found.items() if part != "Settings"} == worked | SAID
    assert done.code == 0
    assert person.kept == []
    assert person.status == ""


def test_what_is_tried_is_what_kioku_needs(tmp_path: Path, slack: Server, person: Person) -> None:
    """A stream stays in chunks, a session ends active, and no ephemeral message goes unseen."""
    assert tried(tmp_path, slack, person).code == 0
    [root] = [args for args in person.arguments("chat.postMessage") if "thread_ts" not in args]
    streams = [
        args
        for method in ("chat.startStream", "chat.appendStream", "chat.stopStream")
        for args in person.arguments(method)
    ]
    kinds = [[chunk["type"] for chunk in args["chunks"]] for args in streams]
    assert kinds == [["task_update"], ["task_update", "markdown_text"], ["markdown_text"]]
    assert not [args for args in streams if "markdown_text" in args]
    sessions = person.arguments("agents.sessions.setStatus")
    assert [args["status"] for args in sessions] == ["processing", "active"]
    alone, threaded = person.arguments("chat.postEphemeral")
    assert "thread_ts" not in alone
    assert threaded["thread_ts"] == person.arguments("chat.startStream")[0]["thread_ts"]
    calls = person.calls
    assert calls.index("chat.postEphemeral") < calls.index("chat.startStream")
    assert root["channel"] == person.dm


@pytest.mark.failed_calls(
    "conversations.info: channel_not_found", because="The channel that is given does not exist."
)
def test_the_direct_message_may_be_given(tmp_path: Path, slack: Server, person: Person) -> None:
    """Its id says whose it is; another person's is refused, and so is a channel."""
    settings = slack.slack_settings
    live = ("doctor", "--live", "--yes", "--channel")
    assert ended(tmp_path, *live, person.dm, **settings).code == 0
    other = Person(slack)
    both = ended(tmp_path, *live, person.dm, "--user", other.id, **settings)
    assert findings(both)["Live"].startswith(f"FIX {person.dm} is not the direct message with")
    state = slack.call("/_playground/state")
    general = next(one["id"] for one in state["channels"] if one["name"] == "general")
    public = ended(tmp_path, *live, general, **settings)
    assert findings(public)["Live"] == (
        f"FIX {general} is not a direct message: other people could read the test messages."
    )
    nowhere = ended(tmp_path, *live, "D0NOWHERE", **settings)
    assert findings(nowhere)["Live"] == "FIX D0NOWHERE is no conversation of Kioku's."
    assert other.kept == []
    assert not [call for call in other.calls if call.startswith(("chat.", "assistant."))]


@pytest.mark.failed_calls("auth.test: invalid_auth", because="The token is wrong.")
def test_nothing_is_tried_without_permission(tmp_path: Path, slack: Server, person: Person) -> None:
    """Without a person, a token, a conversation or a yes nothing is posted, and no DM is opened."""
    settings = slack.slack_settings
    for arguments, change, sentence in [
        (["--yes"], {}, "FIX say in whose direct message: --user U…"),
        (["--user", person.id], {}, f"FIX {person.id} has no direct message with Kioku yet: write"),
        (["--user", "U1"], {"SLACK_BOT_TOKEN": ""}, "FIX SLACK_BOT_TOKEN is not set: run `kioku"),
        (["--user", "U1"], {"SLACK_BOT_TOKEN": "xoxb-1"}, "FIX Slack says invalid_auth: run `kiok"),
        (["--user", "U1"], {"SLACK_API_URL": "http://127.0.0.1:1"}, "FIX Slack does not answer at"),
    ]:
        done = ended(tmp_path, "doctor", "--live", *arguments, **{**settings, **change})
        assert findings(done)["Live"].startswith(sentence)
        assert done.code == 1
    asked = ended(tmp_path, "doctor", "--live", "--channel", person.dm, **settings)
    assert findings(asked)["Live"].startswith("FIX not agreed to, so nothing was tried")
    assert not [call for call in person.calls if call.startswith(("chat.", "assistant."))]
    assert "conversations.open" not in person.calls


@pytest.mark.parametrize(("answer", "agreed"), [("y", True), ("", False), ("n", False)])
def test_it_asks_on_a_terminal(
    tmp_path: Path, slack: Server, person: Person, answer: str, agreed: bool
) -> None:
    """It says what it is about to do, in whose conversation and workspace; only y lets it."""
    arguments = ("doctor", "--live", "--channel", person.dm)
    _, shown = on_terminal(tmp_path, "[y/N] ", [answer], *arguments, **slack.slack_settings)
    assert (
        f"write a few messages into its direct message with {person.id} ({person.dm}, workspace"
        " Playground) and delete them. Go on? [y/N]"
    ) in shown
    assert ("chat.postMessage" in person.calls) is agreed
    assert person.kept == []


UNKNOWN: dict[str, Any] = {"error": "unknown_method"}
DROPPED: dict[str, Any] = {"drop": "after"}
FAULTS: list[dict[str, tuple[dict[str, Any], str, str]]] = [
    {
        "assistant.threads.setStatus": (
            {"error": "missing_scope"},
            "assistant.threads.setStatus",
            "(missing_scope): no status line is shown while the model thinks.",
        ),
        "chat.startStream": (
            UNKNOWN,
            "chat.startStream with a task",
            "Slack does not have the method): answers come in one piece.",
        ),
        "chat.postEphemeral": (
            {"error": "user_not_in_channel"},
            "chat.postEphemeral below a message without replies",
            "for the asker alone cannot be shown.",
        ),
        "agents.sessions.setStatus": (
            {"error": "feature_disabled"},
            "agents.sessions.setStatus processing",
            "(feature_disabled: this workspace has no agent features: check its plan and settings)"
            ": there may be no Stop button.",
        ),
    },
    {
        "chat.appendStream": (
            {"status": 503},
            "chat.appendStream with text after a task",
            "answers come in one piece.",
        ),
        "chat.stopStream": (
            {"error": "invalid_blocks"},
            "chat.stopStream with a footer and metadata",
            "(invalid_blocks): a finished answer has no footer.",
        ),
    },
    {"chat.update": (DROPPED, "chat.update of what was posted", "its change was undone.")},
    {"chat.startStream": (DROPPED, "chat.startStream with a task", "answers come in one piece.")},
    {"chat.postMessage": (DROPPED, "chat.postMessage", "Kioku cannot answer at all.")},
]


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A fault of chat.stopStream leaves a stream that runs.",
)
@pytest.mark.parametrize("faults", FAULTS)
def test_what_does_not_work_is_said_and_nothing_stays(
    tmp_path: Path,
    slack: Server,
    person: Person,
    faults: dict[str, tuple[dict[str, Any], str, str]],
) -> None:
    """A failure names what follows from it; even a lost or unfinished message is taken away."""
    for method, (fault, _, _) in faults.items():
        slack.call("/_playground/faults", {"method": method, **fault})
    done = tried(tmp_path, slack, person)
    found = findings(done)
    for _, part, sentence in faults.values():
        assert found[part].startswith("FIX did not work (")
        assert sentence in found[part]
    assert sum(text.startswith("FIX") for text in found.values()) == len(faults)
    # Without a reply in the thread Slack would show the message to nobody.
    replied = found.get("chat.startStream with a task") == "OK worked."
    assert ("chat.postEphemeral in a thread with a reply" in found) is replied
    assert done.code == 1
    assert found["Cleaning up"].startswith("OK ")
    assert person.kept == []
    assert person.status == ""


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message", because="The run ends while a stream runs."
)
def test_what_is_broken_off_is_taken_away(tmp_path: Path, slack: Server, person: Person) -> None:
    """Ctrl-C in the middle of a stream leaves nothing either."""
    slack.call("/_playground/faults", {"method": "chat.appendStream", "delay_ms": 60_000})
    live = ("doctor", "--live", "--yes", "--channel", person.dm)
    with running(tmp_path, *live, **slack.slack_settings) as kioku:
        wait_for(lambda: "chat.appendStream" in person.calls)
        assert len(person.kept) == 2
        done = kioku.stop(signal.SIGINT)
    assert done.code == 128 + signal.SIGINT
    assert done.err == ""
    assert person.arguments("agents.sessions.setStatus")[-1]["status"] == "active"
    assert person.kept == []
    assert person.status == ""


def test_metadata_that_does_not_come_back_is_said(
    tmp_path: Path, slack: Server, person: Person
) -> None:
    """A reply is only known again by its metadata, so its loss is a failure."""

    def strip(method: str, answer: dict[str, Any]) -> None:
        if method == "conversations.replies":
            for message in answer["messages"]:
                message.pop("metadata", None)

    with relay(slack, change=strip) as url:
        done = tried(tmp_path, slack, person, SLACK_API_URL=url)
    found = findings(done)
    assert found["Reading metadata back"] == (
        "FIX Slack returned it without its metadata: an answer may be posted twice after a lost"
        " connection."
    )
    assert sum(text.startswith("FIX") for text in found.values()) == 1
    assert person.kept == []


@pytest.mark.failed_calls(
    "chat.stopStream: message_not_in_streaming_state",
    because="A message that cannot be deleted may be one that streams.",
)
def test_messages_that_cannot_be_deleted_are_said(
    tmp_path: Path, slack: Server, person: Person
) -> None:
    """Then the person is told to delete them by hand."""
    refused = {"method": "chat.delete", "error": "cant_delete_message", "times": 2}
    slack.call("/_playground/faults", refused)
    done = tried(tmp_path, slack, person)
    assert findings(done)["Cleaning up"] == (
        f"FIX failed (cant_delete_message): delete Kioku's newest messages in {person.dm} by hand"
        " (More actions, Delete message)."
    )
    assert done.code == 1
