"""Which events are a person's message to the bot."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.slack.messages import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    Installation,
    Message,
    installation_team,
    read_message,
    sanitize_payload,
)
from memory import DM, InvalidNamespace, Person

BOT = "UBOT"
HERE = Installation(team_id="T1", bot_user_id=BOT)


def body(event: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    """Return an event's envelope."""
    return {
        "type": "event_callback",
        "team_id": "T1",
        "event_id": "Ev1",
        "event": event,
    } | envelope


def dm(**event: Any) -> dict[str, Any]:
    """Return a direct message's event."""
    return {
        "type": "message",
        "channel_type": "im",
        "channel": "D1",
        "user": "U1",
        "ts": "1700000000.000100",
        "text": "hello",
        **event,
    }


def in_channel(**event: Any) -> dict[str, Any]:
    """Return a channel message's event."""
    return dm(channel="C1", channel_type="channel", **event)


def read(event: dict[str, Any], **envelope: Any) -> Message:
    """Read an event that is a message to the bot."""
    message = read_message(body(event, **envelope), HERE)
    assert message is not None
    return message


@pytest.mark.parametrize("channel_type", ["im", "app_home", None])
def test_a_direct_message_is_read_whole(channel_type: str | None) -> None:
    """A DM is addressed, opens its own thread, and is its author's, whatever Slack calls it."""
    message = read(dm(team="T1", channel_type=channel_type))
    assert message == Message(
        team_id="T1",
        user_id="U1",
        user_team_id="T1",
        channel_id="D1",
        ts="1700000000.000100",
        thread_ts="1700000000.000100",
        text="hello",
        audience=DM,
        addressed=True,
    )
    assert message.person == Person("T1", "U1")
    assert message.thread == "T1.D1.1700000000.000100"
    assert message.opens_thread


UNREAD = [
    *(
        "message_changed",
        "message_deleted",
        "bot_message",
        "channel_join",
        "channel_leave",
    ),
    *("channel_name", "channel_topic", "group_join", "message_replied", "reminder_add"),
    *("tombstone", "something_new", "assistant_app_thread"),
]


@pytest.mark.parametrize(
    "event",
    [
        *(dm(subtype=subtype) for subtype in UNREAD),
        dm(hidden=True),
        dm(bot_id="B1"),
        dm(bot_profile={"id": "B1"}),
        dm(user=BOT),
        dm(user="USLACKBOT"),
        dm(user="USLACK"),
        dm(user=None),
        dm(user=""),
        {"type": "reaction_added", "user": "U1"},
        in_channel(text="nobody is asked"),
        in_channel(text="<@U2> look", thread_ts="1600000000.000100"),
        {},
    ],
)
def test_what_is_no_message_to_the_bot(event: dict[str, Any]) -> None:
    """Bots, the app itself, edits, joins and talk among others are nobody's question."""
    assert read_message(body(event), HERE) is None


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast", "me_message"])
def test_subtypes_of_people_are_read(subtype: str) -> None:
    """A shared file, a broadcast reply and a /me message are a person's words."""
    assert read(dm(subtype=subtype)).text == "hello"


def test_a_mention_addresses_the_bot_in_either_event() -> None:
    """A mention is addressed whether it comes as app_mention or as message; its kind is open."""
    mention = {**in_channel(text="hi"), "type": "app_mention"}
    del mention["channel_type"]
    for event in (
        mention,
        in_channel(text=f"<@{BOT}> hi"),
        in_channel(text=f"a <@{BOT}|k> b"),
    ):
        message = read(event)
        assert message.addressed
        assert message.audience is None


def test_a_reply_in_a_thread_may_be_meant() -> None:
    """A channel reply without any mention is read, as not addressed: the inbox decides."""
    message = read(in_channel(text="and now?", thread_ts="1600000000.000100"))
    assert not message.addressed
    assert not message.opens_thread
    assert message.thread == "T1.C1.1600000000.000100"


@pytest.mark.parametrize(
    "text", ["<!subteam^S1|@team> who is in?", " <!here> lunch", "<!channel>"]
)
def test_a_reply_that_calls_a_group_is_not_meant(text: str) -> None:
    """What opens by calling a group or everybody is for people; further on it may be meant."""
    thread = {"thread_ts": "1600000000.000100"}
    assert read_message(body(in_channel(text=text, **thread)), HERE) is None
    assert read(in_channel(text=f"tell me about {text}", **thread)).addressed is False


@pytest.mark.parametrize("event", [dm(), in_channel(text=f"<@{BOT}> hello")])
def test_of_a_shared_conversation_only_the_address_is_read(
    event: dict[str, Any],
) -> None:
    """Its message has no text, file or words of others, and a DM is not taken for a private one."""
    brought = {"files": [{"id": "F1", "name": "a"}]}
    message = read({**event, **brought}, is_ext_shared_channel=True)
    assert message.is_shared
    assert message.addressed
    assert message.audience is None
    assert (message.text, message.brought) == ("", {})


def test_talk_in_a_shared_channel_is_not_read() -> None:
    """A reply that does not mention the bot is nobody's question there, whoever wrote before."""
    reply = in_channel(thread_ts="1600000000.000100")
    assert read(reply)
    assert read_message(body(reply, is_ext_shared_channel=True), HERE) is None


