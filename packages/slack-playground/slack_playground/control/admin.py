"""The part of the control API for faults, raw events, delivery and settings."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from http import HTTPStatus
from typing import Literal

from slack_playground.control.input import BadRequestError, Input
from slack_playground.faults import Fault
from slack_playground.files import DOWNLOAD
from slack_playground.records import Json, Thread, new_id
from slack_playground.slack import Slack

_LOOK_SECONDS = 0.02
_MODES = {"socket": ("socket",), "http": ("http",), "both": ("socket", "http")}


class Admin:
    """Handlers for faults, raw events, delivery and settings."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self.posts: dict[str, Callable[[Input], Awaitable[Json]]] = {
            "events": self.event,
            "faults": self.add_fault,
            "delivery": self.set_delivery,
            "settings": self.set_settings,
            "socket/disconnect": self.disconnect,
            "settle": self.settle,
            "sessions/settle": self.settle_sessions,
        }

    async def event(self, given: Input) -> Json:
        """Deliver a raw event body any number of times; a body without an envelope gets one."""
        raw = given.content.get("raw")
        if not isinstance(raw, dict):
            raise BadRequestError("raw must be an event body.")
        body: Json = raw if "event" in raw or "type" not in raw else self._slack.events.wrap(raw)
        copies = given.integer("deliveries", default=1)
        if copies < 1:
            raise BadRequestError("deliveries must be at least 1.")
        sent = self._slack.deliveries.send_event(
            body, copies=copies, delay=given.number("delay_ms", default=0) / 1000
        )
        return {"event_id": body.get("event_id"), "deliveries": [d.number for d in sent]}

    async def add_fault(self, given: Input) -> Json:
        """Configure a fault of Web API calls."""
        endless = "times" in given.nulls or (
            "chance" in given.content and "times" not in given.content
        )
        fault = Fault(
            method=given.text("method"),
            error=given.text("error", default=""),
            status=given.integer("status", default=0),
            drop=_drop(given),
            delay_ms=given.number("delay_ms", default=0),
            times=None if endless else given.integer("times", default=1),
            retry_after=given.integer("retry_after", default=0) or None,
            chance=given.number("chance", default=1),
        )
        if fault.times is not None and fault.times < 1:
            raise BadRequestError("times must be at least 1, or null for no end.")
        redirect = (fault.method, fault.status) == (DOWNLOAD, HTTPStatus.FOUND)
        if fault.status and not (redirect or 400 <= fault.status <= 599):
            raise BadRequestError("status must be an error: 400 to 599; of url_private also 302.")
        if sum(map(bool, (fault.error, fault.status, fault.drop))) > 1:
            raise BadRequestError("A fault has one of error, status and drop.")
        if not (fault.error or fault.status or fault.drop or fault.delay_ms):
            raise BadRequestError("A fault needs error, status, drop or delay_ms.")
        self._slack.faults.add(fault)
        return {"faults": len(self._slack.faults.waiting)}

    async def set_delivery(self, given: Input) -> Json:
        """Choose Socket Mode, HTTP or both, and how many copies of each event arrive."""
        slack = self._slack
        deliveries = slack.deliveries
        mode = given.text("mode", default=deliveries.mode)
        if mode not in _MODES:
            raise BadRequestError('mode is "socket", "http" or "both".')
        if mode != "socket":
            slack.http.urls = await self._urls(given)
        deliveries.modes = _MODES[mode]
        if "deliveries" in given.content:
            deliveries.copies = given.span("deliveries")
        deliveries.jitter = given.number("jitter_ms", default=deliveries.jitter * 1000) / 1000
        if (install_url := given.optional("install_url")) is not None:
            given.check_loopback(install_url)
            slack.workspaces.install_url = install_url
        return {
            "mode": mode,
            "urls": list(slack.http.urls),
            "deliveries": list(deliveries.copies),
        }

    async def _urls(self, given: Input) -> Sequence[str]:
        """Return the request URLs for HTTP: one url, or several urls."""
        http = self._slack.http
        one = [given.text("url")] if "url" in given.content else list(http.urls)
        urls = given.strings("urls", default=one)
        if not urls:
            raise BadRequestError("url is missing.")
        for url in urls:
            given.check_loopback(url)
            if given.flag("verify") and not await http.challenge(url, new_id("V")):
                raise BadRequestError(f"{url} did not answer the url_verification challenge.")
        return urls

    async def set_settings(self, given: Input) -> Json:
        """Change settings; what is not named stays."""
        settings, deliveries = self._slack.settings, self._slack.deliveries
        known = {*vars(settings), "retry_delays", "ack_seconds"}
        if unknown := sorted(given.content.keys() - known):
            raise BadRequestError(f"There is no setting {unknown[0]!r}; there are {sorted(known)}.")
        read: dict[type, Callable[..., object]] = {
            bool: given.flag,
            int: given.integer,
            float: given.number,
        }
        for name, value in vars(settings).items():
            setattr(settings, name, read[type(value)](name, default=value))
        deliveries.patience = given.number("ack_seconds", default=deliveries.patience)
        if "retry_delays" in given.content:
            deliveries.retry_delays = given.numbers("retry_delays")
        return {**vars(settings)}

    async def settle(self, given: Input) -> Json:
        """Wait until every event was acked or given up."""
        settled = await self._slack.deliveries.settle(given.number("seconds", default=10))
        return {"settled": settled}

    async def settle_sessions(self, given: Input) -> Json:
        """Wait until the app has set the sessions of all threads it answered to `active`.

        Those of the threads `known` (each a ``thread_ts``) are neither waited for nor returned.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + given.number("seconds", default=10)
        known = {*given.strings("known", default=[])}
        while (left := _left_processing(self._slack, known)) and loop.time() < end:  # noqa: ASYNC110 - calls end it
            await asyncio.sleep(_LOOK_SECONDS)
        return {"left_processing": left}

    async def disconnect(self, given: Input) -> Json:
        """End every Socket Mode connection."""
        reason = given.text("reason", default="refresh_requested")
        if reason not in ("warning", "refresh_requested", "drop"):
            raise BadRequestError('reason is "warning", "refresh_requested" or "drop".')
        return {"connections": await self._slack.socket_mode.disconnect(reason)}


def _drop(given: Input) -> Literal["", "before", "after"]:
    match given.text("drop", default=""):
        case "" | "before" | "after" as drop:
            return drop
    raise BadRequestError('drop is "before" or "after".')


def _left_processing(slack: Slack, known: Collection[str]) -> list[Json]:
    """Return the threads whose session is `processing` though the app has ended its work there.

    Those of every workspace are looked at.

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
    return any(
        call.method == "agents.sessions.setStatus"
        and call.args.get("channel_id") == thread.channel
        and call.args.get("thread_ts") == thread.ts
        and call.args.get("status") == "active"
        and call.time >= thread.session_set
        for call in slack.calls.since(0)
    )
