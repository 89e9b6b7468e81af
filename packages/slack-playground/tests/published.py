"""What a playground sent, compared with the published shapes of answers, events and payloads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from slack_playground.slack import Slack

from .driver import Json
from .shapes import Shape, departures, merged, shape_of

DATA = Path(__file__).with_name("data")
_SAMPLES = "https://github.com/slackapi/java-slack-sdk/tree/main/json-logs/samples"
_DOCS = "https://docs.slack.dev"

# What the playground sends beyond the published shapes, as patterns, and where it is described.
ADDITIONS = {
    "event * context_team_id: unknown": f"{_DOCS}/apis/events-api",
    "event * context_enterprise_id: unknown": f"{_DOCS}/apis/events-api",
    "event agent_session_stopped: no published shape": (
        f"{_DOCS}/reference/events/agent_session_stopped"
    ),
    "event message/channel_convert_to_*: no published shape": (
        f"{_DOCS}/reference/events/message/channel_convert_to_private"
    ),
    "event user_change event.event_ts: unknown": f"{_DOCS}/reference/events/user_change",
    "event message/file_share event.client_msg_id: unknown": (
        f"{_SAMPLES}/events/MessagePayload.json"
    ),
    "event message/file_share event.team: unknown": f"{_SAMPLES}/events/MessagePayload.json",
    "event message/file_share event.bot_*: unknown": f"{_SAMPLES}/events/MessagePayload.json",
    "event app_home_opened event.view.blocks: unknown": (
        f"{_DOCS}/reference/events/app_home_opened"
    ),
    "event message* *app_id: unknown": f"{_SAMPLES}/api/chat.postMessage.json",
    "event message* *message.reply_users: unknown": f"{_SAMPLES}/api/conversations.replies.json",
    "event message* *metadata.event_payload: unknown": f"{_DOCS}/messaging/message-metadata",
    "event message* event.user_team: unknown": f"{_DOCS}/apis/slack-connect",
    "event message* event.source_team: unknown": f"{_DOCS}/apis/slack-connect",
    "conversations.replies messages[[][]].client_msg_id: unknown": (
        f"{_SAMPLES}/events/MessagePayload.json"
    ),
    "chat.stopStream message.*: unknown": f"{_SAMPLES}/api/chat.postMessage.json",
    "chat.update message.*: unknown": f"{_SAMPLES}/api/chat.postMessage.json",
    "conversations.* channel.*: unknown": f"{_DOCS}/reference/objects/conversation-object",
    "users.conversations channels[[][]].*: unknown": (
        f"{_DOCS}/reference/objects/conversation-object"
    ),
    "payload * view.blocks: unknown": (
        f"{_DOCS}/reference/interaction-payloads/view-interactions-payload"
    ),
    "payload view_submission response_urls: unknown": (
        f"{_DOCS}/reference/interaction-payloads/view-interactions-payload"
    ),
    "payload message_action *: unknown": (
        f"{_DOCS}/reference/interaction-payloads/shortcuts-interaction-payload"
    ),
    "blocks.validate: no published shape": f"{_DOCS}/reference/methods/blocks.validate",
    "response_url: no published shape": f"{_DOCS}/interactivity/handling-user-interaction",
    "payload command is_enterprise_install: string, not boolean": (
        f"{_DOCS}/interactivity/implementing-slash-commands"
    ),
    "* *attachments[[][]].*": "made up by a test",
}


def read(name: str) -> Json:
    """Return one file of published shapes."""
    content: Json = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return content


@cache
def answers() -> dict[str, Shape]:
    """The shape of the answers of each method."""
    sources = [read(name)["answers"] for name in ("responses", "examples")]
    names = {name for source in sources for name in source}
    return {name: merged(one[name] for one in sources if name in one) for name in names}


@cache
def events() -> dict[str, Shape]:
    """The shape of each event by `event_name`."""
    found: dict[str, list[Shape]] = {}
    for body in read("events")["events"].values():
        found.setdefault(event_name(body["event"]), []).append(shape_of(body))
    return {name: merged(shapes) for name, shapes in found.items()}


@cache
def payloads() -> dict[str, Shape]:
    """The shape of each interactive payload by its type, and of a command."""
    found: dict[str, Shape] = read("interactive")["payloads"]
    return found


def event_name(event: Json) -> str:
    """The type of an event, with the subtype of a message."""
    subtype = event.get("subtype") if event["type"] == "message" else None
    return f"{event['type']}/{subtype}" if subtype else str(event["type"])


def sent(slack: Slack) -> Iterator[tuple[str, Json, Shape | None]]:
    """Everything a playground sent: its name, itself, and its published shape if there is one."""
    for call in slack.calls.since(0):
        if call.result is not None and call.result["ok"]:
            yield call.method, call.result, answers().get(call.method)
    for delivery in slack.deliveries.journal.since(0):
        if delivery.kind == "events_api":
            name = event_name(delivery.body["event"])
            yield f"event {name}", delivery.body, events().get(name)
        else:
            name = str(delivery.body.get("type", "command"))
            yield f"payload {name}", delivery.body, payloads().get(name)


def departures_of(slack: Slack) -> set[str]:
    """Parts of what a playground sent that no published shape has, as "NAME PATH: WHAT"."""
    found = set[str]()
    for name, content, shape in sent(slack):
        if shape is None:
            found.add(f"{name}: no published shape")
        else:
            found.update(f"{name} {one}" for one in departures(content, shape))
    return found


def unpublished(slack: Slack) -> list[str]:
    """What a playground sent that neither a published shape nor `ADDITIONS` has."""
    return sorted(
        one
        for one in departures_of(slack)
        if not any(fnmatchcase(one, pattern) for pattern in ADDITIONS)
    )
