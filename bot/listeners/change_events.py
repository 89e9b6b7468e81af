"""Events other than messages: edits, deletions, Stop, changed conversations, App Home."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.app import App
from bot.conversation.edits import MessageChange
from bot.memories.home import publish_later
from bot.pipeline.changes import follow_change
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


async def note_event(app: App, body: Mapping[str, Any]) -> None:
    """Take note of an ``event_callback`` that is no person's message."""
    event = body["event"]
    team, channel = installation_team(body), str(event.get("channel"))
    match event.get("type"), event.get("subtype"):
        case "message", "message_changed":
            edited, before = event.get("message") or {}, event.get("previous_message") or {}
            # Slack leaves a tombstone in the place of a deleted message that has replies.
            if edited.get("subtype") == "tombstone":
                await _message_changed(app, body, before or edited, None)
            # Slack also says so when it adds a preview to a link.
            elif before.get("text") != str(edited.get("text") or ""):
                await _message_changed(app, body, before, edited)
        case "message", "message_deleted":
            deleted = event.get("previous_message") or {}
            await _message_changed(app, body, {**deleted, "ts": event.get("deleted_ts")}, None)
        case "agent_session_stopped", _:
            await _stopped(app, event, team, channel)
        case "app_home_opened", _:
            if event.get("tab") == "home":
                person = Person(team, str(event.get("user")))
                await publish_later(app.pool, app.queue, person)
        case "user_change", _:
            user = event.get("user") or {}
            person = Person(team, user_key(user.get("id"), user.get("team_id"), team))
            await app.people.changed(person, user)
        case "app_uninstalled" | "tokens_revoked" as kind, _:
            uninstalled = kind == "app_uninstalled"
            if uninstalled or (event.get("tokens") or {}).get("bot"):
                # In seconds since 1970, by Slack's clock.
                at = float(body.get("event_time") or time.time())
                await app.workspaces.left(team, at, uninstalled=uninstalled)
        case "channel_id_changed", _:
            for name in ("old_channel_id", "new_channel_id"):
                await app.audiences.invalidate(team, str(event.get(name)))
        case kind, subtype if {kind, subtype} & CONVERSATION_CHANGES:
            await app.audiences.invalidate(team, channel)


async def _stopped(app: App, event: Mapping[str, Any], team: str, channel: str) -> None:
    """Interrupt the turn of a thread; without one, nothing but this ends `processing`."""
    thread_ts, stopped_ts = str(event.get("thread_ts")), str(event.get("event_ts") or "")
    thread = thread_key(team, channel, thread_ts)
    if not await app.inbox.interrupt(thread, stopped_ts=stopped_ts):
        app.sessions.activate(thread)


async def _message_changed(
    app: App, body: Mapping[str, Any], before: Mapping[str, Any], edited: Mapping[str, Any] | None
) -> None:
    """Follow an edit or, without `edited`, a deletion of a message that was as `before`."""
    team, event, inbox = installation_team(body), body["event"], app.inbox
    channel, event_id = str(event.get("channel")), str(body.get("event_id"))
    changed = before if edited is None else edited
    # From a message of an app nothing follows: the app's own change while they are streamed.
    if before.get("bot_id") or changed.get("bot_id"):
        return
    ts, text = str(changed.get("ts")), None if edited is None else str(edited.get("text") or "")
    unknown = await _message(app, body, before)
    if unknown is not None and time.time() - float(unknown.ts) <= _ON_ITS_WAY_SECONDS:
        if text is None:
            await inbox.store_withdrawn(unknown)
        else:
            await inbox.store(replace(unknown, text=text), edited=True)
    again = await _message(app, body, edited) if edited and "text" in before else None
    await follow_change(
        app,
        MessageChange(
            team_id=team,
            channel_id=channel,
            ts=ts,
            thread=thread_key(team, channel, str(changed.get("thread_ts") or ts)),
            author=author_key(before, team, shared=bool(body.get("is_ext_shared_channel"))),
            text=text,
            event_id=event_id,
            changed_ts=str(event.get("ts") or ""),
            again=again and replace(again, event_id=event_id),
        ),
    )


async def _message(app: App, body: Mapping[str, Any], found: Mapping[str, Any]) -> Message | None:
    team = installation_team(body)
    return found_message(
        found,
        team_id=team,
        channel_id=str(body["event"].get("channel")),
        bot_user_id=await app.slack.bot_user_id(team),
        is_shared=bool(body.get("is_ext_shared_channel")),
    )
