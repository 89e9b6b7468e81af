"""Control by a test or demo under ``/_model``: pace, faults, scripted answers, journal."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from aiohttp import web
from pydantic import Field, ValidationError, model_validator

from openai_double.answer import Answer, Item, Message, Output, StrictModel
from openai_double.errors import STATUS_OF_CODE, ApiError
from openai_double.journal import Journal, TrafficLog, What
from openai_double.request_types import Endpoint
from openai_double.types import Json

FOREVER: Final = -1
_CODE_OF_STATUS: Final = {429: "rate_limit_exceeded", 500: "server_error"}
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Settings(StrictModel):
    """Pace and behaviour of the model.

    Milliseconds: `first_token_ms` from the arrival of a request to its answer's first piece,
    `embedding_ms` to its embeddings, `token_ms` between two pieces of a stream. `chunk_chars` is
    the length of a piece.
    With `reasoning` each response begins with a reasoning item. `record_traffic` keeps every body
    for ``/_model/traffic``.
    """

    first_token_ms: float = Field(0, ge=0)
    token_ms: float = Field(0, ge=0)
    embedding_ms: float = Field(0, ge=0)
    chunk_chars: int = Field(12, gt=0)
    reasoning: bool = False
    record_traffic: bool = False


PACED_SETTINGS: Final = Settings(first_token_ms=500, token_ms=50, chunk_chars=4)
"""Settings with which a person can watch an answer begin, grow and be stopped."""


class Rule(StrictModel):
    """The requests that a fault or script applies to: the next `times` (-1: until deleted).

    The last message of each has the words `match`, in capitals or not.
    """

    endpoint: Endpoint = "responses"
    kind: str | None = None
    match: str = ""
    times: int = Field(1, ge=FOREVER)

    def fits(self, exchange: Exchange, text: str) -> bool:
        """Whether it is for this request, which has this last user text."""
        if self.endpoint != exchange.endpoint:
            return False
        if self.kind not in {None, exchange.kind}:
            return False
        return self.match.casefold() in text.casefold()


class Fault(Rule):
    """One way to fail.

    `chance` (0 to 1) picks fitting requests at random. With `event`, `error_code` is the code in
    that event; `nested` puts it into an ``error`` object, `reason` says why a response is
    incomplete. With `hold` the request waits until ``POST /_model/release``.
    """

    status: int | None = None
    error_code: str | None = None
    delay_ms: float = 0
    hold: bool = False
    drop: bool = False
    break_after_chars: int | None = None
    event: Literal["failed", "incomplete", "error"] | None = None
    nested: bool = False
    reason: Literal["max_output_tokens", "content_filter"] | None = None
    retry_after: float | None = None
    chance: float = Field(1, ge=0, le=1)

    @model_validator(mode="after")
    def _whole(self) -> Fault:
        given = self.model_fields_set
        ways = given - {*Rule.model_fields, "retry_after", "chance"}
        if not ways:
            raise ValueError(
                "a fault needs one of status, error_code, delay_ms, hold, drop, "
                "break_after_chars or event"
            )
        if "chance" in given and "times" not in given:
            self.times = FOREVER
        return self

    def fits(self, exchange: Exchange, text: str) -> bool:
        """Whether it is for this request, which has this last user text."""
        if not super().fits(exchange, text):
            return False
        return random.random() < self.chance  # noqa: S311

    @property
    def error(self) -> ApiError | None:
        """The HTTP error it stands for, if it is one."""
        code = self.error_code
        status = self.status
        if status is not None and code is None:
            code = _CODE_OF_STATUS.get(status)
        if status is None and code is not None and self.event is None:
            status = STATUS_OF_CODE.get(code, 400)
        if status is None:
            return None
        headers: dict[str, str] = {}
        if self.retry_after is not None:
            headers["retry-after"] = f"{self.retry_after:g}"
        elif status == 429:
            headers["retry-after"] = "1"
        message = f"The request was refused: {code or status}."
        return ApiError(status=status, message=message, code=code, headers=headers)

    @property
    def event_error(self) -> ApiError:
        """The error of an event; an HTTP error that replaces it when nothing is streamed."""
        code = self.error_code or "server_error"
        status = STATUS_OF_CODE.get(code, 400)
        message = f"The model failed to answer: {code}."
        return ApiError(status=status, message=message, code=code)

    @property
    def error_fields(self) -> Json:
        """The fields of an ``error`` event: flat, or those of an HTTP error's body."""
        error = self.event_error
        if self.nested:
            return error.body()
        return {"code": error.code, "message": error.message, "param": None}


