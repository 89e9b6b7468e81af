"""Events: stored before Slack is answered; the rest of the work is the worker's."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext

from bot.conversation.inbox import Inbox
from bot.listeners.change_events import ChangeEvents
from bot.slack.messages import for_installation, installation_team, read_message
from bot.users.workspaces import Workspaces
from memory import transaction_timeout

log = logging.getLogger(__name__)

# Every event of manifest.yml. A type that is not listed here is acknowledged and ignored
# (`bot.listeners.app`).
EVENTS = (
    "message",
    "app_mention",
    "app_context_changed",
    "app_home_opened",
    "agent_session_stopped",
    "agent_session_title_changed",
    "channel_shared",
    "channel_unshared",
    "channel_archive",
    "channel_unarchive",
    "channel_id_changed",
    "channel_left",
    "group_left",
    "user_change",
    "app_uninstalled",
    "tokens_revoked",
)

DEPARTURES = frozenset({"app_uninstalled", "tokens_revoked"})
_DATABASE_SECONDS = 2.0


def register(
    app: AsyncApp,
    *,
    inbox: Inbox,
    changes: ChangeEvents,
    workspaces: Workspaces,
) -> None:
    """Store events in a global middleware: it is awaited before the ack, a listener is not.

    What is raised here becomes an answer other than 200, and Slack delivers the event again.
    Slack waits for three seconds, so PostgreSQL has two. Of a workspace that has removed the app
    only the events that say so are handled.
    """

    @app.use
    async def store_before_ack(
        body: dict[str, Any],
        context: AsyncBoltContext,
        next: Callable[[], Awaitable[None]],  # noqa: A002 - Bolt's name
    ) -> None:
        if isinstance(body.get("event"), dict):
            with transaction_timeout(_DATABASE_SECONDS):
                await store(body, context.bot_user_id or "")
                if body.get("is_ext_shared_channel"):
                    for team in (await workspaces.with_message(body))[1:]:
                        bot_user_id = await changes.slack.bot_user_id(team)
                        await store(for_installation(body, team), bot_user_id)
        await next()

    async def store(body: dict[str, Any], bot_user_id: str) -> None:
        """Store an event for one installation."""
        event = body["event"]
        message = read_message(body, bot_user_id)
        departs = event.get("type") in DEPARTURES
        if not (departs or await workspaces.serves(installation_team(body))):
            log.info("an event of a workspace that is not served was dropped")
        elif message is not None:
            if "app_context" in event:
                await changes.viewed_channels.note(message.person, event["app_context"])
            await inbox.store(message)
        else:
            await changes.note(body)

    async def stored(event: dict[str, Any]) -> None:
        """Nothing is left to do: the middleware stored what there was."""

    for name in EVENTS:
        app.event(name)(stored)
