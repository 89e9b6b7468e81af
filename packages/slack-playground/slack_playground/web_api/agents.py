"""Streams (messages that grow while people read them), and agent sessions."""

import copy

from slack_playground import posting
from slack_playground.block_kit import LIMITS
from slack_playground.records import Json, Message
from slack_playground.web_api.call import Call, serves
from slack_playground.web_api.chat import check_blocks, read_blocks, read_metadata
from slack_playground.web_api.methods import SlackError

STATUSES = ("active", "processing", "suspended", "closed")


@serves("chat.startStream")
def _start(call: Call) -> Json:
    channel = call.open_channel()
    thread_ts = call.thread(channel) or ""
    if channel.kind != "im":
        _check_recipient(call)
    slack = call.slack
    message = posting.new_of_app(slack, channel, {}, thread_ts, stream="live")
    text, chunks = _pieces(call, message)
    posting.extend_stream(slack, message, text, chunks)
    if channel.kind != "im":
        message.stream_for = call.text("recipient_user_id")
        message.stream_opened = copy.deepcopy(message.body)
    posting.add(slack, channel, message)
    posting.set_session(slack, channel.id, thread_ts, "processing")
    return {"channel": channel.id, "ts": message.ts}


def _check_recipient(call: Call) -> None:
    for name in ("recipient_user_id", "recipient_team_id"):
        if not call.args.get(name):
            raise SlackError(f"missing_{name}")
    workspace = call.workspace
    team = call.text("recipient_team_id")
    teams = {user.team for user in workspace.users.values()}
    if team not in teams:
        raise SlackError("team_not_found")
    if workspace.user(call.text("recipient_user_id")).team != team:
        raise SlackError("user_not_found")


def _pieces(call: Call, message: Message) -> tuple[str, list[Json]]:
    """The text that this call adds to a streamed message, and its other chunks; raises SlackError.

    A stream accepts content only in the argument that had its first content.
    """
    if "markdown_text" in call.args and "chunks" in call.args:
        raise SlackError(
            "invalid_arguments", "markdown_text and chunks exclude each other"
        )
    call.check("chunks", "list0:1000:@chunks", "invalid_chunks")
    text = call.text("markdown_text")
    chunks: list[Json] = []
    for chunk in call.args.get("chunks", []):
        if chunk["type"] == "markdown_text":
            text += chunk["text"]
            continue
        if chunk["type"] == "blocks":
            check_blocks(chunk["blocks"], "invalid_chunks")
        chunks.append(chunk)
    mode = message.stream_mode
    for name in ("markdown_text", "chunks"):
        if call.args.get(name):
            mode = name
    if message.stream_mode not in ("", mode):
        raise SlackError("streaming_mode_mismatch")
    if len(message.body["text"]) + len(text) > LIMITS["message_markdown"]:
        raise SlackError("msg_too_long")
    message.stream_mode = mode
    return text, chunks


@serves("chat.appendStream")
def _append(call: Call) -> Json:
    channel = call.channel()
    message = call.own_message(channel, "message_not_owned_by_app")
    if message.stream == "stopped_by_user":
        raise SlackError("stopped_by_user")
    if message.stream != "live":
        raise SlackError("message_not_in_streaming_state")
    text, chunks = _pieces(call, message)
    if not text and not chunks:
        raise SlackError("no_text")
    posting.extend_stream(call.slack, message, text, chunks)
    return {"channel": channel.id, "ts": message.ts}


@serves("chat.stopStream")
def stop(call: Call) -> Json:
    """chat.stopStream.

    After the person has pressed Stop, it still accepts blocks, metadata and session_status once,
    but no text.
    """
    channel = call.channel()
    message = call.own_message(channel, "message_not_owned_by_app")
    call.check("session_status", f"one:{'|'.join(STATUSES)}")
    if message.stream not in ("live", "stopped_by_user"):
        raise SlackError("message_not_in_streaming_state")
    text, chunks = _pieces(call, message)
    if message.stream == "stopped_by_user" and (text or chunks):
        raise SlackError("stopped_by_user")
    blocks = read_blocks(call) if "blocks" in call.args else []
    message.metadata = read_metadata(call) or message.metadata
    before = copy.deepcopy(message.body)
    session = call.text("session_status") or "active"
    posting.end_stream(call.slack, message, "stopped", session)
    posting.extend_stream(call.slack, message, text, chunks, blocks)
    posting.announce_change(call.slack, message, before)
    return {"channel": channel.id, "ts": message.ts, "message": call.shown(message)}


@serves("agents.sessions.setStatus")
def session_status(call: Call) -> Json:
    """agents.sessions.setStatus; creates the session if it is new."""
    call.check("title", "str0:200")
    channel = call.channel("channel_id", member=False)
    if call.bot.id not in channel.members:
        raise SlackError("not_authorized")
    if not call.args.get("thread_ts"):
        raise SlackError("thread_ts_required")
    status = call.text("status")
    if status not in STATUSES:
        raise SlackError("invalid_status")
    initiator = call.text("initiator_user_id")
    if initiator and initiator not in channel.members:
        raise SlackError("user_not_found")
    thread_ts = call.text("thread_ts")
    title = call.text("title")
    thread = posting.set_session(call.slack, channel.id, thread_ts, status, title)
    answer: Json = {
        "status": status,
        "agent_status": status,
        "title": thread.session_title,
    }
    if "agent_session_stopped" not in call.slack.manifest.events:
        answer["warning"] = "missing_agent_session_stopped_event_subscription"
    return answer
