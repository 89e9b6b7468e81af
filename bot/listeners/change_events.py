"""Events other than messages: edits, deletions, Stop, changed conversations, App Home."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.app import App
from bot.memories.home import publish_later
from bot.pipeline.changes import SourceUpdates
from bot.slack.messages import (
    Message,
    author_key,
    found_message,
    installation_team,
    thread_key,
    user_key,
)
from memory import Person

# A conversion is reported by a message in the channel, any other change by an event of its own.
CONVERSATION_CHANGES = frozenset(
    {
        "channel_shared",
        "channel_unshared",
        "channel_archive",
        "channel_unarchive",
        "channel_left",
        "group_left",
        "channel_convert_to_private",
        "channel_convert_to_public",
    }
)
# Slack delivers events of the same moment in any order, and again what was not acknowledged.
_ON_ITS_WAY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ChangeEvents:
    """Applies events before they are acknowledged, because nothing of them waits in a queue."""

    app: App

    async def note(self, body: Mapping[str, Any]) -> None:
        """Take note of an ``event_callback`` that is no person's message."""
        event = body["event"]
        team, channel = installation_team(body), str(event.get("channel"))
        match event.get("type"), event.get("subtype"):
            case "message", "message_changed":
                await self._message_changed(body, team, channel)
            case "message", "message_deleted":
                deleted = event.get("previous_message") or {}
                deleted = {**deleted, "ts": event.get("deleted_ts")}
                await self._message_deleted(body, team, channel, deleted)
            case "agent_session_stopped", _:
                await self._stopped(event, team, channel)
            case "app_home_opened", _:
                if event.get("tab") == "home":
                    person = Person(team, str(event.get("user")))
                    await publish_later(self.app.pool, self.app.queue, person)
            case "user_change", _:
                user = event.get("user") or {}
                person = Person(team, user_key(user.get("id"), user.get("team_id"), team))
                await self.app.people.changed(person, user)
            case "app_uninstalled", _:
                # In seconds since 1970, by Slack's clock.
                at = float(body.get("event_time") or time.time())
                await self.app.workspaces.left(team, at)
            case "channel_id_changed", _:
                for name in ("old_channel_id", "new_channel_id"):
                    await self.app.audiences.invalidate(team, str(event.get(name)))
            case kind, subtype if {kind, subtype} & CONVERSATION_CHANGES:
                await self.app.audiences.invalidate(team, channel)

    async def _stopped(self, event: Mapping[str, Any], team: str, channel: str) -> None:
        """Interrupt the turn of a thread; without one, nothing but this ends `processing`."""
        thread_ts, stopped_ts = str(event.get("thread_ts")), str(event.get("event_ts") or "")
        thread = thread_key(team, channel, thread_ts)
        if not await self.app.inbox.interrupt(thread, stopped_ts=stopped_ts):
            await self.app.sessions.activate(team, channel, thread_ts, wait=False)

    async def _message_changed(self, body: Mapping[str, Any], team: str, channel: str) -> None:
        """Store an edited text; let an answered message be answered again, in the same place."""
        event = body["event"]
        edited, before = event.get("message") or {}, event.get("previous_message") or {}
        # Slack leaves a tombstone in the place of a deleted message that has replies.
        if edited.get("subtype") == "tombstone":
            await self._message_deleted(body, team, channel, before or edited)
            return
        text = str(edited.get("text") or "")
        # Slack also says so when it adds a preview to a link.
        if "text" in before and before["text"] == text:
            return
        unknown = await self._unknown_message(body)
        if unknown is not None:
            await self.app.inbox.store(replace(unknown, text=text), edited=True)
        ts, thread = _ts_and_thread(team, channel, edited)
        event_id, changed_ts = str(body.get("event_id")), str(event.get("ts") or "")
        await self.app.inbox.edit(
            team, channel, ts, thread, text, event_id=event_id, changed_ts=changed_ts
        )
        reworded = await SourceUpdates(self.app).reword(
            team, channel, ts, thread, text, changed_ts=changed_ts
        )
        if "text" in before:
            if not reworded:
                await self._update_source(body, team, channel, before)
            message = await self._message(body, "message")
            if message is not None:
                await self.app.inbox.reopen(
                    replace(message, event_id=event_id), changed_ts=changed_ts
                )

    async def _message_deleted(
        self, body: Mapping[str, Any], team: str, channel: str, deleted: Mapping[str, Any]
    ) -> None:
        changed_ts = str(body["event"].get("ts") or "")
        if (unknown := await self._unknown_message(body)) is not None:
            await self.app.inbox.store_withdrawn(unknown)
        ts, thread = _ts_and_thread(team, channel, deleted)
        await self.app.inbox.withdraw(team, channel, ts, thread, changed_ts=changed_ts)
        reworded = await SourceUpdates(self.app).reword(
            team, channel, ts, thread, "", changed_ts=changed_ts
        )
        if not reworded:
            await self._update_source(body, team, channel, deleted)

    async def _unknown_message(self, body: Mapping[str, Any]) -> Message | None:
        """Return the message before its change, if it is so new that Slack may deliver it later."""
        message = await self._message(body, "previous_message")
        if message is None or time.time() - float(message.ts) > _ON_ITS_WAY_SECONDS:
            return None
        return message

    async def _message(self, body: Mapping[str, Any], field: str) -> Message | None:
        event, team = body["event"], installation_team(body)
        return found_message(
            event.get(field) or {},
            team_id=team,
            channel_id=str(event.get("channel")),
            bot_user_id=await self.app.slack.bot_user_id(team),
            is_dm=event.get("channel_type") == "im",
            is_shared=bool(body.get("is_ext_shared_channel")),
        )

    async def _update_source(
        self, body: Mapping[str, Any], team: str, channel: str, message: Mapping[str, Any]
    ) -> None:
        """Update memories after a message changed of which no turn stores the texts."""
        user = author_key(message, team, shared=bool(body.get("is_ext_shared_channel")))
        ts = str(message.get("ts") or "")
        if user and ts and not message.get("bot_id"):
            root = str(message.get("thread_ts") or ts)
            await SourceUpdates(self.app).message_changed(Person(team, user), channel, ts, root)


def _ts_and_thread(team: str, channel: str, message: Mapping[str, Any]) -> tuple[str, str]:
    """Return the ts of a message and the key of its thread."""
    ts = str(message.get("ts"))
    return ts, thread_key(team, channel, str(message.get("thread_ts") or ts))
