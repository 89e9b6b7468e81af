"""Posts a message exactly once, by looking for its metadata when its fate is not known.

Slack's API has no idempotency key: a post that ended in a server error or a lost connection may be
in Slack. Source: "Errors" at https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from uuid import uuid4

from bot.slack import retries
from bot.slack.client import (
    SLACK_FAULTS,
    TeamClient,
    error_code,
    list_messages,
    unless_refused,
)
from bot.slack.messages import is_direct
from memory.model import Json

log = logging.getLogger(__name__)

SETTLED_SECONDS = 8.0
"""After this time a call, even one of a dying process, has been carried out or never will be."""

CLOCKS_DIFFER_SECONDS = 300.0
"""How far this clock and Slack's may differ; Slack's signatures allow as much."""

NOTICE_EVENT = "kioku_notice"
_MOST_MESSAGES = 200


def notice_metadata(**ids: str) -> dict[str, Any]:
    """Return the metadata of a message that is no reply: no turn takes it for its own.

    `ids` are what only this message has.
    """
    return {"event_type": NOTICE_EVENT, "event_payload": {"reply": False, **ids}}


async def post_once(
    client: TeamClient,
    channel: str,
    content: Mapping[str, Any],
    metadata: Json,
    *,
    thread_ts: str | None = None,
    since: float | None = None,
    confirm: Callable[[], Awaitable[object]] | None = None,
) -> str:
    """Post a message exactly once, and return its ts.

    `content` are the other arguments of ``chat.postMessage``, such as text and blocks. `metadata`
    must be unique to this message. A post of unknown fate is looked for, and repeated if it is not
    found, for `retries.TROUBLE_SECONDS`. `since` is when an earlier attempt asked for it, in
    seconds since 1970, if one may have. `confirm` is awaited before each post; if it raises, Slack
    is not called.

    Raises what the Slack client raises; if that has an `error_code`, the message is certainly not
    in Slack.
    """
    asked_at = since
    end = time.monotonic() + retries.TROUBLE_SECONDS
    while True:
        if asked_at is not None:
            found = await find_posted(
                client, channel, metadata, since=asked_at, thread_ts=thread_ts
            )
            if found is not None:
                return found
        if confirm is not None:
            await confirm()
        asked_at = time.time()
        try:
            answer = await client.chat_postMessage(
                channel=channel,
                thread_ts=thread_ts,
                unfurl_links=False,
                unfurl_media=False,
                metadata=dict(metadata),
                **content,
            )
        except SLACK_FAULTS as error:
            if error_code(error) or time.monotonic() > end:
                raise
            log.info("whether a message was posted is not known: it is looked for")
        else:
            return str(answer["ts"])


async def show_privately(
    client: TeamClient,
    payload: Mapping[str, Any],
    *,
    channel: str,
    user: str,
    thread_ts: str | None,
) -> str | None:
    """Show `payload` to one person, in a thread of theirs; return the ts of the message.

    In a direct message it is an ordinary message and stays, and `post_once` posts it. Anywhere else
    it is ephemeral. Slack silently drops an ephemeral message in a thread without replies; with
    None for `thread_ts` it is shown beside the thread. Raises what the Slack client raises.

    Source: https://docs.slack.dev/reference/methods/chat.postEphemeral
    """
    if not is_direct(channel):
        await client.chat_postEphemeral(
            channel=channel, user=user, thread_ts=thread_ts, **payload
        )
        return None
    # Unique to this message: others that are no replies are in the thread.
    metadata = notice_metadata(message=uuid4().hex)
    return await post_once(client, channel, payload, metadata, thread_ts=thread_ts)


async def find_posted(
    client: TeamClient,
    channel: str,
    metadata: Json,
    *,
    since: float,
    thread_ts: str | None = None,
) -> str | None:
    """Return the ts of the app's message with this metadata, asked for at `since`, or None.

    Raises what the Slack client raises if the conversation may be read later.
    """
    messages = await messages_since(client, channel, since, thread_ts=thread_ts)
    found = with_metadata(messages, metadata, author=client.bot_user_id())
    return found[0] if found else None


async def messages_since(
    client: TeamClient, channel: str, since: float, *, thread_ts: str | None
) -> list[dict[str, Any]]:
    """Return the first 200 messages after `since` of a thread, or the newest of a conversation.

    Before it asks, it waits until a call that was made at `since` (seconds since 1970) has been
    carried out. Returns none if Slack refuses to show them. Raises what the Slack client raises if
    it may show them later.
    """
    await asyncio.sleep(max(since + SETTLED_SECONDS - time.time(), 0.0))
    oldest = f"{max(since - CLOCKS_DIFFER_SECONDS, 0.0):.6f}"
    found: list[dict[str, Any]] = []
    with unless_refused("show a conversation"):
        answer = await list_messages(
            client,
            channel,
            thread_ts,
            oldest=oldest,
            include_all_metadata=True,
            limit=_MOST_MESSAGES,
        )
        found += answer.get("messages") or []
    return found


def with_metadata(
    messages: Iterable[Json], metadata: Json, *, author: str
) -> list[str]:
    """Return the ts of the author's messages with this metadata, in order."""
    found: list[str] = []
    for one in messages:
        has = one.get("metadata") or {}
        is_own = one.get("user") == author
        if is_own and has.get("event_type") == metadata["event_type"]:
            payload = has.get("event_payload") or {}
            # Slack may add fields.
            if metadata["event_payload"].items() <= payload.items():
                found.append(str(one["ts"]))
    return sorted(found, key=float)
