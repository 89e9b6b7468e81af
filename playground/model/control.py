"""What a test or a demo can set: latency, faults, scripted answers, and the journal."""

from __future__ import annotations

import json
import random
import re
import time
from collections import deque
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal, TypeVar, get_args

from playground.model.answer import Answer, Call
from playground.model.errors import STATUS_OF_CODE, ApiError
from playground.model.prompt import Kind
from playground.model.request_types import Endpoint

JOURNAL_ENTRIES: Final = 2_000
JOURNAL_CHARS: Final = 32_000_000
FOREVER: Final = -1
_SCRIPT_FIELDS: Final = {"endpoint", "kind", "match", "pattern", "output", "times"}


class ControlError(ValueError):
    """A control request names something that does not exist; the message says what."""


@dataclass(kw_only=True)
class Settings:
    """How slow the model is, and into what pieces it cuts its words.

    Milliseconds: `first_token_ms` before an answer begins, `token_ms` between two
    pieces, `embedding_ms` before embeddings. `chunk_chars` is the length of a piece.
    `shutdown_dates` maps a model to a YYYY-MM-DD date for ``/v1/models``.
    """

    first_token_ms: float = 0
    token_ms: float = 0
    embedding_ms: float = 0
    chunk_chars: int = 12
    shutdown_dates: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All of them by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def update(self, changes: Any) -> None:
        """Take over `changes`, or raise `ControlError` and change nothing."""
        known = _known(changes, {one.name for one in fields(self)}, "setting")
        for name, value in known.items():
            if name == "shutdown_dates":
                good = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
            elif name == "chunk_chars":
                good = type(value) is int and value > 0
            else:
                good = type(value) in {int, float} and value >= 0
            if not good:
                raise ControlError(f"Setting {name!r} cannot be {value!r}.")
        for name, value in known.items():
            setattr(self, name, value)


Event = Literal["failed", "incomplete", "error"]


@dataclass(kw_only=True)
class Fault:
    """One way to fail, for the next `times` requests (-1: until it is deleted).

    `chance` (0 to 1) picks fitting requests at random.
    """

    endpoint: Endpoint
    kind: Kind | None = None
    match: str = ""
    status: int | None = None
    error_code: str | None = None
    delay_ms: float = 0
    drop: bool = False
    break_after_chars: int | None = None
    event: Event | None = None
    malformed: bool = False
    retry_after: float | None = None
    times: int = 1
    chance: float = 1.0

    @property
    def error(self) -> ApiError | None:
        """The HTTP error it stands for, if it is one."""
        if self.status is None and self.error_code is None:
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


@dataclass(kw_only=True)
class Script:
    """What to answer to the next `times` matching requests (-1: until it is deleted).

    `pattern` is a regular expression that the last user text must hold; its groups may stand in the
    answer's text.
    """

    endpoint: Endpoint
    answer: Answer
    kind: Kind | None = None
    match: str = ""
    pattern: re.Pattern[str] | None = None
    times: int = 1


@dataclass(kw_only=True)
class Entry:
    """One request and what was answered to it."""

    number: int
    endpoint: Endpoint
    kind: Kind
    time: float
    ms: float
    status: int
    body: str
    answer: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """With the request's body parsed again."""
        try:
            body = json.loads(self.body) if self.body else None
        except ValueError:
            body = self.body
        return {
            "n": self.number,
            "endpoint": self.endpoint,
            "kind": self.kind,
            "time": self.time,
            "ms": round(self.ms, 3),
            "status": self.status,
            "body": body,
            "answer": self.answer,
        }


