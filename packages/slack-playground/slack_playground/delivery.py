"""Delivery of events, commands and interactions to the app, with Slack's retries, and its log."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from slack_playground.http_delivery import HttpDelivery
from slack_playground.journal import Entry, Journal
from slack_playground.records import Json, RequestKind
from slack_playground.settings import Settings
from slack_playground.socket_mode import SocketMode
from slack_playground.updates import Updates


@dataclass(kw_only=True)
class Delivery(Entry):
    """One event, command or interaction on its way to the app."""

    kind: RequestKind
    name: str
    body: Json
    time: float = field(default_factory=time.time)
    outcome: str = "pending"
    attempts: list[Json] = field(default_factory=list)

    @property
    def answer(self) -> Json:
        """The content of the last ack; {} if it had none."""
        return self.attempts[-1].get("answer") or {}


class Deliveries:
    """Sends everything to the app by the chosen transport and keeps the journal.

    An event arrives in a random number of copies between the two numbers in `copies`, each up to
    `jitter` seconds late. `mode` is "socket", "http", or "both", which chooses one at random for
    each request. Commands and interactions that have a separate URL are posted there.
    """

    def __init__(
        self,
        socket_mode: SocketMode,
        http: HttpDelivery,
        updates: Updates,
        settings: Settings,
    ) -> None:
        self._socket_mode = socket_mode
        self._http = http
        self._updates = updates
        self._settings = settings
        self.mode = "socket"
        self.copies: tuple[int, int] = (1, 1)
        self.jitter = 0.0
        self.journal: Journal[Delivery] = Journal()
        self.pending: dict[asyncio.Task[None], Json] = {}
        """The events that are being delivered, also those that `close` cancelled."""

    def send_event(self, body: Json) -> list[int]:
        """Deliver an event in the background, retried until acked; return its numbers."""
        number = random.randint(*self.copies)  # noqa: S311
        return [self._start(body, first_retry=copy) for copy in range(number)]

    def resume(self, pending: Sequence[Json]) -> None:
        """Continue the deliveries of the events that were pending when the playground stopped."""
        for body in pending:
            self._start(body, first_retry=1)

    def _start(self, body: Json, *, first_retry: int) -> int:
        event = body.get("event", body)
        name = str(event.get("type", ""))
        delivery = self._new("events_api", name, body)
        task = asyncio.create_task(self._deliver(delivery, first_retry))
        self.pending[task] = body
        task.add_done_callback(self._ended)
        return delivery.number

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            del self.pending[task]

    async def send_request(self, kind: RequestKind, name: str, body: Json) -> Delivery:
        """Deliver a command or an interaction once; Slack does not repeat these."""
        delivery = self._new(kind, name, body)
        attempt = await self._attempt(delivery)
        delivery.outcome = "acked" if attempt["ok"] else "failed"
        return delivery

    def _new(self, kind: RequestKind, name: str, body: Json) -> Delivery:
        return self.journal.add(Delivery(kind=kind, name=name, body=body))

    async def _deliver(self, delivery: Delivery, first_retry: int) -> None:
        if self.jitter:
            await asyncio.sleep(random.uniform(0, self.jitter))  # noqa: S311
        reason = "http_timeout" if first_retry else ""
        # Read once, because the setting may change while a retry waits.
        delays = (0.0, *self._settings.retry_delays)
        for number, delay in enumerate(delays, first_retry):
            if number > first_retry:
                await asyncio.sleep(delay)
            attempt = await self._attempt(delivery, number, reason)
            if attempt["ok"]:
                delivery.outcome = "acked"
                return
            reason = attempt["reason"]
        delivery.outcome = "failed"

    async def _attempt(
        self, delivery: Delivery, number: int = 0, reason: str = ""
    ) -> Json:
        started = time.time()
        retry = {"retry_num": number, "retry_reason": reason}
        mode = self._mode_of(delivery)
        attempt: Json = {"time": started, "mode": mode, **retry}
        delivery.attempts.append(attempt)
        transport = self._http if mode == "http" else self._socket_mode
        patience = self._settings.ack_seconds
        outcome = await transport.send(
            delivery.kind, delivery.body, retry, patience=patience
        )
        seconds = time.time() - started
        attempt |= {
            "ok": False,
            "ms": round(seconds * 1000, 1),
            "status": None,
            "reason": "",
            "answer": None,
            **outcome,
        }
        self._updates.publish("deliveries")
        return attempt

    def _mode_of(self, delivery: Delivery) -> str:
        if delivery.kind != "events_api" and self._http.interactivity_url:
            return "http"
        if self.mode == "both":
            return random.choice(("socket", "http"))  # noqa: S311
        return self.mode

    async def settle(self, seconds: float) -> bool:
        """Wait until no delivery is pending; return False if that takes longer than `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.pending:
                    await asyncio.wait(self.pending)
        return not self.pending

    async def close(self) -> None:
        """Cancel the pending deliveries."""
        for task in self.pending:
            task.cancel()
        await asyncio.gather(*self.pending, return_exceptions=True)
