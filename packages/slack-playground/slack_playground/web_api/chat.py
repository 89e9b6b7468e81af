"""chat.*: posting, updating and deleting messages; their text, blocks, attachments, metadata."""

import json
import time
from typing import Any

from slack_playground import interactions, posting
from slack_playground.block_kit import LIMITS
from slack_playground.blocks import block_errors, characters, with_ids
from slack_playground.interactions import RESPONSE_URL
from slack_playground.journal import UNSEEN
from slack_playground.records import Json
from slack_playground.web_api.call import Call, serves
from slack_playground.web_api.methods import SlackError

CUT = LIMITS["message_text"]
"""chat.postMessage cuts a longer text."""
TEXT_CHARACTERS = {"chat.update": LIMITS["updated_text"], "chat.postEphemeral": CUT}
RESPONSE_URL_SECONDS = 1800.0
RESPONSE_URL_USES = 5
METADATA_BYTES = 16_384


def read_content(call: Call) -> Json:
    """`text`, `blocks` and `attachments` of a posted message; raises SlackError.

    Parts that the call does not mention are absent.
    """
    args = call.args
    content: Json = {}
    if "markdown_text" in args:
        if "text" in args or "blocks" in args:
            raise SlackError("markdown_text_conflict")
        content = _markdown(args["markdown_text"])
    if "text" in args:
        content["text"] = _text(call)
    if "blocks" in args:
        content["blocks"] = read_blocks(call)
    if "attachments" in args:
        content["attachments"] = _attachments(args["attachments"])
    if not any(content.values()) or args.get("markdown_text") == "":
        raise SlackError("no_text")
    return content


def _markdown(text: str) -> Json:
    """The content of a message that is written in Markdown."""
    if len(text) > LIMITS["message_markdown"]:
        raise SlackError("msg_too_long")
    block = {"type": "markdown", "text": text}
    return {"text": text, "blocks": with_ids([block])}


def _text(call: Call) -> str:
    """The `text` argument, cut where the method does not refuse a longer one."""
    text = call.text("text")
    most = TEXT_CHARACTERS.get(call.method.name)
    if most is not None and len(text) > most:
        raise SlackError("msg_too_long")
    return text[:CUT]


def read_blocks(call: Call) -> list[Json]:
    """The checked `blocks` argument; in some methods more than 50 blocks have a separate error."""
    blocks = call.args["blocks"]
    too_many = "msg_blocks_too_many"
    if too_many in call.method.errors and len(blocks) > LIMITS["message_blocks"]:
        raise SlackError(too_many)
    check_blocks(blocks)
    return with_ids(blocks)


def check_blocks(blocks: Any, error: str = "invalid_blocks") -> None:
    """Refuse blocks that break Block Kit's rules, with this error."""
    errors = block_errors(blocks)
    if errors:
        raise SlackError(error, *errors)
    if characters(blocks) > LIMITS["message_characters"]:
        raise SlackError("msg_blocks_too_long")


def _attachments(attachments: list[Any]) -> list[Json]:
    if not all(isinstance(attachment, dict) for attachment in attachments):
        raise SlackError("invalid_attachments")
    for attachment in attachments:
        check_blocks(attachment.get("blocks", []))
    return attachments


def read_metadata(call: Call) -> Json | None:
    """The checked `metadata` argument."""
    metadata = call.args.get("metadata")
    if not isinstance(metadata, dict | None):
        raise SlackError("invalid_metadata_format")
    if metadata:
        call.check("metadata", "metadata", "invalid_metadata_schema")
        size = len(json.dumps(metadata))
        if size > METADATA_BYTES:
            raise SlackError("metadata_too_large")
    return metadata or None


@serves("chat.postMessage")
def post_message(call: Call) -> Json:
    """chat.postMessage; a person's id as `channel` is their DM."""
    workspace = call.workspace
    if call.text("channel").startswith(("U", "W")):
        person = workspace.user(call.text("channel"))
        if person.deleted:
            raise SlackError("user_not_found")
        call.args["channel"] = workspace.open_dm(person.id).id
    channel = call.open_channel()
    thread_ts = call.thread(channel)
    content = read_content(call)
    metadata = read_metadata(call)
    message = posting.post_by_app(
        call.slack, channel, content, thread_ts=thread_ts, metadata=metadata
    )
    return {"channel": channel.id, "ts": message.ts, "message": call.shown(message)}


@serves("chat.postEphemeral")
def post_ephemeral(call: Call) -> Json:
    """chat.postEphemeral; in a thread it is shown only if the thread already has a reply."""
    channel = call.open_channel()
    if call.text("user") not in channel.members:
        raise SlackError("user_not_in_channel")
    thread_ts = call.thread(channel)
    content = read_content(call)
    message = posting.post_ephemeral(
        call.slack, channel, call.text("user"), content, thread_ts=thread_ts
    )
    if message is None:
        call.slack.violations.add_all(call.method.name, [UNSEEN])
        return {"message_ts": call.workspace.next_ts()}
    return {"message_ts": message.ts}


@serves(RESPONSE_URL)
def respond(call: Call) -> Json:
    """An answer to a command or a click; at most five within half an hour."""
    target = call.slack.response_urls.get(call.path)
    if target is None or time.monotonic() - target.born > RESPONSE_URL_SECONDS:
        raise SlackError("expired_url")
    if target.uses >= RESPONSE_URL_USES:
        raise SlackError("used_url")
    args = call.args
    parts = ("text", "blocks", "attachments", "delete_original")
    if not any(args.get(part) for part in parts):
        raise SlackError("no_text")
    errors = block_errors(args.get("blocks", []))
    if errors:
        raise SlackError("invalid_blocks", *errors)
    call.check("response_type", "one:ephemeral|in_channel")
    target.uses += 1
    interactions.respond(call.slack, target, args)
    return {}


@serves("chat.update")
def update(call: Call) -> Json:
    """chat.update; a text without blocks removes the blocks, and other parts that are absent stay.

    A streamed message keeps its text and blocks, and the new ones are added below.
    """
    channel = call.channel(member=False)
    message = call.own_message(channel, "cant_update_message")
    if message.stream == "live":
        raise SlackError("streaming_state_conflict")
    content = read_content(call)
    changes: Json = dict(content)
    if "blocks" not in content and "blocks" in message.body and "text" in content:
        changes["blocks"] = None
    if "metadata" in call.args:
        message.metadata = read_metadata(call)
    editor = None if "blocks" in content else call.bot.id
    posting.update(call.slack, message, changes, where=call.method.name, editor=editor)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": message.body["text"],
        "message": call.shown(message),
    }


@serves("chat.delete")
def delete(call: Call) -> Json:
    """chat.delete; a live stream has to be stopped first."""
    channel = call.channel(member=False)
    message = call.own_message(channel, "cant_delete_message")
    if message.stream == "live":
        raise SlackError("cant_delete_message")
    posting.delete(call.slack, message)
    return {"channel": channel.id, "ts": message.ts}


@serves("chat.getPermalink")
def _get_permalink(call: Call) -> Json:
    channel = call.channel(member=False)
    message = call.workspace.message(channel.id, call.text("message_ts"))
    domain = call.workspace.identity.team_domain
    link = f"https://{domain}.slack.com/{message.archive_path}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}