@pytest.mark.parametrize(
    ("event", "shared", "enterprise", "is_read"),
    [
        ({}, True, None, True),
        ({"team": "T1"}, True, None, True),
        ({"user_team": "T7"}, True, None, False),
        ({"team": "T7"}, True, None, False),
        ({"team": "T7"}, False, None, False),
        ({"user_team": "T1", "team": "T7"}, True, None, True),
        ({"user_team": "E1"}, True, "E1", True),
        ({"team": "T7"}, False, "E1", True),
        ({"user_team": "T7"}, True, "E1", False),
        ({"user_team": "E7"}, True, "E1", False),
    ],
)
def test_people_of_another_organisation_are_not_read(
    event: dict[str, Any], shared: bool, enterprise: str | None, is_read: bool
) -> None:
    """An Enterprise organisation has other workspaces, but not in a conversation with others."""
    here = replace(HERE, enterprise_id=enterprise)
    message = read_message(body(dm(**event), is_ext_shared_channel=shared), here)
    assert (message is not None) is is_read
    if message is not None:
        assert message.person == Person("T1", "U1")
        home = event.get("user_team") or event.get("team") or "T1"
        assert message.user_team_id == home


@pytest.mark.parametrize(
    ("envelope", "team"),
    [
        ({"team_id": "T1"}, "T1"),
        ({"team_id": "T1", "authorizations": []}, "T1"),
        ({"team_id": "T1", "authorizations": None}, "T1"),
        ({"team_id": "T1", "authorizations": [{"team_id": "T2"}]}, "T2"),
        (
            {
                "team_id": "T1",
                "authorizations": [{"team_id": "T2", "enterprise_id": "E1"}],
            },
            "T2",
        ),
        ({"team": {"id": "T2"}, "view": {"app_installed_team_id": "T1"}}, "T1"),
        ({"team": {"id": "T2"}, "view": {}}, "T2"),
        ({}, ""),
    ],
)
def test_installation_team(envelope: dict[str, Any], team: str) -> None:
    """The authorization names the workspace, and a view the one in which the app opened it."""
    assert installation_team(envelope) == team


@pytest.mark.parametrize(
    ("event", "envelope", "installed"),
    [
        (dm(), {}, {"team_id": ""}),
        (dm(), {}, {"team_id": "t1"}),
        (dm(user="u_1"), {}, {}),
        (dm(user="U%"), {}, {}),
        (dm(ts=""), {}, {}),
        (dm(channel="", text=f"<@{BOT}> hello"), {}, {}),
    ],
)
def test_missing_ids_are_refused(
    event: dict[str, Any], envelope: dict[str, Any], installed: dict[str, Any]
) -> None:
    """A message without the ids it is kept under is an error, not somebody's message."""
    with pytest.raises(InvalidNamespace):
        read_message(body(event, **envelope), replace(HERE, **installed))


def test_what_a_message_brings_besides_its_text_is_kept_as_slack_sent_it() -> None:
    """A missing text is empty. Previews of links, and rich text beside a text, are left out."""
    rich = {"type": "rich_text", "elements": []}
    table = {"type": "table", "rows": []}
    shared = {"is_share": True, "from_url": "https://x", "text": "Hi"}
    preview = {"from_url": "https://x", "title": "A site"}
    of_app = {"is_app_unfurl": True, "is_share": True, "text": "an app's"}
    sent = {
        "files": [{"id": "F1", "name": "a"}, 7],
        "blocks": [rich, table],
        "attachments": [shared, preview, of_app],
    }
    message = read(dm(text=None, **sent))
    assert message.text == ""
    assert message.brought == {
        "files": [{"id": "F1", "name": "a"}],
        "blocks": [rich, table],
        "attachments": [shared],
    }
    assert read(dm(text="hi", **sent)).brought["blocks"] == [table]
    assert read(dm(attachments=[preview], files="F1")).brought == {}


def test_nothing_remains_that_postgresql_refuses() -> None:
    """NULs and lone surrogates are gone from every text and every key; whole characters stay."""
    sent = {
        "text": "a\x00b\ud83d 🍜",
        "files": [{"name\x00": "\ud800", "n": [1, None, True]}],
    }
    found = sanitize_payload(sent)
    assert found == {"text": "ab? 🍜", "files": [{"name": "?", "n": [1, None, True]}]}
    json.dumps(found, ensure_ascii=False).encode()


def test_no_text_is_longer_than_a_message_of_slacks() -> None:
    """What reads a text later reads so many characters at the most."""
    assert sanitize_payload([{"text": "x" * (MAX_CHARACTERS + 1)}]) == [
        {"text": "x" * MAX_CHARACTERS}
    ]


def test_deep_nesting_is_dropped() -> None:
    """What is nested more deeply than anything of Slack's is left out, without recursion."""
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    found, levels = sanitize_payload({"a": 1, "deep": deep}), 0
    assert found["a"] == 1
    part = found["deep"]
    while part:
        [part] = part
        levels += 1
    assert levels == MAX_DEPTH
