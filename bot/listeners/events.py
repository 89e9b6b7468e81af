"""Events: stored before Slack is answered; the rest of the work is the worker's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.audience import Audiences
from bot.inbox import Inbox
from bot.messages import installation_team, read_message
from bot.people import People

# Every event of manifest.yml; one without a listener would be answered 404 and sent again.
EVENTS = (
    "message",
    "app_mention",
    "app_home_opened",
    "agent_session_stopped",
    "channel_shared",
    "channel_unshared",
    "channel_archive",
    "channel_unarchive",
    "user_change",
    "app_uninstalled",
    "tokens_revoked",
)
_CONVERSATION_CHANGES = frozenset(
    {"channel_shared", "channel_unshared", "channel_archive", "channel_unarchive"}
)


def register(
    app: AsyncApp, *, inbox: Inbox, audiences: Audiences, people: People, bot_user_id: str
) -> None:
    """Store events in a global middleware: it is awaited before the ack, a listener is not.

    What is raised here becomes an answer other than 200, and Slack delivers the event again.
    """

    @app.use
    async def store_before_ack(
        body: dict[str, Any],
        next: Callable[[], Awaitable[None]],  # noqa: A002 - Bolt's name
    ) -> None:
        event = body.get("event")
        if isinstance(event, dict):
            message = read_message(body, bot_user_id)
            if message is not None:
                await inbox.store(message)
            else:
                await _note_change(body, event)
        await next()

    async def _note_change(body: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        team, channel, kind = installation_team(body), event.get("channel"), event.get("type")
        if kind == "agent_session_stopped":
            await inbox.interrupt(f"{team}.{channel}.{event.get('thread_ts')}")
        elif kind in _CONVERSATION_CHANGES and isinstance(channel, str):
            await audiences.forget(team, channel)
        elif kind == "user_change":
            people.forget(str((event.get("user") or {}).get("id")))
        elif kind == "message" and event.get("subtype") == "message_changed":
            edited = event.get("message") or {}
            thread = f"{team}.{channel}.{edited.get('thread_ts') or edited.get('ts')}"
            await inbox.edit(
                team, str(channel), str(edited.get("ts")), thread, str(edited.get("text") or "")
            )
        elif kind == "message" and event.get("subtype") == "message_deleted":
            deleted = event.get("previous_message") or {}
            ts = str(event.get("deleted_ts"))
            thread = f"{team}.{channel}.{deleted.get('thread_ts') or ts}"
            await inbox.withdraw(team, str(channel), ts, thread)

    async def stored(event: dict[str, Any]) -> None:
        """Nothing is left to do: the middleware stored what there was."""

    for name in EVENTS:
        app.event(name)(stored)
