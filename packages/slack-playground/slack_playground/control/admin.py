"""The part of the control API for faults, raw events, delivery and settings."""

import asyncio
from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Any

from slack_playground.control.request import Act, BadRequestError, check_loopback
from slack_playground.faults import Fault
from slack_playground.files import DOWNLOAD
from slack_playground.records import Json, Thread, new_id
from slack_playground.slack import Slack
from slack_playground.typed_json import checked

_LOOK_SECONDS = 0.02
_NOT_GIVEN: Any = object()
_MODES = {"socket": ("socket",), "http": ("http",), "both": ("socket", "http")}


class Admin:
    """Handlers for faults, raw events, delivery and settings."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self.posts: dict[str, Act] = {
            "events": self.event,
            "faults": self.add_fault,
            "delivery": self.set_delivery,
            "settings": self.set_settings,
            "socket/disconnect": self.disconnect,
            "settle": self.settle,
            "sessions/settle": self.settle_sessions,
        }

    async def event(self, raw: Json, deliveries: int = 1, delay_ms: float = 0) -> Json:
        """Deliver a raw event body any number of times; a body without an envelope gets one."""
        body = raw if "event" in raw or "type" not in raw else self._slack.events.wrap(raw)
        if deliveries < 1:
            raise BadRequestError("deliveries must be at least 1.")
        sent = self._slack.deliveries.send_event(body, copies=deliveries, delay=delay_ms / 1000)
        return {"event_id": body.get("event_id"), "deliveries": [d.number for d in sent]}

    async def add_fault(
        self,
        method: str,
        error: str = "",
        status: int = 0,
        drop: str = "",
        delay_ms: float = 0,
        times: int | None = _NOT_GIVEN,
        retry_after: int = 0,
        chance: float | None = None,
    ) -> Json:
        """Configure a fault of Web API calls; no end if `times` is null, or only `chance` given."""
        if times is _NOT_GIVEN:
            times = 1 if chance is None else None
        if times is not None and times < 1:
            raise BadRequestError("times must be at least 1, or null for no end.")
        redirect = (method, status) == (DOWNLOAD, HTTPStatus.FOUND)
        if status and not (redirect or 400 <= status <= 599):
            raise BadRequestError("status must be an error: 400 to 599; of url_private also 302.")
        if sum(map(bool, (error, status, drop))) > 1:
            raise BadRequestError("A fault has one of error, status and drop.")
        if drop not in ("", "before", "after"):
            raise BadRequestError('drop is "before" or "after".')
        if not (error or status or drop or delay_ms):
            raise BadRequestError("A fault needs error, status, drop or delay_ms.")
        fault = Fault(
            method=method,
            error=error,
            status=status,
            drop=drop,
            delay_ms=delay_ms,
            times=times,
            retry_after=retry_after or None,
            chance=1 if chance is None else chance,
        )
        self._slack.faults.waiting.append(fault)
        return {"faults": len(self._slack.faults.waiting)}

    async def set_delivery(
        self,
        mode: str | None = None,
        url: str | None = None,
        urls: list[str] | None = None,
        verify: bool = False,
        deliveries: Any = None,
        jitter_ms: float | None = None,
        install_url: str | None = None,
    ) -> Json:
        """Choose Socket Mode, HTTP or both, and how many copies of each event arrive."""
        slack, sent = self._slack, self._slack.deliveries
        mode = mode or sent.mode
        if mode not in _MODES:
            raise BadRequestError('mode is "socket", "http" or "both".')
        if mode != "socket":
            one = list(slack.http.urls) if url is None else [url]
            slack.http.urls = await self._reachable(one if urls is None else urls, verify=verify)
        sent.modes = _MODES[mode]
        if deliveries is not None:
            sent.copies = _span(deliveries)
        if jitter_ms is not None:
            sent.jitter = jitter_ms / 1000
        if install_url is not None:
            check_loopback(install_url)
            slack.workspaces.install_url = install_url
        return {"mode": mode, "urls": list(slack.http.urls), "deliveries": list(sent.copies)}

    async def _reachable(self, urls: Sequence[str], *, verify: bool) -> Sequence[str]:
        """Return the request URLs for HTTP, each on this machine; with `verify` it must answer."""
        if not urls:
            raise BadRequestError("url is missing.")
        for url in urls:
            check_loopback(url)
            if verify and not await self._slack.http.challenge(url, new_id("V")):
                raise BadRequestError(f"{url} did not answer the url_verification challenge.")
        return urls

    async def set_settings(self, **given: Any) -> Json:
        """Change settings; what is not named stays."""
        settings, deliveries = self._slack.settings, self._slack.deliveries
        kinds = {name: type(value) for name, value in vars(settings).items()}
        known = {**kinds, "ack_seconds": float, "retry_delays": list[float]}
        if unknown := sorted(given.keys() - known):
            raise BadRequestError(f"There is no setting {unknown[0]!r}; there are {sorted(known)}.")
        values = {name: checked(name, value, known[name]) for name, value in given.items()}
        deliveries.patience = values.pop("ack_seconds", deliveries.patience)
        deliveries.retry_delays = tuple(values.pop("retry_delays", deliveries.retry_delays))
        for name, value in values.items():
            setattr(settings, name, value)
        return {**vars(settings)}

    async def settle(self, seconds: float = 10) -> Json:
        """Wait until every event was acked or given up."""
        return {"settled": await self._slack.deliveries.settle(seconds)}

    async def settle_sessions(self, seconds: float = 10, known: list[str] | None = None) -> Json:
        """Wait until the app has set the sessions of all threads it answered to `active`.

        Those of the threads `known` (each a ``thread_ts``) are neither waited for nor returned.
        """
        loop, passed_over = asyncio.get_running_loop(), {*(known or ())}
        end = loop.time() + seconds
        while (left := _left_processing(self._slack, passed_over)) and loop.time() < end:  # noqa: ASYNC110 - calls end it
            await asyncio.sleep(_LOOK_SECONDS)
        return {"left_processing": left}

    async def disconnect(self, reason: str = "refresh_requested") -> Json:
        """End every Socket Mode connection."""
        if reason not in ("warning", "refresh_requested", "drop"):
            raise BadRequestError('reason is "warning", "refresh_requested" or "drop".')
        return {"connections": await self._slack.socket_mode.disconnect(reason)}


def _span(value: Any) -> tuple[int, int]:
    """A whole number of at least 1, or [least, most] of such."""
    pair = value if isinstance(value, list) else [value, value]
    if len(pair) != 2 or not all(type(part) is int and part >= 1 for part in pair):
        raise BadRequestError("deliveries must be a number from 1, or [least, most].")
    if pair[0] > pair[1]:
        raise BadRequestError("deliveries must be [least, most].")
    return pair[0], pair[1]


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
