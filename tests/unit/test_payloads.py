"""Which payloads are accepted as Slack's, and what is removed from them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.slack.payloads import MAX_DEPTH, cleaned

TS = "1355517523.000005"
USER = {"id": "U1", "username": "ann", "team_id": "T1"}
TEAM = {"id": "T1", "domain": "acme"}
EVENT: dict[str, Any] = {
    "type": "message",
    "channel": "D1",
    "user": "U1",
    "text": "hello",
    "ts": TS,
    "channel_type": "im",
}
CALLBACK = {
    "token": "x",
    "type": "event_callback",
    "team_id": "T1",
    "event_id": "Ev1",
    "event_time": 1355517523,
    "authorizations": [
        {"enterprise_id": None, "team_id": "T1", "user_id": "U2", "is_enterprise_install": False}
    ],
    "event": EVENT,
}
ACTION = {
    "type": "block_actions",
    "user": USER,
    "team": TEAM,
    "enterprise": None,
    "channel": {"id": "D1", "name": "directmessage"},
    "container": {"type": "message", "message_ts": TS, "thread_ts": TS},
    "response_url": "https://hooks.slack.com/actions/T1/1/x",
    "trigger_id": "1.2.abc",
    "actions": [{"type": "button", "action_id": "undo", "block_id": "b", "value": "1"}],
}
VIEW = {
    "id": "V1",
    "type": "modal",
    "callback_id": "form",
    "private_metadata": '{"language": "ja"}',
    "blocks": [],
    "state": {"values": {"b": {"a": {"type": "plain_text_input", "value": None}}}},
}
SUBMISSION = {"type": "view_submission", "user": USER, "team": TEAM, "view": VIEW}
COMMAND = {
    "command": "/memories",
    "text": "",
    "user_id": "U1",
    "team_id": "T1",
    "channel_id": "C1",
    "is_enterprise_install": "false",
    "response_url": "https://hooks.slack.com/commands/1/2",
    "trigger_id": "1.2.3",
}


def event(**fields: Any) -> dict[str, Any]:
    """Return an envelope whose event has these fields too."""
    return {**CALLBACK, "event": {**EVENT, **fields}}


@pytest.mark.parametrize(
    "payload",
    [
        CALLBACK,
        event(type="app_mention", thread_ts=TS, blocks=[{"type": "rich_text"}], files=[{}]),
        event(subtype="message_changed", message=EVENT, previous_message=EVENT),
        event(subtype="message_deleted", deleted_ts=TS, previous_message={"ts": TS}),
        event(type="user_change", user={"id": "U1", "team_id": "T1", "deleted": False}),
        event(type="tokens_revoked", tokens={"oauth": ["U1"]}, user=None),
        event(app_context={"entities": [{"type": "slack#/types/list", "value": [7, True]}]}),
        event(type="app_home_opened", tab="home", view={"id": "V1", "type": "home"}),
        event(subtype="bot_message", user=None, bot_id="B1", username="hook"),
        {k: v for k, v in CALLBACK.items() if k != "authorizations"},
        {**CALLBACK, "team_id": "E1", "is_ext_shared_channel": True, "a_new_field": {"x": [1]}},
        ACTION,
        {**ACTION, "response_url": None, "view": {**VIEW, "type": "home"}},
        SUBMISSION,
        {**SUBMISSION, "team": None, "enterprise": {"id": "E1"}, "is_enterprise_install": True},
        {"type": "shortcut", "callback_id": "x", "user": USER, "team": TEAM, "trigger_id": "1"},
        {**ACTION, "type": "message_action", "callback_id": "x", "message": EVENT},
        COMMAND,
        {"type": "url_verification", "challenge": "c", "token": "t"},
        {"ssl_check": "1", "token": "t"},
    ],
)
def test_what_slack_sends_is_accepted_unchanged(payload: dict[str, Any]) -> None:
    """Every documented shape passes unchanged, with fields that are not named and with nulls."""
    assert cleaned(payload) == payload


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"type": "event_callback"},
        {**CALLBACK, "event": [EVENT]},
        {**CALLBACK, "event_id": ""},
        {**CALLBACK, "event_id": 7},
        {**CALLBACK, "authorizations": {"team_id": "T1"}},
        event(user="u1"),
        event(channel=["D1"]),
        event(ts="nan"),
        event(ts="1.1"),
        event(ts="0000000000.000000"),
        event(ts="9999999999.000000"),
        event(ts="1355517523"),
        event(ts="1355517523.0000050"),
        event(ts=1355517523.000005),
        event(ts=None),
        event(channel=None),
        event(type="app_mention", user=None),
        event(type="agent_session_stopped", thread_ts=None),
        event(type="agent_session_title_changed", thread_ts=None),
        event(type="user_change", user="U1"),
        event(type="tokens_revoked", tokens={"bot": "U1"}),
        event(user={"id": "U1"}),
        {**CALLBACK, "event_time": "now"},
        {**CALLBACK, "is_ext_shared_channel": "no"},
        {**CALLBACK, "team_id": None, "authorizations": []},
        event(text={"text": "x"}),
        event(message="x"),
        {**ACTION, "actions": []},
        {**ACTION, "actions": [{"value": 1}]},
        {**ACTION, "user": "U1"},
        {**ACTION, "response_url": None},
        {**ACTION, "type": "message"},
        {**ACTION, "type": "tokens_revoked"},
        event(type="view_submission"),
        {**ACTION, "response_url": "file:///etc/passwd"},
        {**SUBMISSION, "view": {**VIEW, "private_metadata": "["}},
        {**SUBMISSION, "view": {**VIEW, "private_metadata": "[" * 100_000}},
        {**SUBMISSION, "view": {**VIEW, "state": {"values": {"b": []}}}},
        {**SUBMISSION, "view": {**VIEW, "state": {"values": None}}},
        {**SUBMISSION, "view": {**VIEW, "state": None}},
        {**COMMAND, "user_id": "../U1"},
        {k: v for k, v in COMMAND.items() if k != "channel_id"},
    ],
)
def test_what_slack_does_not_send_is_refused(payload: dict[str, Any]) -> None:
    """A field of another type than the app relies on, or a missing id, refuses all of it."""
    assert cleaned(payload) is None


def test_nothing_remains_that_postgresql_refuses() -> None:
    """NULs and lone surrogates are gone from every text and every key; whole characters stay."""
    sent = event(text="a\x00b\ud83d 🍜", files=[{"name\x00": "\ud800", "n": [1, None, True]}])
    found = cleaned(sent)
    assert found is not None
    assert found["event"]["text"] == "ab? 🍜"
    assert found["event"]["files"] == [{"name": "?", "n": [1, None, True]}]
    json.dumps(found, ensure_ascii=False).encode()


def test_deep_nesting_is_refused() -> None:
    """What is nested more deeply than anything of Slack's is refused without recursion."""
    deep: Any = "x"
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    assert cleaned(event(files=[{"x": deep}])) is None
