"""One log format. No message or memory text is ever logged, nor an exception's own words."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

# Below WARNING only our packages are logged: libraries log each request, and at DEBUG its content.
_OURS = ("bot", "memory", "deploy", "bench", "root", "__main__")
# The errors that these log can quote their input.
_INDISCREET = (
    "opentelemetry",
    "langchain",
    "langchain_core",
    "langgraph",
    "langmem",
    "trustcall",
)
# Names a job with its arguments, among them ids of people.
_QUEUE = "procrastinate"
# These put the text of an exception they report into their own message.
_QUOTING = ("aiohttp", "asyncio", "psycopg", "slack_bolt", "slack_sdk")

_WARNING_SECONDS = 60.0
# What loggers say several times a second as long as its cause lasts: asyncio for each connection
# that it cannot accept for lack of descriptors, the others while PostgreSQL is away.
_REPEATED = {
    "asyncio": ["socket.accept() out of system resource"],
    "psycopg.pool": ["error connecting in ", "reconnection attempt in pool "],
    "bot.queue.manager": ["the queue waits for PostgreSQL"],
    "bot.conversation.inbox": ["whether a message waits could not be read"],
}

# Ids of what is being answered or formed.
_fields: ContextVar[dict[str, str]] = ContextVar("log fields")


@contextmanager
def log_fields(*, team: str, turn: str) -> Iterator[None]:
    """Write these fields with each JSON line of the block and its tasks."""
    token = _fields.set({"team": team, "turn": turn})
    try:
        yield
    finally:
        _fields.reset(token)


def fault(error: BaseException) -> str:
    """Describe an exception by its types and places, without its text, which can quote people."""
    chain: list[str] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 5:
        named = type(current).__name__
        frames = traceback.extract_tb(current.__traceback__)
        if frames:
            last = frames[-1]
            named += f" at {last.name}:{last.lineno}"
        chain.append(named)
        current = current.__cause__ or current.__context__
    return " from ".join(chain)


class StandingWarnings:
    """What an operator must know although the app serves: a sentence for each lasting cause.

    A cause is logged at most once a minute, however often it is reported.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._sentences: dict[str, str] = {}
        self._next_line: dict[str, float] = {}

    @property
    def sentences(self) -> list[str]:
        """The sentences of the lasting causes."""
        return list(self._sentences.values())

    def report(self, cause: str, sentence: str) -> None:
        """Note that a cause lasts; `sentence` replaces its earlier one."""
        self._sentences[cause] = sentence
        now = time.monotonic()
        if now >= self._next_line.get(cause, now):
            self._next_line[cause] = now + _WARNING_SECONDS
            self._log.warning("%s", sentence)

    def clear(self, cause: str) -> None:
        """Note that a cause is gone."""
        self._sentences.pop(cause, None)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        level = record.levelname.lower()
        message = record.getMessage() + _described_error(record)
        return f"{moment} {level:7} {record.name}: {message}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage() + _described_error(record),
            **_fields.get({}),
        }
        return json.dumps(line, ensure_ascii=False)


def _described_error(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return f" ({fault(record.exc_info[1])})"


# Bolt's notice, at each start, that it ignores the token in the environment; and what psycopg and
# its pool log about a statement or transaction that was cancelled or lost its connection, which its
# caller reports itself.
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
    """Drops the chatter of libraries, and what they quote: input on errors, arguments of jobs.

    A line about a job names it by its task and id, as in ``form_memories[17]``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        library = record.name.split(".", 1)[0]
        quotes = record.exc_info and library in _QUOTING
        if library in _INDISCREET or quotes:
            record.msg = "a fault was reported; its text is withheld"
            record.args = ()
        job = getattr(record, "job", None)
        if library == _QUEUE and job:
            named = f"{job['task_name']}[{job['id']}]"
            record.msg = record.getMessage().replace(job["call_string"], named)
            record.args = ()
        # aiohttp reports a request that is not HTTP, which it answers with 400.
        error = record.exc_info[0] if record.exc_info else None
        is_of_client = getattr(error, "__module__", "") == "aiohttp.http_exceptions"
        if is_of_client or str(record.msg).startswith(_EXPECTED):
            return False
        return library in _OURS or record.levelno >= logging.WARNING


class _OncePerMinute(logging.Filter):
    """Lets one record a minute through of those that begin with the same one of `beginnings`."""

    def __init__(self, beginnings: Sequence[str]) -> None:
        super().__init__()
        self._next = dict.fromkeys(beginnings, 0.0)

    def filter(self, record: logging.LogRecord) -> bool:
        for beginning, following in self._next.items():
            if not str(record.msg).startswith(beginning):
                continue
            if record.created < following:
                return False
            self._next[beginning] = record.created + _WARNING_SECONDS
        return True


def set_up_logging(level: str) -> None:
    """Send all logs to standard error: as text to a terminal, else one JSON object a line."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json())
    if sys.stderr.isatty():
        handler.setFormatter(_Text())
    handler.addFilter(_Discreet())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # These filters are at the loggers, so that dropped records are not counted either.
    for name, beginnings in _REPEATED.items():
        logging.getLogger(name).addFilter(_OncePerMinute(beginnings))
