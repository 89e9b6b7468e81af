"""Events other than messages: edits, deletions, Stop, changed conversations, App Home."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from bot.conversation.inbox import Inbox
from bot.delivery.sessions import Sessions
from bot.home.publisher import HomePublisher
from bot.home.suggested_prompts import SuggestedPrompts
from bot.pipeline.sources import SourceUpdates
from bot.pipeline.viewed_channels import ViewedChannels
from bot.slack.audiences import Audiences
from bot.slack.installations import Installations
from bot.slack.messages import Message, found_message, installation_team, thread_key
from bot.slack.text import plain, storable, typed
from bot.users.offboarding import Offboarding
from bot.users.profiles import Profiles
from memory import Person

# Converting a channel is told by a message in it, everything else by an event of its own.
_CONVERSATION_CHANGES = frozenset(
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
# Slack delivers the events of a moment in any order, and one that was not acked again.
_ON_ITS_WAY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ChangeEvents:
    """Applies events before they are acknowledged: none of it waits behind other work."""

    _: KW_ONLY
    inbox: Inbox
    audiences: Audiences
    profiles: Profiles
    suggested_prompts: SuggestedPrompts
    viewed_channels: ViewedChannels
    home_publisher: HomePublisher
    offboarding: Offboarding
    sessions: Sessions
    source_updates: SourceUpdates
    slack: Installations

    async def note(self, body: Mapping[str, Any]) -> None:
        """Take note of an ``event_callback`` that is no person's message."""
        event = body["event"]
        team, channel = installation_team(body), str(event.get("channel"))
        match event.get("type"), event.get("subtype"):
            case "agent_session_stopped", _:
                await self._stopped(team, channel, str(event.get("thread_ts")))
            case "agent_session_title_changed", _:
                await self.sessions.note_renamed(
                    thread_key(team, channel, str(event.get("thread_ts")))
                )
            case "user_change", _:
                user = event.get("user") or {}
                await self.profiles.changed(Person(team, str(user.get("id"))), user)
            case "app_uninstalled", _:
                await self.offboarding.uninstalled(team, _event_time(body))
            case "tokens_revoked", _:
                bots = (event.get("tokens") or {}).get("bot") or []
                await self.offboarding.tokens_revoked(team, _event_time(body), bots)
            case "app_context_changed", _ if user := _viewer(body):
                await self.viewed_channels.note(Person(team, user), event.get("context"))
            case "app_home_opened", _:
                person = Person(team, str(event.get("user")))
                if event.get("context"):
                    await self.viewed_channels.note(person, event["context"])
                await self.suggested_prompts.opened(person, event)
                if event.get("tab") == "home":
                    await self.home_publisher.opened(person, slack_hash=_shown(event))
            case "message", "message_changed":
                edited = event.get("message") or {}
                # Slack leaves a tombstone in the place of a deleted message that has replies.
                gone = edited.get("subtype") == "tombstone"
                text = None if gone else storable(str(edited.get("text")))
                await self._if_first_heard_of(body, text)
                await self._reword(team, channel, edited, text)
                if text is None or _says_other(event, text):
                    await self._update_source(
                        team, channel, event.get("previous_message") or edited
                    )
                await self._answer_anew(body, text)
            case "message", "message_deleted":
                deleted = event.get("previous_message") or {}
                deleted = {**deleted, "ts": event.get("deleted_ts")}
                await self._if_first_heard_of(body, None)
                await self._reword(team, channel, deleted, None)
                await self._update_source(team, channel, deleted)
            case kind, subtype if {kind, subtype} & _CONVERSATION_CHANGES:
                await self.audiences.invalidate(team, channel)
            case "channel_id_changed", _:
                for name in ("old_channel_id", "new_channel_id"):
                    await self.audiences.invalidate(team, str(event.get(name)))

    async def _stopped(self, team: str, channel: str, thread_ts: str) -> None:
        """Interrupt the turn of a thread; without one, nothing but this ends `processing`."""
        if not await self.inbox.interrupt(thread_key(team, channel, thread_ts)):
            await self.sessions.activate(team, channel, thread_ts, wait=False)

    async def _if_first_heard_of(self, body: Mapping[str, Any], text: str | None) -> None:
        """Store a message whose change, to `text` or to nothing, was delivered before itself."""
        message = await self._message(body, "previous_message")
        if message is None or time.time() - float(message.ts) > _ON_ITS_WAY_SECONDS:
            return
        if text is None:
            await self.inbox.store_withdrawn(message)
        elif message.addressed:
            # Any other may be older than the app's part in the thread.
            await self.inbox.store(replace(message, text=text))

    async def _answer_anew(self, body: Mapping[str, Any], text: str | None) -> None:
        """Let a message that was answered already be answered as it reads now, in the same place.

        Slack also says that a message has changed when it adds a preview to it.
        """
        if text is None or not _says_other(body["event"], text):
            return
        message = await self._message(body, "message")
        if message is not None:
            await self.inbox.reopen(replace(message, event_id=str(body.get("event_id"))))

    async def _message(self, body: Mapping[str, Any], field: str) -> Message | None:
        event, team = body["event"], installation_team(body)
        return found_message(
            event.get(field) or {},
            team_id=team,
            channel_id=str(event.get("channel")),
            bot_user_id=await self.slack.bot_user_id(team),
            is_dm=event.get("channel_type") == "im",
            is_shared=bool(body.get("is_ext_shared_channel")),
        )

    async def _update_source(self, team: str, channel: str, message: Mapping[str, Any]) -> None:
        """Update memories after a person's message changed, also one not sent to the app."""
        user, ts = str(message.get("user") or ""), str(message.get("ts") or "")
        if user and ts and not message.get("bot_id"):
            root = str(message.get("thread_ts") or ts)
            await self.source_updates.message_changed(Person(team, user), channel, ts, root)

    async def _reword(
        self, team: str, channel: str, message: Mapping[str, Any], text: str | None
    ) -> None:
        ts = str(message.get("ts"))
        thread = thread_key(team, channel, str(message.get("thread_ts") or ts))
        if text is None:
            await self.inbox.withdraw(team, channel, ts, thread)
            await self.source_updates.reword(team, channel, ts, thread, question="", words="")
            return
        await self.inbox.edit(team, channel, ts, thread, text)
        bot_user_id = await self.slack.bot_user_id(team)
        await self.source_updates.reword(
            team,
            channel,
            ts,
            thread,
            question=plain(text, bot_user_id),
            words=typed(text, bot_user_id),
        )


def _says_other(event: Mapping[str, Any], text: str) -> bool:
    """Say whether a changed message says something else: previews of links change it, too."""
    before = event.get("previous_message") or {}
    return "text" in before and storable(str(before["text"])) != text


def _shown(event: Mapping[str, Any]) -> str:
    """Return Slack's name for the Home it shows, ``""`` for none."""
    return str((event.get("view") or {}).get("hash") or "")


def _event_time(body: Mapping[str, Any]) -> float:
    """Return when an event happened, in seconds since 1970, by Slack's clock."""
    return float(body.get("event_time") or time.time())


def _viewer(body: Mapping[str, Any]) -> str:
    """Return whose context changed; where the event does not say, for whom it was delivered."""
    first = (body.get("authorizations") or [{}])[0]
    authorized = "" if first.get("is_bot") else first.get("user_id")
    return str(body["event"].get("user") or authorized or "")
