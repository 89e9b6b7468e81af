"""Refusals of an answer by Slack, told apart by the code of the error.

Source: "Errors" at https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

from bot.slack.client import CONVERSATION_GONE

_NOT_WRITABLE = CONVERSATION_GONE | {
    "cannot_reply_to_message",
    "restricted_action",
    "restricted_action_non_threadable_channel",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "restricted_action_thread_only_channel",
}
# A table of Markdown counts as an attachment.
_BLOCKS_REFUSED = {
    "attachment_payload_limit_exceeded",
    "invalid_attachments",
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "msg_too_long",
    "only_one_table_allowed",
    "too_many_attachments",
}

NO_STREAMS = "channel_type_not_supported"
"""The error of ``chat.startStream`` in a kind of conversation that takes no streams."""


class DeliveryFailed(Exception):
    """Slack refused the answer with the error `code`."""

    def __init__(self, code: str) -> None:
        super().__init__("Slack refused the answer.")
        self.code = code

    @property
    def is_expected(self) -> bool:
        """Whether nothing can be written there: archived, left, restricted, or a deleted thread."""
        return self.code in _NOT_WRITABLE

    @property
    def is_for_blocks(self) -> bool:
        """Whether Slack may take the same answer without blocks."""
        return self.code in _BLOCKS_REFUSED
