"""chat.startStream, appendStream, stopStream: messages that grow while people read them."""

import time

from slack_playground.block_kit import MARKDOWN_CHARACTERS, check
from slack_playground.records import Json, Message
from slack_playground.web_api.agents import STATUSES
from slack_playground.web_api.call import Call, SlackError, serves
from slack_playground.web_api.chat import check_open, shown
from slack_playground.web_api.content import (
    check_blocks,
    read_blocks,
    read_metadata,
)

# A card counts with the text. Source: https://github.com/paradigmxyz/centaur/pull/505
_CARD_CHARACTERS = 300


@serves("chat.startStream")
def start(call: Call) -> Json:
    """chat.startStream."""
    channel = call.channel()
    check_open(call, channel)
    thread_ts = call.thread(channel, missing="thread_not_found")
    if channel.kind != "im":
        _check_recipient(call)
    if call.args.get("task_display_mode", "timeline") not in ("timeline", "plan"):
        raise SlackError("invalid_arguments", "must be one of: timeline, plan")
    text, chunks = _pieces(call)
    workspace = call.slack.workspace
    message = Message(
        channel=channel.id,
        ts=workspace.next_ts(),
        body={},
        stream="live",
        stream_mode=_mode(call, ""),
        stream_started=time.time(),
        stream_text=text,
        stream_chunks=chunks,
        stream_for="" if channel.kind == "im" else call.text("recipient_user_id"),
    )
    _check_length(call, text, chunks)
    call.slack.posting.open_stream(channel, message, thread_ts=str(thread_ts))
    return {"channel": channel.id, "ts": message.ts}


def _check_recipient(call: Call) -> None:
    for name in ("recipient_user_id", "recipient_team_id"):
        if not call.args.get(name):
            raise SlackError(f"missing_{name}")
    workspace = call.slack.workspace
    user = workspace.users.get(call.text("recipient_user_id"))
    teams = {user.team for user in workspace.users.values()}
    if call.text("recipient_team_id") not in teams:
        raise SlackError("team_not_found")
    if user is None or user.team != call.text("recipient_team_id"):
        raise SlackError("user_not_found")


def _pieces(call: Call) -> tuple[str, list[Json]]:
    """The text this call adds, and its other chunks; raises SlackError."""
    if "markdown_text" in call.args and "chunks" in call.args:
        raise SlackError("invalid_arguments", "markdown_text and chunks exclude each other")
    text = call.text("markdown_text")
    chunks: list[Json] = []
    errors: list[str] = []
    check("list0:1000:@chunks", call.args.get("chunks", []), "/chunks", errors)
    if errors:
        raise SlackError("invalid_chunks", *errors)
    for chunk in call.args.get("chunks", []):
        if chunk["type"] == "markdown_text":
            text += chunk["text"]
            continue
        if chunk["type"] == "blocks":
            check_blocks(chunk["blocks"], "invalid_chunks")
        chunks.append(chunk)
    if len(text) > MARKDOWN_CHARACTERS:
        raise SlackError("msg_too_long")
    return text, chunks


def _mode(call: Call, opened: str) -> str:
    """The mode of a stream that was opened in mode `opened`; raises SlackError for the other one.

    Each stream takes its content in one argument only, the one its first content came in.
    """
    named = [name for name in ("markdown_text", "chunks") if call.args.get(name)]
    if named and opened and named != [opened]:
        raise SlackError("streaming_mode_mismatch")
    return opened or "".join(named)


def _check_length(call: Call, text: str, chunks: list[Json]) -> None:
    """Refuse a streamed message whose text and task cards are too long together."""
    cards = {chunk["id"] for chunk in chunks if chunk["type"] == "task_update"}
    if len(text) + _CARD_CHARACTERS * len(cards) > call.slack.settings.stream_characters:
        raise SlackError("msg_too_long")


@serves("chat.appendStream")
def append(call: Call) -> Json:
    """chat.appendStream."""
    channel = call.channel()
    message = call.own_message(channel, "message_not_owned_by_app")
    if message.stream == "stopped_by_user":
        raise SlackError("stopped_by_user")
    if message.stream != "live":
        raise SlackError("message_not_in_streaming_state")
    text, chunks = _pieces(call)
    if not text and not chunks:
        raise SlackError("no_text")
    message.stream_mode = _mode(call, message.stream_mode)
    _check_length(call, message.stream_text + text, [*message.stream_chunks, *chunks])
    call.slack.posting.extend_stream(message, text, chunks)
    return {"channel": channel.id, "ts": message.ts}


@serves("chat.stopStream")
def stop(call: Call) -> Json:
    """chat.stopStream.

    After the person pressed Stop it still takes blocks, metadata and session_status once, but no
    more text.
    """
    channel = call.channel()
    message = call.own_message(channel, "message_not_owned_by_app")
    text, chunks = _pieces(call)
    if message.stream == "stopped_by_user":
        if text or chunks:
            raise SlackError("stopped_by_user")
    elif message.stream != "live":
        raise SlackError("message_not_in_streaming_state")
    _mode(call, message.stream_mode)
    status = call.args.get("session_status")
    if status is not None and status not in STATUSES:
        raise SlackError("invalid_arguments", f"must be one of: {', '.join(STATUSES)}")
    blocks: list[Json] = []
    if "blocks" in call.args:
        blocks = read_blocks(call, too_many="msg_blocks_too_many")
    _check_length(call, message.stream_text + text, [*message.stream_chunks, *chunks])
    metadata = read_metadata(call)
    if metadata is not None:
        message.metadata = metadata
    call.slack.posting.close_stream(message, text, chunks, blocks, session=status or "active")
    return {"channel": channel.id, "ts": message.ts, "message": shown(message)}