class Journal:
    """The newest requests, at most 2,000 of them and 32 million characters."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._chars = 0
        self._last = 0
        self._cleared = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self,
        *,
        endpoint: Endpoint,
        kind: Kind,
        started: float,
        status: int,
        body: str,
        answer: dict[str, Any],
    ) -> None:
        """Write one down. `started` is `time.perf_counter()` at its arrival."""
        if started < self._cleared:
            return
        self._last += 1
        ms = (time.perf_counter() - started) * 1000
        self._entries.append(
            Entry(
                number=self._last,
                endpoint=endpoint,
                kind=kind,
                time=time.time() - ms / 1000,
                ms=ms,
                status=status,
                body=body,
                answer=answer,
            )
        )
        self._chars += len(body)
        while len(self._entries) > JOURNAL_ENTRIES or (
            self._chars > JOURNAL_CHARS and len(self._entries) > 1
        ):
            self._chars -= len(self._entries.popleft().body)

    def since(self, number: int) -> list[dict[str, Any]]:
        """The entries after `number`, oldest first."""
        return [entry.as_json() for entry in self._entries if entry.number > number]

    @property
    def last(self) -> int:
        """The number of the newest entry ever written."""
        return self._last

    def clear(self) -> None:
        """Forget the entries, those of requests under way too; the numbers go on."""
        self._entries.clear()
        self._chars = 0
        self._cleared = time.perf_counter()


class Control:
    """All of it, for one server."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.faults: list[Fault] = []
        self.scripts: list[Script] = []
        self.journal = Journal()

    def add_fault(self, given: Any) -> None:
        """Add a fault from its JSON form."""
        known = _known(given, {one.name for one in fields(Fault)}, "fault field")
        _check_where(known)
        for name in ("status", "break_after_chars"):
            if type(known.get(name)) not in {int, type(None)}:
                raise ControlError(f"Fault field {name!r} must be an integer.")
        if known.get("event") not in {None, *get_args(Event)}:
            raise ControlError(f"Fault event must be one of {', '.join(get_args(Event))}.")
        chance = known.get("chance", 1)
        if type(chance) not in {int, float} or not 0 <= chance <= 1:
            raise ControlError("Fault field 'chance' must be a number from 0 to 1.")
        if "chance" in known:
            known.setdefault("times", FOREVER)
        if set(known) <= {"endpoint", "kind", "match", "times", "retry_after", "chance"}:
            raise ControlError(
                "A fault needs one of status, error_code, delay_ms, drop, "
                "break_after_chars, event or malformed."
            )
        self.faults.append(Fault(**known))

    def add_script(self, given: Any) -> None:
        """Add a scripted answer from its JSON form."""
        known = _known(given, _SCRIPT_FIELDS, "script field")
        _check_where(known)
        pattern = known.pop("pattern", None)
        output = _known(
            known.pop("output", None),
            {"text", "function_calls", "tool_calls", "annotations", "web_search"},
            "output field",
        )
        calls = tuple(
            Call(
                name=call["name"],
                arguments=call["arguments"]
                if isinstance(call["arguments"], str)
                else json.dumps(call["arguments"], ensure_ascii=False),
            )
            for call in [*output.get("function_calls", []), *output.get("tool_calls", [])]
        )
        answer = Answer(
            text=output.get("text", ""),
            calls=calls,
            annotations=tuple(output.get("annotations", [])),
            web_search=output.get("web_search", False),
        )
        self.scripts.append(Script(answer=answer, pattern=_compiled(pattern, answer), **known))

    def take_fault(self, endpoint: Endpoint, kind: Kind, text: str) -> Fault | None:
        """The first fault for such a request; one use of it is gone."""
        return _take(self.faults, endpoint, kind, text)

    def take_script(self, endpoint: Endpoint, kind: Kind, text: str) -> Answer | None:
        """The first scripted answer for such a request; one use of it is gone."""
        script = _take(self.scripts, endpoint, kind, text)
        if script is None:
            return None
        found = script.pattern.search(text) if script.pattern is not None else None
        if found is None:
            return script.answer
        return replace(script.answer, text=found.expand(script.answer.text))


_Rule = TypeVar("_Rule", Fault, Script)


def _take(items: list[_Rule], endpoint: Endpoint, kind: Kind, text: str) -> _Rule | None:
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


def _known(given: Any, names: set[str], what: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ControlError("Send a JSON object.")
    for name in given:
        if name not in names:
            raise ControlError(f"Unknown {what} {name!r}: use {', '.join(sorted(names))}.")
    return dict(given)


def _check_where(known: dict[str, Any]) -> None:
    if known.get("endpoint") not in get_args(Endpoint):
        raise ControlError(f"The endpoint must be one of {', '.join(get_args(Endpoint))}.")
    if known.get("kind") not in {None, *get_args(Kind)}:
        raise ControlError(f"The kind must be one of {', '.join(get_args(Kind))}.")
    times = known.get("times", 1)
    if type(times) is not int or times == 0 or times < FOREVER:
        raise ControlError("Field 'times' must be a positive integer, or -1 for until deleted.")
