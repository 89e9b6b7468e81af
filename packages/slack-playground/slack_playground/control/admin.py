"""The part of the control API for faults, raw events, delivery and settings."""

import asyncio
import time
from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat

from slack_playground.events import wrap
from slack_playground.http_delivery import check_loopback
from slack_playground.records import Json, Thread
from slack_playground.settings import Fault, Settings
from slack_playground.slack import Slack
from slack_playground.workspace import Workspace

_LOOK_SECONDS = 0.02
Copies = Annotated[int, Field(ge=1)]


def events(slack: Slack, raw: Json) -> Json:
    """Deliver a raw event body; a body without an envelope gets one."""
    body = raw
    if "type" in raw and "event" not in raw:
        body = wrap(slack, raw)
    deliveries = slack.deliveries.send_event(body)
    return {"event_id": body.get("event_id"), "deliveries": deliveries}


def faults(slack: Slack, **fault: Any) -> Json:
    """Configure a fault of Web API calls."""
    if "chance" in fault:
        fault.setdefault("times", None)
    slack.faults.pending.append(Fault(**fault))
    return {"faults": len(slack.faults.pending)}


def clear_faults(slack: Slack) -> Json:
    """Forget the pending faults."""
    slack.faults.pending.clear()
    return {"faults": 0}


def delivery(
    slack: Slack,
    mode: Literal["socket", "http", "both"] | None = None,
    url: str | None = None,
    interactivity_url: str | None = None,
    deliveries: list[Copies] | None = None,
    jitter_ms: NonNegativeFloat | None = None,
) -> None:
    """Choose Socket Mode, HTTP or both, and how many copies of each event arrive.

    The request URLs are on this machine. An empty `interactivity_url` removes the earlier one.
    """
    sent = slack.deliveries
    if interactivity_url:
        check_loopback(interactivity_url)
    if interactivity_url is not None:
        slack.http.interactivity_url = interactivity_url
    new_mode = mode or sent.mode
    if new_mode != "socket":
        new_url = slack.http.url if url is None else url
        slack.http.url = check_loopback(new_url)
    sent.mode = new_mode
    if deliveries is not None:
        least, most = sorted(deliveries)
        sent.copies = (least, most)
    if jitter_ms is not None:
        sent.jitter = jitter_ms / 1000


def settings(slack: Slack, **given: Any) -> Json:
    """Change settings; those that are not named stay."""
    now = slack.settings.model_dump()
    changed = Settings(**{**now, **given})
    for name in given:
        setattr(slack.settings, name, getattr(changed, name))
    return slack.settings.model_dump()


async def settle(slack: Slack, seconds: float = 10) -> Json:
    """Wait until every event was acked or given up."""
    return {"settled": await slack.deliveries.settle(seconds)}


async def socket_disconnect(
    slack: Slack,
    reason: Literal["warning", "refresh_requested", "drop"] = "refresh_requested",
) -> Json:
    """End every Socket Mode connection."""
    return {"connections": await slack.socket_mode.disconnect(reason)}


async def sessions_settle(
    slack: Slack, seconds: float = 10, known: list[str] | None = None
) -> Json:
    """Wait until the app has set the sessions of all threads it answered to `active`.

    Sessions of the threads in `known` (``thread_ts``) are neither waited for nor returned.
    """
    passed_over = set(known or ())
    end = time.monotonic() + seconds
    left = _left_processing(slack, passed_over)
    while left and time.monotonic() < end:
        await asyncio.sleep(_LOOK_SECONDS)
        left = _left_processing(slack, passed_over)
    return {"left_processing": left}


def _left_processing(slack: Slack, known: Collection[str]) -> list[Json]:
    """Return the threads whose session is `processing` although the app has ended its work there.

    Threads in `known` are left out, and threads in which a call to set the session to `active` was
    refused.
    """
    left: list[Json] = []
    for thread in _threads_of_ended_work(slack.workspace):
        if thread.ts in known or _was_asked(slack, thread):
            continue
        left.append({"channel": thread.channel, "thread_ts": thread.ts})
    return left


def _threads_of_ended_work(workspace: Workspace) -> Iterator[Thread]:
    for channel in list(workspace.threads):
        for thread in workspace.threads_in(channel):
            if _has_ended_work(workspace, thread):
                yield thread


def _has_ended_work(workspace: Workspace, thread: Thread) -> bool:
    """Whether the app posted, updated or ended a message since the session is `processing`."""
    if thread.session != "processing" or thread.worked <= thread.session_set:
        return False
    replies = workspace.replies(thread.channel, thread.ts)
    return not any(message.stream == "live" for message in replies)


def _was_asked(slack: Slack, thread: Thread) -> bool:
    asked = {"channel_id": thread.channel, "thread_ts": thread.ts, "status": "active"}
    for call in slack.calls.since(0):
        if call.method != "agents.sessions.setStatus" or call.time < thread.session_set:
            continue
        if asked.items() <= call.args.items():
            return True
    return False
