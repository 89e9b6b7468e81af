"""Messages of a person to the bot, as the inbox takes them, and sentences of what it shows."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bot.acts.kinds import ButtonAct, clicked_act
from bot.app import App
from bot.conversation.audiences import kind_of_message, view_at
from bot.conversation.edits import MessageChange
from bot.locale import say
from bot.slack.messages import Message
from memory import DM, MemoryView

_numbers = itertools.count(1)
# Sixteen hours ago.
_FIRST_SECOND = int(time.time()) - 57_600


def message(text: str = "hello", **changes: Any) -> Message:
    """Return a DM, each with an event id, a person, a channel and a time of its own."""
    number = next(_numbers)
    ts = f"{_FIRST_SECOND + number}.000100"
    made = Message(
        team_id="T1",
        user_id=f"U{number}",
        user_team_id="T1",
        channel_id=f"D{number}",
        ts=ts,
        thread_ts=ts,
        text=text,
        audience=DM,
        addressed=True,
    )
    return replace(made, **changes)


async def seen_at(app: App, message: Message) -> MemoryView:
    """Return which memories a message may see, as Slack knows its conversation now."""
    kind = await kind_of_message(app, message)
    return view_at(
        kind, message.person, message.channel_id, message.ts, message.audience
    )


def following(first: Message, text: str = "more", **changes: Any) -> Message:
    """Return the same person's next message in the same thread."""
    later = message(
        text,
        user_id=first.user_id,
        channel_id=first.channel_id,
        audience=first.audience,
        thread_ts=first.thread_ts,
    )
    return replace(later, **changes)


LATER = "9999999999.000100"
"""The ts of an event after all others."""


def change() -> dict[str, str]:
    """Return the ts of an event that a message was edited by, later than any before."""
    number = next(_numbers)
    return {"changed_ts": f"99990{number:05}.000100"}


def change_of(message: Message, text: str | None, **more: Any) -> MessageChange:
    """Return that a message was edited, or deleted, after whatever was noted before."""
    given = {
        "team_id": message.team_id,
        "channel_id": message.channel_id,
        "ts": message.ts,
        "thread": message.thread,
        "author": message.user_id,
        "text": text,
        **change(),
        **more,
    }
    return MessageChange(**given)


def says(content: Any, key: str, **values: Any) -> bool:
    """Return whether a message or view has a sentence of the English catalogue."""
    return say("en", key, **values) in json.dumps(content, ensure_ascii=False)


def elements(payloads: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the elements of all blocks of a kind."""
    blocks = [block for one in payloads for block in one.get("blocks") or []]
    return [element for b in blocks if b["type"] == kind for element in b["elements"]]


_Act = TypeVar("_Act", bound=ButtonAct)


def pressable(payloads: Sequence[dict[str, Any]], kind: type[_Act]) -> list[_Act]:
    """Return the acts of a kind that the buttons of messages have."""
    blocks = [block for one in payloads for block in one.get("blocks") or []]
    beside = [block["accessory"] for block in blocks if "accessory" in block]
    acts = map(clicked_act, [*elements(payloads, "actions"), *beside])
    return [act for act in acts if isinstance(act, kind)]


def _shown(message: Message) -> dict[str, Any]:
    """Return `message` as Slack has it in an event of its own, or in that of its change."""
    shown: dict[str, Any] = {
        "type": "message",
        "user": message.user_id,
        "team": message.user_team_id,
        "text": message.text,
        "ts": message.ts,
    }
    if not message.opens_thread:
        shown["thread_ts"] = message.thread_ts
    return shown


def _place(message: Message) -> dict[str, str]:
    """Return where `message` is, as an event says it."""
    is_direct = message.channel_id.startswith("D")
    return {
        "channel": message.channel_id,
        "channel_type": "im" if is_direct else "channel",
    }


def event_of(message: Message, **more: Any) -> dict[str, Any]:
    """Return the event by which Slack delivers `message`, with `more` fields."""
    return {**_shown(message), **_place(message), **more}


def changed(message: Message, text: str | None) -> dict[str, Any]:
    """Return the event that `message` was edited to `text`, or deleted."""
    before = _shown(message)
    event: dict[str, Any] = {
        "type": "message",
        "subtype": "message_deleted" if text is None else "message_changed",
        "hidden": True,
        **_place(message),
        "previous_message": before,
        "ts": f"{time.time():.6f}",
    }
    if text is None:
        event["deleted_ts"] = message.ts
    else:
        event["message"] = {**before, "text": text}
    return {"event_id": f"EvC{message.ts}", "team_id": message.team_id, "event": event}
