"""Events in the shape the Events API sends them; only subscribed ones leave."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from slack_playground.delivery import Deliveries
from slack_playground.installation import Installation
from slack_playground.manifest import Manifest
from slack_playground.records import SCOPE_PREFIXES, Channel, Identity, Json, User, new_id
from slack_playground.rich_text import as_read
from slack_playground.workspace import Workspace

VERIFICATION_TOKEN = "playground-verification-token"  # noqa: S105


@dataclass(kw_only=True)
class Events:
    """Wraps events in their envelope and passes them to delivery if the app has subscribed."""

    workspace: Workspace
    manifest: Manifest
    installation: Installation
    deliveries: Deliveries
    authorized: dict[str, Identity] = field(default_factory=dict)
    viewed: dict[str, list[Json]] = field(default_factory=dict)

    def wrap(self, event: Json, channel: Channel | None = None, team: str | None = None) -> Json:
        """The outer body of an event.

        Where several workspaces that share a channel have the app, Slack sends one event with the
        authorization of any of them: `authorized` says whose, by channel.
        """
        identity = self.workspace.identity
        named = self.authorized.get(channel.id, identity) if channel else identity
        shared = channel is not None and channel.shared
        return {
            "token": VERIFICATION_TOKEN,
            "team_id": identity.team_id,
            "context_team_id": team or identity.team_id,
            "context_enterprise_id": None,
            "api_app_id": identity.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": new_id("Ev"),
            "event_time": int(time.time()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": named.team_id,
                    "user_id": named.bot_user_id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": shared,
            "event_context": f"4-{uuid.uuid4().hex}",
        }

    def emit(self, event: Json, channel: Channel | None = None, team: str | None = None) -> bool:
        """Send an event; False when the app did not subscribe to it or cannot see it.

        An app that is not installed gets none.
        """
        subscription = str(event["type"])
        if subscription == "message" and channel is not None:
            subscription = f"message.{SCOPE_PREFIXES[channel.kind]}"
        if not self.installation.installed or subscription not in self.manifest.events:
            return False
        if channel is not None and self.workspace.identity.bot_user_id not in channel.members:
            return False
        self.deliveries.send_event(self.wrap(event, channel, team))
        return True

    def message(self, channel: Channel, body: Json, **extra: Any) -> None:
        """A `message` event for a message object, its metadata included."""
        if channel.kind == "im" and (viewed := self.viewed.get(body.get("user", ""))):
            extra["app_context"] = {"entities": viewed}
        event = {
            **as_read(body),
            **extra,
            "channel": channel.id,
            "event_ts": body["ts"],
            "channel_type": channel.channel_type,
        }
        self.emit(event, channel, body.get("user_team"))

    def app_mention(self, channel: Channel, body: Json) -> None:
        """An `app_mention` event; it carries no channel_type."""
        event = {**body, "type": "app_mention", "channel": channel.id, "event_ts": body["ts"]}
        event.pop("subtype", None)
        self.emit(event, channel, body.get("user_team"))

    def message_changed(self, channel: Channel, now: Json, before: Json) -> None:
        """A `message` event with subtype message_changed."""
        self._hidden(channel, "message_changed", before, message=as_read(now))

    def message_deleted(self, channel: Channel, before: Json) -> None:
        """A `message` event with subtype message_deleted."""
        self._hidden(channel, "message_deleted", before, deleted_ts=before["ts"])

    def _hidden(self, channel: Channel, subtype: str, before: Json, **extra: Any) -> None:
        ts = self.workspace.next_ts()
        event = {
            "type": "message",
            "subtype": subtype,
            **extra,
            "previous_message": as_read(before),
            "channel": channel.id,
            "hidden": True,
            "ts": ts,
            "event_ts": ts,
            "channel_type": channel.channel_type,
        }
        self.emit(event, channel)

    def member(self, channel: Channel, user: User, event: str) -> None:
        """A `member_joined_channel` or `member_left_channel` event."""
        self.notice(
            channel,
            event,
            user=user.id,
            channel_type="G" if channel.is_private else "C",
            team=user.team,
        )

    def notice(self, channel: Channel, event: str, **extra: str) -> None:
        """An event of this type about a conversation."""
        ts = self.workspace.next_ts()
        self.emit({"type": event, "channel": channel.id, "event_ts": ts, **extra}, channel)
