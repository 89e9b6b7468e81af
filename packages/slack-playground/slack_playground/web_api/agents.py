"""assistant.threads.setStatus and agents.sessions.*: status line, sessions."""

import time

from slack_playground import posting
from slack_playground.records import Channel, Json
from slack_playground.web_api.call import Call, SlackError, serves

STATUSES = ("active", "processing", "suspended", "closed")


@serves("assistant.threads.setStatus")
def set_status(call: Call) -> Json:
    """assistant.threads.setStatus; an empty status clears the line."""
    call.check("loading_messages", "list:10:str:50")
    channel = call.channel("channel_id")
    thread_ts = call.thread(channel, missing="invalid_thread_ts") or ""
    thread = call.slack.workspace.thread(channel.id, thread_ts)
    thread.status, thread.status_set = call.text("status"), time.time()
    thread.loading_messages = call.args.get("loading_messages", []) if thread.status else []
    posting.published(call.slack, thread)
    return {}


def _session_channel(call: Call) -> Channel:
    """The conversation of a session: the app is in it, and the call names a thread of it."""
    call.check("title", "str0:200")
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
    status, title = call.text("status"), call.text("title")
    if status not in STATUSES:
        raise SlackError("invalid_status")
    initiator = call.text("initiator_user_id")
    if initiator and initiator not in channel.members:
        raise SlackError("user_not_found")
    thread = posting.set_session(
        call.slack, channel.id, call.text("thread_ts"), status, title=title, initiator=initiator
    )
    answer: Json = {"status": status, "agent_status": status, "title": thread.session_title}
    if "agent_session_stopped" not in call.slack.manifest.events:
        answer["warning"] = "missing_agent_session_stopped_event_subscription"
    return answer


@serves("agents.sessions.rename")
def rename(call: Call) -> Json:
    """agents.sessions.rename."""
    channel = _session_channel(call)
    call.check("title", "str:200")
    if channel.archived:
        raise SlackError("is_archived")
    thread = call.slack.workspace.thread(channel.id, call.text("thread_ts"))
    if not thread.session:
        raise SlackError("session_not_found")
    thread.session_title = call.text("title")
    posting.published(call.slack, thread)
    return {"title": thread.session_title}
