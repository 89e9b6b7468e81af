"""Showing something to one person only, in the conversation they are in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.logs import fault
from bot.slack.client import NOTICE_METADATA, SLACK_FAULTS, Installations, error_code
from bot.slack.messages import Message

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 300.0


async def show_in_thread(
    client: AsyncWebClient, body: Mapping[str, Any], payload: Mapping[str, Any]
) -> bool:
    """Show the answer to a click or shortcut in the thread that `body` names, to its person alone.

    Return False where it names none, or Slack refuses: the app is not in that conversation. A
    response URL takes a thread only for what the whole channel sees.
    Source: https://docs.slack.dev/interactivity/handling-user-interaction/#publishing_in_thread
    """
    # A shortcut has no container: it comes with the message itself.
    thread_ts = (body.get("container") or body.get("message") or {}).get("thread_ts")
    channel = (body.get("channel") or {}).get("id")
    if not (thread_ts and channel):
        return False
    try:
        await client.chat_postEphemeral(
            channel=channel,
            user=body["user"]["id"],
            thread_ts=thread_ts,
            text=payload["text"],
            blocks=payload["blocks"],
        )
    except SLACK_FAULTS as error:
        log.info("an answer was not shown in its thread: %s", error_code(error) or fault(error))
        return False
    return True


async def show_privately(
    slack: Installations,
    message: Message,
    payload: Mapping[str, Any],
    *,
    in_dm: bool,
    replied: bool = False,
) -> None:
    """Show `payload` in the message's thread, to its author alone.

    In a direct message it is an ordinary message and stays; anywhere else it is ephemeral.
    Slack shows an ephemeral message in a thread only if that has a reply, and reports no error:
    unless the app has `replied`, or the message is a reply itself, it is shown beside the message.
    Raises what the Slack client raises.

    Source: https://docs.slack.dev/reference/methods/chat.postEphemeral
    """
    client = slack.client(message.team_id, patience=_PATIENCE_SECONDS)
    where = {"channel": message.channel_id, "text": payload["text"], "blocks": payload["blocks"]}
    if in_dm:
        await client.chat_postMessage(
            **where,
            thread_ts=message.thread_ts,
            unfurl_links=False,
            unfurl_media=False,
            metadata=NOTICE_METADATA,
        )
    else:
        has_reply = replied or not message.opens_thread
        thread_ts = message.thread_ts if has_reply else None
        await client.chat_postEphemeral(**where, user=message.user_id, thread_ts=thread_ts)
