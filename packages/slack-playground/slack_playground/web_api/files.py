"""files.*: the two calls around an upload."""

import secrets

from slack_playground import posting
from slack_playground.files import FILE_BYTES
from slack_playground.objects import file_object, slack_object
from slack_playground.records import File, Json
from slack_playground.web_api.call import Call, serves
from slack_playground.web_api.methods import SlackError


@serves("files.getUploadURLExternal")
def _get_upload_url(call: Call) -> Json:
    length = int(call.args["length"])
    name = call.text("filename")
    if length <= 0 or not name:
        raise SlackError("missing_argument")
    if length > FILE_BYTES:
        raise SlackError("file_upload_size_restricted")
    ticket = secrets.token_urlsafe(24)
    file = File(name=name, owner=call.bot.id, ticket=ticket, announced=length)
    call.workspace.files[file.id] = file
    url = f"{call.slack.url}/upload/v1/{ticket}"
    return {"upload_url": url, "file_id": file.id}


@serves("files.completeUploadExternal")
def complete_upload(call: Call) -> Json:
    """files.completeUploadExternal: shares the uploaded files as one message, once."""
    call.check("files", "list:1000:upload")
    entries: list[Json] = call.args["files"]
    uploaded = [_uploaded(call, entry["id"]) for entry in entries]
    channel = None
    thread_ts = None
    if "channel_id" in call.args:
        channel = call.open_channel("channel_id")
        thread_ts = call.thread(channel, missing="invalid_thread_ts")
    for file, entry in zip(uploaded, entries, strict=True):
        file.title = entry.get("title", "")
        file.completed = True
        if channel is not None:
            file.channels.append(channel.id)
    shown = [_object(call, file) for file in uploaded]
    if channel is not None:
        content = slack_object(
            "file_share", text=call.text("initial_comment"), files=shown
        )
        posting.post_by_app(call.slack, channel, content, thread_ts=thread_ts)
    return {"files": shown}


def _object(call: Call, file: File) -> Json:
    return file_object(file, call.slack.url, call.bot.team)


def _uploaded(call: Call, file_id: str) -> File:
    """A file that the app has uploaded and not shared yet."""
    file = call.workspace.files.get(file_id)
    if file is None or file.owner != call.bot.id:
        raise SlackError("file_not_found")
    if file.content is None or file.completed:
        raise SlackError("file_not_found")
    return file
