"""assistant.threads.setStatus and agents.sessions.*: status line, sessions."""

import time
from typing import Any

from slack_playground.block_kit import Errors, check
from slack_playground.records import Channel, Json, Thread
from slack_playground.web_api.call import Call, SlackError, serves

STATUSES = ("active", "processing", "suspended", "closed")


def _thread(call: Call, channel: Channel) -> Thread:
    thread_ts = call.thread(channel, missing="invalid_thread_ts") or ""
    return call.slack.workspace.thread(channel.id, thread_ts)


def _check(spec: str, value: Any, pointer: str) -> None:
    errors: Errors = []
    check(spec, value, pointer, errors)
    if errors:
        raise SlackError("invalid_arguments", *errors)


@serves("assistant.threads.setStatus")
def set_status(call: Call) -> Json:
    """assistant.threads.setStatus; an empty status clears the line."""
    loading = call.args.get("loading_messages", [])
    if "loading_messages" in call.args:
        _check("list:10:str:50", loading, "/loading_messages")
    thread = _thread(call, call.channel("channel_id"))
    thread.status = call.text("status")
    thread.loading_messages = list(loading) if thread.status else []
    thread.status_set = time.time()
    call.slack.posting.set_thread(thread)
    return {}


def _session_channel(call: Call) -> Channel:
    """The conversation of a session: the app is in it, and the call names a thread of it."""
    channel = call.channel("channel_id", member=False)
    if call.bot.id not in channel.members:
        raise SlackError("not_authorized")
    if not call.args.get("thread_ts"):
        raise SlackError("thread_ts_required")
    return channel


@serves("agents.sessions.setStatus")
def session_status(call: Call) -> Json:
    """agents.sessions.setStatus; makes the session when it is new."""
    channel = _session_channel(call)
    status = call.text("status")
    if status not in STATUSES:
        raise SlackError("invalid_status")
    _check("str0:200", call.text("title"), "/title")
    initiator = call.text("initiator_user_id")
    if initiator and initiator not in channel.members:
        raise SlackError("user_not_found")
    thread = call.slack.posting.set_session(
        channel, call.text("thread_ts"), status, title=call.text("title"), initiator=initiator
    )
    answer: Json = {
        "status": thread.session,
        "agent_status": thread.session,
        "title": thread.session_title,
    }
    if "agent_session_stopped" not in call.slack.manifest.events:
        answer["warning"] = "missing_agent_session_stopped_event_subscription"
    return answer


@serves("agents.sessions.rename")
def rename(call: Call) -> Json:
    """agents.sessions.rename."""
    channel = _session_channel(call)
    if channel.archived:
        raise SlackError("is_archived")
    _check("str:200", call.text("title"), "/title")
    thread = call.slack.workspace.thread(channel.id, call.text("thread_ts"))
    if not thread.session:
        raise SlackError("session_not_found")
    thread.session_title = call.text("title")
    call.slack.posting.set_thread(thread)
    return {"title": thread.session_title}
