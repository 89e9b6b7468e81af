"""Control of the stand-in by a test or demo: latency, faults, scripted answers, journal."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeVar, get_args

from openai_double.answer import Answer
from openai_double.errors import RESPONSE_ERROR_CODES, STATUS_OF_CODE, ApiError, error_type
from openai_double.journal import Journal
from openai_double.request_types import Endpoint
from openai_double.scripts import ControlError, answer_in, expanded, known_fields
from openai_double.traffic import Traffic, What

FOREVER: Final = -1
WATCHABLE: Final = {"first_token_ms": 500, "token_ms": 50, "chunk_chars": 4}
"""Settings under which a person can watch an answer begin, grow and be stopped."""
_SCRIPT_FIELDS: Final = {"endpoint", "kind", "match", "pattern", "output", "times"}


@dataclass(kw_only=True)
class Settings:
    """Latency and stream settings of the model.

    Milliseconds: `first_token_ms` before an answer begins, `token_ms` between two
    pieces of a stream, `embedding_ms` before embeddings. `chunk_chars` is the length of a piece.
    With `reasoning` each response begins with a reasoning item. `record_traffic` keeps every body
    for ``/_model/traffic``.
    """

    first_token_ms: float = 0
    token_ms: float = 0
    embedding_ms: float = 0
    chunk_chars: int = 12
    reasoning: bool = False
    record_traffic: bool = False

    def update(self, changes: Any) -> None:
        """Take over `changes`, or raise `ControlError` and change nothing."""
        known = known_fields(changes, {one.name for one in fields(self)}, "setting")
        for name, value in known.items():
            if name in {"reasoning", "record_traffic"}:
                good = isinstance(value, bool)
            elif name == "chunk_chars":
                good = type(value) is int and value > 0
            else:
                good = type(value) in {int, float} and value >= 0
            if not good:
                raise ControlError(f"Setting {name!r} cannot be {value!r}.")
        for name, value in known.items():
            setattr(self, name, value)


Event = Literal["failed", "incomplete", "error"]
Reason = Literal["max_output_tokens", "content_filter"]
_CHOICES: Final = {"endpoint": Endpoint, "event": Event, "reason": Reason}


@dataclass(kw_only=True)
class Fault:
    """One way to fail, for the next `times` requests (-1: until it is deleted).

    `chance` (0 to 1) picks fitting requests at random. With `event`, `error_code` is the code in
    that event; `nested` puts it into an ``error`` object, `reason` says why a response is
    incomplete. With `hold` the request waits until ``POST /_model/release``.
    """

    endpoint: Endpoint
    kind: str | None = None
    match: str = ""
    status: int | None = None
    error_code: str | None = None
    delay_ms: float = 0
    hold: bool = False
    drop: bool = False
    break_after_chars: int | None = None
    event: Event | None = None
    nested: bool = False
    reason: Reason | None = None
    malformed: bool = False
    retry_after: float | None = None
    times: int = 1
    chance: float = 1.0

    @property
    def error(self) -> ApiError | None:
        """The HTTP error it stands for, if it is one."""
        if self.status is None and (self.error_code is None or self.event is not None):
            return None
        code = self.error_code or (
            {429: "rate_limit_exceeded", 500: "server_error"}.get(self.status or 0)
        )
        status = self.status or STATUS_OF_CODE.get(code or "", 400)
        headers = {}
        if status == 429 or self.retry_after is not None:
            headers["retry-after"] = f"{1 if self.retry_after is None else self.retry_after:g}"
        message = {
            429: "Rate limit reached for requests. Please try again later.",
            503: "That model is currently overloaded with other requests.",
        }.get(status, "The server had an error while processing your request. Sorry about that!")
        if status < 500 and status != 429:
            message = f"The request was refused: {code or status}."
        return ApiError(status=status, message=message, code=code, headers=headers)

    @property
    def response_error(self) -> dict[str, Any]:
        """The ``error`` of a response that failed."""
        code = self.error_code or "server_error"
        return {"code": code, "message": f"The model failed to generate a response: {code}."}

    @property
    def error_fields(self) -> dict[str, Any]:
        """The fields of an ``error`` event: flat, or those of an HTTP error's body."""
        code = self.error_code or "server_error"
        fields = {"code": code, "message": f"The request failed: {code}.", "param": None}
        return {"error": {**fields, "type": error_type(code)}} if self.nested else fields


@dataclass(kw_only=True)
class Script:
    """A scripted answer to the next `times` matching requests (-1: until it is deleted).

    `pattern` is a regular expression that the last user text must contain; the answer's text may
    refer to its groups.
    """

    endpoint: Endpoint
    answer: Answer
    kind: str | None = None
    match: str = ""
    pattern: re.Pattern[str] | None = None
    times: int = 1