class Script(Rule):
    """A scripted answer.

    `pattern` is a regular expression that the last user text must contain; the answer's text may
    refer to its groups.
    """

    output: Output
    pattern: re.Pattern[str] | None = None

    def fits(self, exchange: Exchange, text: str) -> bool:
        """Whether it is for this request, which has this last user text."""
        if self.pattern is not None and not self.pattern.search(text):
            return False
        return super().fits(exchange, text)

    def answer(self, text: str) -> Answer:
        """The answer to that text, with the groups of the pattern in its messages."""
        answer = self.output.answer
        if self.pattern is None:
            return answer
        found = self.pattern.search(text)
        if found is None:
            return answer
        items: list[Item] = []
        for item in answer.items:
            if isinstance(item, Message):
                text = found.expand(item.text)
                items.append(item.model_copy(update={"text": text}))
            else:
                items.append(item)
        return Answer(tuple(items))


_Rule = TypeVar("_Rule", Fault, Script)


@dataclass
class Exchange:
    """One request on its way through: what the journal will say about it, and its fault.

    The settings' pace counts from `began`: its arrival, or the end of a fault's delay.
    """

    endpoint: Endpoint
    began: float = field(default_factory=time.perf_counter)
    kind: str = "reply"
    body: Any = None
    answer: Json = field(default_factory=dict)
    fault: Fault | None = None


class Control:
    """The settings, faults, scripts and journal of one server."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds = kinds
        self.settings = Settings()
        self.faults: list[Fault] = []
        self.scripts: list[Script] = []
        self.journal = Journal()
        self.traffic = TrafficLog()
        self.held = 0
        self._released = asyncio.Event()

    async def hold(self) -> None:
        """Wait for the next ``POST /_model/release``."""
        self.held += 1
        try:
            await self._released.wait()
        finally:
            self.held -= 1

    def record(self, what: What, endpoint: Endpoint, body: str) -> None:
        """Record a body, which is JSON text, if recording is switched on."""
        if self.settings.record_traffic:
            self.traffic.add(what, endpoint, body)

    def add_routes(self, app: web.Application) -> None:
        """Add the routes under ``/_model``; a mistake gets 400 and one sentence."""
        router = app.router
        router.add_get("/_model/settings", _route(self._show_settings))
        router.add_post("/_model/settings", _route(self._change_settings))
        router.add_get("/_model/journal", _route(self._journal_since))
        router.add_delete("/_model/journal", _route(self._clear_journal))
        router.add_get("/_model/traffic", _route(self._traffic_since))
        router.add_post("/_model/faults", _route(self._add_fault))
        router.add_delete("/_model/faults", _route(self._clear_faults))
        router.add_post("/_model/script", _route(self._add_script))
        router.add_delete("/_model/script", _route(self._clear_scripts))
        router.add_post("/_model/release", _route(self._release))

    def _show_settings(self, _given: str) -> Json:
        return self.settings.model_dump()

    def _change_settings(self, given: str) -> None:
        changed = Settings.model_validate_json(given)
        update = changed.model_dump(exclude_unset=True)
        self.settings = self.settings.model_copy(update=update)

    def _journal_since(self, since: str) -> Json:
        entries = self.journal.since(_number(since))
        return {"entries": entries, "last": self.journal.last, "held": self.held}

    def _clear_journal(self, _given: str) -> None:
        self.journal.clear()

    def _traffic_since(self, since: str) -> Json:
        return self.traffic.after(_number(since))

    def _add_fault(self, given: str) -> None:
        fault = Fault.model_validate_json(given)
        self._check(fault)
        self.faults.append(fault)

    def _clear_faults(self, _given: str) -> None:
        self.faults.clear()

    def _add_script(self, given: str) -> None:
        script = Script.model_validate_json(given)
        self._check(script)
        self.scripts.append(script)

    def _clear_scripts(self, _given: str) -> None:
        self.scripts.clear()

    def _check(self, rule: Rule) -> None:
        """Raise `ValueError` for a rule that no request can match."""
        if rule.kind not in {None, *self._kinds}:
            raise ValueError(f"kind must be one of {', '.join(self._kinds)}.")
        if rule.times == 0:
            raise ValueError("times must be positive, or -1 for until deleted.")

    def _release(self, _given: str) -> None:
        self._released.set()
        self._released = asyncio.Event()
        self.faults[:] = [fault for fault in self.faults if not fault.hold]


def take(rules: list[_Rule], exchange: Exchange, text: str) -> _Rule | None:
    """Return the first rule for a request with this last user text, and count it as used."""
    for rule in rules:
        if not rule.fits(exchange, text):
            continue
        if rule.times != FOREVER:
            rule.times -= 1
        if rule.times == 0:
            rules.remove(rule)
        return rule
    return None


def _number(since: str) -> int:
    if not since.isdecimal():
        raise ValueError("since must be a number.")
    return int(since)


def _route(act: Callable[[str], Json | None]) -> Handler:
    """Return a handler that calls `act` with the body, or with the number in ``?since=``."""

    async def handle(request: web.Request) -> web.Response:
        if request.method == "GET":
            given = request.query.get("since", "0")
        else:
            given = await request.text()
        try:
            answer = act(given)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            return web.json_response({"error": f"{where}: {first['msg']}."}, status=400)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        if answer is None:
            answer = {"ok": True}
        return web.json_response(answer)

    return handle
