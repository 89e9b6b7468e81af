"""One log format. No message or memory text is ever logged, nor an exception's own words."""

from __future__ import annotations

import json
import logging
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal, TextIO

# Below WARNING only our own packages are logged: libraries log each request, at DEBUG its contents.
_OURS = ("bot", "memory", "playground", "deploy", "bench", "root", "__main__")
# Equal warnings and errors written in a minute; further ones are only counted.
_MOST_ALIKE = 20
_MOST_KINDS = 500
_MINUTE = 60.0
# What these log on errors can quote what they were given.
_INDISCREET = ("opentelemetry", "langchain", "langchain_core", "langgraph", "langmem", "trustcall")
# Writes the code of an installation, and what a stranger's request held.
_OAUTH = "slack_bolt.oauth"
# These put the text of an exception they report into their own message.
_QUOTING = ("aiohttp", "asyncio", "psycopg", "slack_bolt", "slack_sdk")


# The fields of what is being answered or formed; ids only. Tasks that it starts share the dict.
_fields: ContextVar[dict[str, str]] = ContextVar("log fields")


@contextmanager
def log_fields(*, team: str, **more: str) -> Iterator[None]:
    """Write these fields with each JSON line of the block and its tasks."""
    token = _fields.set({"team": team, **more})
    try:
        yield
    finally:
        _fields.reset(token)


def add_log_field(name: str, value: str) -> None:
    """Add a field to the block of `log_fields`, if there is one."""
    current_log_fields().update({name: value})


def current_log_fields() -> dict[str, str]:
    """Return the fields of the current block of `log_fields`; an empty dict without one."""
    return _fields.get({})


def fault(error: BaseException) -> str:
    """Describe an exception by its types and places, without its text, which can quote people."""
    chain: list[str] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 5:
        frames = traceback.extract_tb(current.__traceback__)
        place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
        chain.append(f"{type(current).__name__}{place}")
        current = current.__cause__ or current.__context__
    return " from ".join(chain)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{moment} {record.levelname.lower():7} {record.name}: {record.getMessage()}"
        return line + _exception(record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": record.getMessage() + _exception(record),
                **current_log_fields(),
            },
            ensure_ascii=False,
        )


def _exception(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return f" ({fault(error)})" if error else ""


# Bolt's notice, at each start, that it does not use the token it found in the environment; what
# psycopg and its pool say of a statement or transaction that was cancelled or lost its connection:
# what was under way reports that itself.
_EXPECTED = (
    "As you gave `client` as well",
    "rolling back returned connection",
    "closing returned connection",
    "discarding closed connection",
    "error ignored",
    "query cancellation",
    "query not terminated after cancellation",
)


class _Discreet(logging.Filter):
    """Drops the chatter of libraries, and the words of those that quote their input on errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        library = record.name.split(".", 1)[0]
        withheld = library in _INDISCREET or record.name.startswith(_OAUTH)
        if withheld or (record.exc_info and library in _QUOTING):
            record.msg, record.args = "a fault was reported; its text is withheld", ()
        if str(record.msg).startswith(_EXPECTED) or _from_broken_client(record):
            return False
        return library in _OURS or record.levelno >= logging.WARNING


def _from_broken_client(record: logging.LogRecord) -> bool:
    """Return whether aiohttp reports a request that is not HTTP: it was answered with 400."""
    error = record.exc_info[1] if record.exc_info else None
    return type(error).__module__ == "aiohttp.http_exceptions"


class _Limited(logging.StreamHandler[TextIO]):
    """Writes equal warnings and errors 20 times a minute, then only how many more there were.

    Equal are records of one logger and level with the same unformatted message and the same fault.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: Counter[tuple[str, int, str]] = Counter()
        self._began = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if record.created - self._began >= _MINUTE:
            self._end_minute(record.created)
        if record.levelno >= logging.WARNING:
            kind = (record.name, record.levelno, f"{record.msg}{_exception(record)}")
            if len(self._seen) >= _MOST_KINDS and kind not in self._seen:
                kind = (record.name, record.levelno, "other messages")
            self._seen[kind] += 1
            if self._seen[kind] > _MOST_ALIKE:
                return
        super().emit(record)

    def close(self) -> None:
        self._end_minute(self._began)
        super().close()

    def _end_minute(self, now: float) -> None:
        left_out = {kind: n - _MOST_ALIKE for kind, n in self._seen.items() if n > _MOST_ALIKE}
        self._seen.clear()
        self._began = now
        for (name, level, message), count in left_out.items():
            text = f"{count} more within a minute: {message}"
            super().emit(logging.LogRecord(name, level, "", 0, text, None, None))


def set_up_logging(level: str, style: Literal["text", "json"]) -> None:
    """Send all logs to standard error in one format."""
    handler = _Limited()
    handler.setFormatter(_Json() if style == "json" else _Text())
    handler.addFilter(_Discreet())
    logging.basicConfig(level=level, handlers=[handler], force=True)
