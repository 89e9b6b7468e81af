"""The part of the control API for faults, raw events, delivery and settings."""

import asyncio
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat

from slack_playground.http_delivery import check_loopback
from slack_playground.records import Json, Thread
from slack_playground.settings import Fault, Settings
from slack_playground.slack import Slack

_LOOK_SECONDS = 0.02
_MODES = {"socket": ("socket",), "http": ("http",), "both": ("socket", "http")}
Copies = Annotated[int, Field(ge=1)]


async def event(
    slack: Slack, raw: Json, deliveries: Copies = 1, delay_ms: NonNegativeFloat = 0
) -> Json:
    """Deliver a raw event body any number of times; a body without an envelope gets one."""
    body = raw if "event" in raw or "type" not in raw else slack.events.wrap(raw)
    sent = slack.deliveries.send_event(body, copies=deliveries, delay=delay_ms / 1000)
    return {"event_id": body.get("event_id"), "deliveries": [d.number for d in sent]}


async def add_fault(slack: Slack, **fault: Any) -> Json:
    """Configure a fault of Web API calls."""
    slack.faults.waiting.append(Fault(**fault))
    return {"faults": len(slack.faults.waiting)}


async def clear_faults(slack: Slack) -> Json:
    """Forget the pending faults."""
    slack.faults.waiting.clear()
    return {"faults": 0}


async def set_delivery(
    slack: Slack,
    mode: Literal["socket", "http", "both"] | None = None,
    url: str | None = None,
    urls: list[str] | None = None,
    deliveries: Copies | list[Copies] | None = None,
    jitter_ms: NonNegativeFloat | None = None,
    install_url: str | None = None,
) -> Json:
    """Choose Socket Mode, HTTP or both, and how many copies of each event arrive.

    Each request URL is on this machine.
    """
    sent = slack.deliveries
    chosen = mode or sent.mode
    if chosen != "socket":
        one = list(slack.http.urls) if url is None else [url]
        urls = one if urls is None else urls
        if not urls:
            raise ValueError("url is missing.")
        for each in urls:
            check_loopback(each)
        slack.http.urls = urls
    sent.modes = _MODES[chosen]
    if deliveries is not None:
        least, most = deliveries if isinstance(deliveries, list) else (deliveries, deliveries)
        if least > most:
            raise ValueError("deliveries must be [least, most].")
        sent.copies = least, most
    if jitter_ms is not None:
        sent.jitter = jitter_ms / 1000
    if install_url is not None:
        check_loopback(install_url)
        slack.workspaces.links["install_url"] = install_url
    return {"mode": chosen, "urls": list(slack.http.urls), "deliveries": list(sent.copies)}


async def set_settings(slack: Slack, **given: Any) -> Json:
    """Change settings; what is not named stays."""
    changed = Settings(**{**slack.settings.model_dump(), **given})
    for name in given:
        setattr(slack.settings, name, getattr(changed, name))
    return slack.settings.model_dump()


async def settle(slack: Slack, seconds: float = 10) -> Json:
    """Wait until every event was acked or given up."""
    return {"settled": await slack.deliveries.settle(seconds)}


async def settle_sessions(
    slack: Slack, seconds: float = 10, known: list[str] | None = None
) -> Json:
    """Wait until the app has set the sessions of all threads it answered to `active`.

    Those of the threads `known` (each a ``thread_ts``) are neither waited for nor returned.
    """
    loop, passed_over = asyncio.get_running_loop(), {*(known or ())}
    end = loop.time() + seconds
    while (left := _left_processing(slack, passed_over)) and loop.time() < end:  # noqa: ASYNC110 - calls end it
        await asyncio.sleep(_LOOK_SECONDS)
    return {"left_processing": left}


async def disconnect(
    slack: Slack, reason: Literal["warning", "refresh_requested", "drop"] = "refresh_requested"
) -> Json:
    """End every Socket Mode connection."""
    return {"connections": await slack.socket_mode.disconnect(reason)}


def _left_processing(slack: Slack, known: Collection[str]) -> list[Json]:
    """Return the threads whose session is `processing` though the app has ended its work there.

    The app has where it posted or updated a message, or ended a stream, after the session was set,
    and no stream is live. Left out are the threads `known`, and those where a call that sets the
    session to `active` was refused.
    """
    return [
        {"channel": thread.channel, "thread_ts": thread.ts}
        for workspace in (one.workspace for one in slack.workspaces.all)
        for channel, ts in list(workspace.threads)
        if ts not in known
        and (thread := workspace.thread(channel, ts)).session == "processing"
        and thread.worked > thread.session_set
        and not any(one.stream == "live" for one in workspace.replies(channel, ts))
        and not _was_asked(slack, thread)
    ]


def _was_asked(slack: Slack, thread: Thread) -> bool:
    asked = {"channel_id": thread.channel, "thread_ts": thread.ts, "status": "active"}
    return any(
        call.method == "agents.sessions.setStatus"
        and asked == {key: call.args.get(key) for key in asked}
        and call.time >= thread.session_set
        for call in slack.calls.since(0)
    )


POSTS = {
    "events": event,
    "faults": add_fault,
    "delivery": set_delivery,
    "settings": set_settings,
    "socket/disconnect": disconnect,
    "settle": settle,
    "sessions/settle": settle_sessions,
}
