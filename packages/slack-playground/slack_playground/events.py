"""Events in the form in which the Events API sends them; only subscribed ones are sent."""

import time
import uuid
from typing import Any

from slack_playground.objects import slack_object
from slack_playground.records import (
    SCOPE_PREFIXES,
    Channel,
    Json,
    User,
    new_id,
    without_nulls,
)
from slack_playground.rich_text import as_read
from slack_playground.slack import Slack


def wrap(
    slack: Slack, event: Json, channel: Channel | None = None, team: str = ""
) -> Json:
    """The envelope of an event; `team` is the author's."""
    identity = slack.identity
    authorization = slack_object(
        "authorization", team_id=identity.team_id, user_id=identity.bot_user_id
    )
    return slack_object(
        "event",
        team_id=identity.team_id,
        context_team_id=team or identity.team_id,
        api_app_id=identity.app_id,
        event=event,
        event_id=new_id("Ev"),
        event_time=int(time.time()),
        authorizations=[authorization],
        is_ext_shared_channel=channel is not None and channel.shared,
        event_context=f"4-{uuid.uuid4().hex}",
    )


def emit(
    slack: Slack, kind: str, channel: Channel | None = None, **fields: Any
) -> None:
    """Send an event of type `kind` if the app subscribed to it and can see it.

    An app that is not installed gets no events. Fields that are None are left out; without an
    `event_ts` in `fields`, the event gets a new one.
    """
    subscription = kind
    if kind == "message" and channel is not None:
        subscription = f"message.{SCOPE_PREFIXES[channel.kind]}"
    if not slack.installation.installed or subscription not in slack.manifest.events:
        return
    if channel is not None and slack.identity.bot_user_id not in channel.members:
        return
    event = {"event_ts": slack.workspace.next_ts(), **fields, "type": kind}
    if channel is not None:
        event.setdefault("channel", channel.id)
    author_team = event.get("user_team", "")
    envelope = wrap(slack, without_nulls(event), channel, author_team)
    slack.deliveries.send_event(envelope)


def emit_message(
    slack: Slack, channel: Channel, body: Json, metadata: Json | None
) -> None:
    """Send a `message` event for a message object and its metadata."""
    event = {
        **as_read(body),
        "metadata": metadata,
        "event_ts": body["ts"],
        "channel_type": channel.channel_type,
    }
    emit(slack, "message", channel, **event)


def emit_app_mention(slack: Slack, channel: Channel, body: Json) -> None:
    """Send an `app_mention` event, which has no channel_type, and neither files nor attachments."""
    left_out = dict.fromkeys(("subtype", "files", "attachments"))
    event = {**body, **left_out, "event_ts": body["ts"]}
    emit(slack, "app_mention", channel, **event)


def emit_message_changed(
    slack: Slack, channel: Channel, before: Json, now: Json | None
) -> None:
    """Send a `message` event: message_changed, or, without `now`, message_deleted."""
    ts = slack.workspace.next_ts()
    what: Json = {"subtype": "message_deleted", "deleted_ts": before["ts"]}
    if now is not None:
        what = {"subtype": "message_changed", "message": as_read(now)}
    emit(
        slack,
        "message",
        channel,
        **what,
        previous_message=as_read(before),
        hidden=True,
        ts=ts,
        event_ts=ts,
        channel_type=channel.channel_type,
    )


def emit_member(slack: Slack, channel: Channel, user: User, event: str) -> None:
    """Send a `member_joined_channel` or `member_left_channel` event."""
    kind = "G" if channel.is_private else "C"
    emit(slack, event, channel, user=user.id, channel_type=kind, team=user.team)
