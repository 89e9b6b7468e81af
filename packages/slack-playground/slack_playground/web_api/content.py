"""Content of messages: text, markdown, blocks, attachments, metadata."""

import json
from typing import Any

from slack_playground.block_kit import MARKDOWN_CHARACTERS, MESSAGE_BLOCKS
from slack_playground.blocks import ALL_CHARACTERS, block_errors, characters, with_ids
from slack_playground.records import Json
from slack_playground.web_api.call import Call, SlackError

CUT = 40_000
"""chat.postMessage cuts a longer text."""
TEXT_CHARACTERS = {"chat.update": 4_000, "chat.postEphemeral": CUT}
METADATA_BYTES = 16_384
ATTACHMENTS = 100


def read_content(call: Call) -> Json:
    """`text`, `blocks` and `attachments` of a posted message; raises SlackError.

    What the call does not mention is absent.
    """
    args = call.args
    content: Json = {}
    if "markdown_text" in args:
        if "text" in args or "blocks" in args:
            raise SlackError("markdown_text_conflict")
        content["text"] = args["markdown_text"]
        if len(content["text"]) > MARKDOWN_CHARACTERS:
            raise SlackError("msg_too_long")
        content["blocks"] = with_ids([{"type": "markdown", "text": content["text"]}])
    if "text" in args:
        if len(call.text("text")) > TEXT_CHARACTERS.get(call.method.name, len(call.text("text"))):
            raise SlackError("msg_too_long")
        content["text"] = call.text("text")[:CUT]
    if "blocks" in args:
        content["blocks"] = read_blocks(call)
    if "attachments" in args:
        content["attachments"] = _attachments(args["attachments"])
    if not any(content.values()) or args.get("markdown_text") == "":
        raise SlackError("no_text")
    return content


def read_blocks(call: Call) -> list[Json]:
    """The checked `blocks` argument; more than 50 have an error of their own in some methods."""
    blocks, too_many = call.args["blocks"], "msg_blocks_too_many"
    if too_many in call.method.errors and len(blocks) > MESSAGE_BLOCKS:
        raise SlackError(too_many)
    check_blocks(blocks)
    return with_ids(blocks)


def check_blocks(blocks: Any, error: str = "invalid_blocks") -> None:
    """Refuse blocks that break Block Kit's rules, with this error."""
    if errors := block_errors(blocks):
        raise SlackError(error, *errors)
    if characters(blocks) > ALL_CHARACTERS:
        raise SlackError("msg_blocks_too_long")


def _attachments(attachments: list[Any]) -> list[Json]:
    if len(attachments) > ATTACHMENTS:
        raise SlackError("too_many_attachments")
    if not all(isinstance(attachment, dict) for attachment in attachments):
        raise SlackError("invalid_attachments")
    for attachment in attachments:
        check_blocks(attachment.get("blocks", []))
    return attachments


def read_metadata(call: Call) -> Json | None:
    """The checked `metadata` argument."""
    metadata = call.args.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if not metadata or metadata.keys() == {"entities"}:
        return metadata or None
    event_type = metadata.get("event_type")
    payload = metadata.get("event_payload")
    if not isinstance(event_type, str) or not event_type or not isinstance(payload, dict):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata).encode()) > METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return metadata