class Control:
    """The settings, faults, scripts and journal of one server."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds = kinds
        self.settings = Settings()
        self.faults: list[Fault] = []
        self.scripts: list[Script] = []
        self.journal = Journal()
        self.traffic = Traffic()
        self.held = 0
        self._released = asyncio.Event()

    async def hold(self) -> None:
        """Wait for `release`."""
        self.held += 1
        try:
            await self._released.wait()
        finally:
            self.held -= 1

    def release(self) -> None:
        """Let the requests go on that wait, and remove the faults that hold."""
        self._released.set()
        self._released = asyncio.Event()
        self.faults = [fault for fault in self.faults if not fault.hold]

    def record(self, what: What, endpoint: Endpoint, body: str) -> None:
        """Record a body, which is JSON text, if that is switched on."""
        if self.settings.record_traffic:
            self.traffic.add(what, endpoint, body)

    def add_fault(self, given: Any) -> None:
        """Add a fault from its JSON form."""
        known = known_fields(given, {one.name for one in fields(Fault)}, "fault field")
        _check_where(known, self._kinds)
        for name in ("status", "break_after_chars"):
            if type(known.get(name)) not in {int, type(None)}:
                raise ControlError(f"Fault field {name!r} must be an integer.")
        code = known.get("error_code")
        if known.get("event") == "failed" and code not in {None, *RESPONSE_ERROR_CODES}:
            raise ControlError(
                f"A failed response cannot have the code {code!r}: use event 'error', or one of"
                f" {', '.join(RESPONSE_ERROR_CODES)}."
            )
        for name, event in (("nested", "error"), ("reason", "incomplete")):
            if known.get(name) and known.get("event") != event:
                raise ControlError(f"Fault field {name!r} needs event {event!r}.")
        chance = known.get("chance", 1)
        if type(chance) not in {int, float} or not 0 <= chance <= 1:
            raise ControlError("Fault field 'chance' must be a number from 0 to 1.")
        if "chance" in known:
            known.setdefault("times", FOREVER)
        if set(known) <= {"endpoint", "kind", "match", "times", "retry_after", "chance"}:
            raise ControlError(
                "A fault needs one of status, error_code, delay_ms, hold, drop, "
                "break_after_chars, event or malformed."
            )
        self.faults.append(Fault(**known))

    def add_script(self, given: Any) -> None:
        """Add a scripted answer from its JSON form."""
        known = known_fields(given, _SCRIPT_FIELDS, "script field")
        _check_where(known, self._kinds)
        pattern = known.pop("pattern", None)
        answer = answer_in(known.pop("output", None))
        self.scripts.append(Script(answer=answer, pattern=_compiled(pattern, answer), **known))

    def take_fault(self, endpoint: Endpoint, kind: str, text: str) -> Fault | None:
        """The first fault for such a request; one use of it is gone."""
        return _take(self.faults, endpoint, kind, text)

    def take_script(self, endpoint: Endpoint, kind: str, text: str) -> Answer | None:
        """The first scripted answer for such a request; one use of it is gone."""
        script = _take(self.scripts, endpoint, kind, text)
        if script is None:
            return None
        found = script.pattern.search(text) if script.pattern is not None else None
        return script.answer if found is None else expanded(script.answer, found)


_Rule = TypeVar("_Rule", Fault, Script)


def _take(items: list[_Rule], endpoint: Endpoint, kind: str, text: str) -> _Rule | None:
    for item in items:
        if item.endpoint == endpoint and item.kind in {None, kind} and _fits(item, text):
            if item.times != FOREVER:
                item.times -= 1
                if item.times <= 0:
                    items.remove(item)
            return item
    return None


def _fits(item: Fault | Script, text: str) -> bool:
    if item.match not in text:
        return False
    if isinstance(item, Fault):
        return item.chance >= 1 or random.random() < item.chance  # noqa: S311
    return item.pattern is None or item.pattern.search(text) is not None


def _compiled(pattern: Any, answer: Answer) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
        # A template that names a group which the pattern lacks would fail later, in a request.
        re.compile(f"{pattern}|").sub(answer.text, "")
    except (re.error, TypeError, IndexError) as error:
        raise ControlError(f"Script field 'pattern' cannot be used: {error}.") from None
    return compiled


def _check_where(known: dict[str, Any], kinds: tuple[str, ...]) -> None:
    if known.get("endpoint") is None:
        known["endpoint"] = "responses"
    choices = {"kind": kinds, **{name: get_args(one) for name, one in _CHOICES.items()}}
    for name, values in choices.items():
        if known.get(name) not in (None, *values):
            raise ControlError(f"Field {name!r} must be one of {', '.join(values)}.")
    if not isinstance(known.get("match", ""), str):
        raise ControlError("Field 'match' must be a string.")
    times = known.get("times", 1)
    if type(times) is not int or times == 0 or times < FOREVER:
        raise ControlError("Field 'times' must be a positive integer, or -1 for until deleted.")
