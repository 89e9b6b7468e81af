"""Configured faults: Web API calls that fail, hang or lose their connection."""

import random
from dataclasses import dataclass

from aiohttp import web


@dataclass(kw_only=True)
class Fault:
    """A fault for the next `times` calls of `method` ("*" for all).

    Exactly one of `error` (Slack's error name), `status` (HTTP) and `drop` (the connection,
    "before" or "after" the call is carried out) — or none, for a `delay_ms` alone. `chance` picks
    calls at random; `times` None never ends.
    """

    method: str
    error: str = ""
    status: int = 0
    drop: str = ""
    delay_ms: float = 0.0
    times: int | None = 1
    retry_after: int | None = None
    chance: float = 1.0

    def response(self) -> web.Response:
        """The HTTP answer of a fault with a `status`."""
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else None
        return web.Response(status=self.status, text="a fault on order", headers=headers)


class Faults:
    """The pending faults, in the order of configuration."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def take(self, method: str) -> Fault | None:
        """Return the fault for this call, if any, and count it as used."""
        for fault in self.waiting:
            if fault.method not in ("*", method):
                continue
            if fault.chance < 1.0 and random.random() >= fault.chance:  # noqa: S311
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
            return fault
        return None
