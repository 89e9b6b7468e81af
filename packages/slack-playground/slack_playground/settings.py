"""Settings and faults, which a test sets by the control API."""

import random
from http import HTTPStatus
from typing import Annotated, Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, model_validator

DOWNLOAD = "url_private"
"""The method name for faults of downloads."""
_STRICT = ConfigDict(extra="forbid", strict=True)


class Settings(BaseModel):
    """Limits that a test may change, in seconds, and the organisation.

    An event without an ack for `ack_seconds` is sent again after each of the `retry_delays`.
    `enterprise_id` is the id of the Enterprise organisation of the workspace, "" if it has none.
    """

    model_config = _STRICT
    rate_limits: bool = False
    stream_seconds: NonNegativeFloat = 300.0
    ack_seconds: NonNegativeFloat = 3.0
    retry_delays: list[NonNegativeFloat]
    enterprise_id: str = ""


class Fault(BaseModel):
    """A fault for the next `times` calls of `method` ("*" for all methods; None: no limit).

    At most one of `error` (Slack's error name), `status` (HTTP) and `drop` (the connection, before
    or after the call is carried out) is given, and none for a mere `delay_ms`. `chance` picks calls
    at random, without a limit unless `times` is given. `status` 302 redirects a download.
    """

    model_config = _STRICT
    method: str
    error: str = ""
    status: int = 0
    drop: Literal["", "before", "after"] = ""
    delay_ms: NonNegativeFloat = 0.0
    times: Annotated[int, Field(ge=1)] | None = 1
    retry_after: int | None = None
    chance: float = 1.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        redirects = self.method == DOWNLOAD and self.status == HTTPStatus.FOUND
        if self.status and not redirects and not 400 <= self.status <= 599:
            raise ValueError(
                "status must be an error: 400 to 599; of url_private also 302"
            )
        given = [one for one in (self.error, self.status, self.drop) if one]
        if len(given) > 1:
            raise ValueError("a fault has one of error, status and drop")
        if not given and not self.delay_ms:
            raise ValueError("a fault needs error, status, drop or delay_ms")
        return self

    def response(self) -> web.Response:
        """The HTTP answer of a fault with a `status`."""
        headers: dict[str, str] = {}
        if self.retry_after:
            headers["Retry-After"] = str(self.retry_after)
        return web.Response(
            status=self.status, text="an injected fault", headers=headers
        )


class Faults:
    """The pending faults, in the order of configuration."""

    def __init__(self) -> None:
        self.pending: list[Fault] = []

    def take(self, method: str) -> Fault | None:
        """Return the fault for this call, if any, and count it as used."""
        for fault in self.pending:
            if fault.method not in ("*", method):
                continue
            if random.random() >= fault.chance:  # noqa: S311
                continue
            if fault.times == 1:
                self.pending.remove(fault)
            elif fault.times is not None:
                fault.times -= 1
            return fault
        return None
