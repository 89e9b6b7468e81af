"""One log format. No message or memory text is ever logged, nor an exception's own words."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Literal

# Below WARNING these tell of every request, at DEBUG with its contents.
_TALKATIVE = (
    "aiohttp",
    "httpcore2",
    "httpx2",
    "openai",
    "procrastinate",
    "slack_bolt",
    "slack_sdk",
)
# What these log on errors can quote what they were given.
_INDISCREET = ("langchain", "langchain_core", "langgraph", "langmem", "trustcall")
# These put the text of an exception they report into their own message.
_QUOTING = ("aiohttp", "asyncio", "psycopg", "slack_bolt", "slack_sdk")


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
            },
            ensure_ascii=False,
        )


def _exception(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return f" ({fault(error)})" if error else ""


# Bolt's notice, at each start, that it does not use the token it found in the environment; the
# pool's, that what was cut off in the middle of a transaction has been rolled back.
_EXPECTED = ("As you gave `client` as well", "rolling back returned connection")


class _Discreet(logging.Filter):
    """Drops the chatter of libraries, and the words of those that quote their input on errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        library = record.name.split(".", 1)[0]
        if library in _INDISCREET or (record.exc_info and library in _QUOTING):
            record.msg, record.args = "a fault was reported; its text is withheld", ()
        if str(record.msg).startswith(_EXPECTED):
            return False
        return library not in _TALKATIVE or record.levelno >= logging.WARNING


def set_up_logging(level: str, style: Literal["text", "json"]) -> None:
    """Send all logs to standard error in one format."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if style == "json" else _Text())
    handler.addFilter(_Discreet())
    logging.basicConfig(level=level, handlers=[handler], force=True)
