"""files.*: the two calls around an upload, and what is known of a file."""

import secrets
from typing import Any

from slack_playground.files import FILE_BYTES, add_file, file_object, may_see
from slack_playground.records import File, Json
from slack_playground.web_api.call import Call, SlackError, serves
from slack_playground.web_api.chat import check_open


@serves("files.getUploadURLExternal")
def get_upload_url(call: Call) -> Json:
    """files.getUploadURLExternal."""
    length = int(call.args["length"])
    if length <= 0 or not call.text("filename"):
        raise SlackError("missing_argument")
    if length > FILE_BYTES:
        raise SlackError("file_upload_size_restricted")
    file = add_file(
        call.slack.workspace, owner=call.bot.id, name=call.text("filename"), content=None
    )
    file.ticket, file.announced = secrets.token_urlsafe(24), length
    return {"upload_url": f"{call.slack.url}/upload/v1/{file.ticket}", "file_id": file.id}


@serves("files.completeUploadExternal")
def complete_upload(call: Call) -> Json:
    """files.completeUploadExternal: shares what was uploaded, as one message, once."""
    files = [_uploaded(call, entry) for entry in call.args["files"]]
    if not files:
        raise SlackError("invalid_arguments", "no less than 1 items allowed [json-pointer:/files]")
    if "channels" in call.args and "channel_id" in call.args:
        raise SlackError("invalid_arguments", "channels and channel_id exclude each other")
    named = call.text("channel_id") or call.text("channels")
    channel = thread_ts = None
    if named:
        call.args["channel"] = named
        channel = call.channel()
        check_open(call, channel)
        thread_ts = call.thread(channel, missing="invalid_thread_ts")
    for file, title in files:
        file.title, file.completed = title, True
        file.channels = [] if channel is None else [channel.id]
    shown = [file_object(call.slack, file) for file, _ in files]
    if channel is not None:
        content: Json = {
            "text": call.text("initial_comment"),
            "subtype": "file_share",
            "files": shown,
            "upload": False,
            "display_as_bot": False,
        }
        call.slack.posting.by_app(channel, content, thread_ts=thread_ts, metadata=None)
    return {"files": shown}


def _uploaded(call: Call, entry: Any) -> tuple[File, str]:
    """A file whose bytes are there and that is in no message yet, and its title."""
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise SlackError("invalid_arguments", "missing required field: id [json-pointer:/files]")
    if unknown := entry.keys() - {"id", "title", "highlight_type"}:
        raise SlackError("invalid_arguments", f"invalid additional property: {sorted(unknown)[0]}")
    file = call.slack.workspace.files.get(entry["id"])
    if file is None or file.owner != call.bot.id or file.content is None or file.completed:
        raise SlackError("file_not_found")
    return file, str(entry.get("title") or "")


@serves("files.info")
def info(call: Call) -> Json:
    """files.info: a file that the app can see, by its id."""
    workspace = call.slack.workspace
    file = workspace.files.get(call.text("file"))
    if file is None or file.content is None:
        raise SlackError("file_not_found")
    if not may_see(workspace, call.bot.id, file):
        raise SlackError("not_visible")
    return {"file": file_object(call.slack, file), "comments": []}


@serves("files.delete")
def delete(call: Call) -> Json:
    """files.delete: a file of the app's own, which leaves a tombstone in its messages."""
    workspace = call.slack.workspace
    file = workspace.files.get(call.text("file"))
    if file is None:
        raise SlackError("file_not_found")
    if file.owner != call.bot.id:
        raise SlackError("cant_delete_file")
    if file.content is None:
        raise SlackError("file_deleted")
    file.content = None
    gone = {"id": file.id, "mode": "tombstone"}
    for channel in file.channels:
        for message in list(workspace.messages[channel].values()):
            shown = message.body.get("files") or []
            if any(one["id"] == file.id for one in shown):
                files = [gone if one["id"] == file.id else one for one in shown]
                call.slack.posting.change(message, {"files": files})
    return {}
