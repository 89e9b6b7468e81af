"""One log format; no words of people, no words of exceptions."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest
from aiohttp.http_exceptions import BadStatusLine

from bot.logs import _REPEATED, fault, set_up_logging


class Lines:
    """What was written to standard error so far."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._seen = ""

    def getvalue(self) -> str:
        """Return all of it."""
        self._seen += self._capture.readouterr().err
        return self._seen


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Standard error; logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield Lines(capsys)
    root.handlers, root.level = handlers, level
    for name in _REPEATED:
        logging.getLogger(name).filters.clear()


def fail(text: str) -> None:
    """Raise an error that quotes somebody."""
    raise ValueError(text)


def failing() -> BaseException:
    """Return a caught error with a cause, both of which quote somebody."""
    caught: BaseException | None = None
    try:
        try:
            fail("SECRET one")
        except ValueError as first:
            raise RuntimeError("SECRET two") from first
    except RuntimeError as second:
        caught = second
    assert caught is not None
    return caught


def test_a_fault_is_types_and_places() -> None:
    """An exception is described by its types, places and causes, never by its text."""
    assert re.fullmatch(
        r"RuntimeError at failing:\d+ from ValueError at fail:\d+", fault(failing())
    )
    assert fault(KeyError("SECRET")) == "KeyError"


def test_contexts_count_and_end() -> None:
    """What was being handled is part of the description, five links at most."""
    error: BaseException = ValueError("SECRET")
    for _ in range(9):
        following = KeyError("SECRET")
        following.__context__ = error
        error = following
    assert fault(error) == " from ".join(["KeyError"] * 5)


def test_text_format(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal a line has time, level, logger and message; an exception adds its fault."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    set_up_logging("INFO")
    log = logging.getLogger("bot.conversation.inbox")
    log.info("stored %d", 3)
    log.debug("unseen")
    try:
        fail("SECRET")
    except ValueError:
        log.exception("could not store")
    first, second = lines.getvalue().splitlines()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d info    bot\.conversation\.inbox: stored 3", first
    )
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d error   bot\.conversation\.inbox: could not store"
        r" \(ValueError at fail:\d+\)",
        second,
    )


def test_json_format(lines: Lines) -> None:
    """Elsewhere a JSON line has the same fields; an exception adds its fault to the message."""
    set_up_logging("DEBUG")
    log = logging.getLogger("bot.conversation.inbox")
    log.debug("記憶 %s", "x")
    log.error("could not store", exc_info=failing())
    first, second = map(json.loads, lines.getvalue().splitlines())
    assert first.keys() == {"time", "level", "logger", "message"}
    assert first["time"].endswith("+00:00")
    assert (first["level"], first["logger"], first["message"]) == (
        "debug",
        "bot.conversation.inbox",
        "記憶 x",
    )
    assert second["message"].startswith("could not store (RuntimeError at failing:")
    assert "SECRET" not in lines.getvalue()
    assert "記憶" in lines.getvalue()


TALKATIVE = [
    *("aiohttp.access", "httpcore2.http11", "httpx2", "openai._base_client"),
    *(
        "procrastinate.worker",
        "slack_bolt.AsyncApp",
        "slack_sdk.web",
        "anthropic._base_client",
    ),
    *("langsmith.client", "a_dependency_of_tomorrow"),
]


@pytest.mark.parametrize("name", TALKATIVE)
def test_chatter_of_libraries_is_dropped(lines: Lines, name: str) -> None:
    """Below WARNING the libraries that tell of requests are silent, even at DEBUG."""
    set_up_logging("DEBUG")
    logging.getLogger(name).debug("SECRET body")
    logging.getLogger(name).info("SECRET body")
    assert lines.getvalue() == ""
    logging.getLogger(name).warning("something is wrong")
    assert "something is wrong" in lines.getvalue()


@pytest.mark.parametrize(
    "name", ["langmem.x", "langgraph", "langchain_core.y", "trustcall"]
)
def test_words_of_indiscreet_libraries_are_withheld(lines: Lines, name: str) -> None:
    """A library that quotes its input on errors is heard, its words are not."""
    set_up_logging("DEBUG")
    logging.getLogger(name).error("could not parse %s", "SECRET")
    assert json.loads(lines.getvalue())["message"] == (
        "a fault was reported; its text is withheld"
    )


@pytest.mark.parametrize(
    "name", ["slack_bolt.AsyncApp", "asyncio", "aiohttp.server", "psycopg.pool"]
)
def test_exceptions_quoted_in_a_message_are_withheld(lines: Lines, name: str) -> None:
    """A library that puts an exception's text into its own message tells its fault only."""
    set_up_logging("INFO")
    error = failing()
    logging.getLogger(name).error("Failed to run (error: %s)", error, exc_info=error)
    assert "SECRET" not in lines.getvalue()
    assert "RuntimeError at failing" in lines.getvalue()


async def test_a_forgotten_task_tells_no_secrets(lines: Lines) -> None:
    """What asyncio says of a task nobody waited for does not quote its exception."""
    set_up_logging("INFO")
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(asyncio.to_thread(fail, "SECRET"))
    await asyncio.wait({task})
    loop.call_exception_handler(
        {"message": "never retrieved", "exception": task.exception(), "future": task}
    )
    assert "ValueError at fail" in lines.getvalue()
    assert "SECRET" not in lines.getvalue()


async def test_connections_that_cannot_be_accepted_are_logged_once(
    lines: Lines,
) -> None:
    """asyncio reports each of thousands a second for which there is no descriptor."""
    set_up_logging("INFO")
    loop = asyncio.get_running_loop()
    full = OSError(errno.EMFILE, "Too many open files")
    for _ in range(100):
        loop.call_exception_handler(
            {"message": "socket.accept() out of system resource", "exception": full}
        )
    [line] = lines.getvalue().splitlines()
    assert "OSError" in line


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("psycopg.pool", "error connecting in %r: %s"),
        ("psycopg.pool", "reconnection attempt in pool %r failed after %s sec"),
        ("bot.queue.manager", "the queue waits for PostgreSQL: %s (%s)"),
        ("bot.conversation.inbox", "whether a message waits could not be read: %s %s"),
    ],
)
def test_what_repeats_while_postgresql_is_away_is_logged_once_a_minute(
    lines: Lines, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process tries several times a second; any other line of the logger is written."""
    now = 1_000.0
    monkeypatch.setattr("time.time", lambda: now)
    monkeypatch.setattr("time.time_ns", lambda: int(now * 1e9))
    set_up_logging("INFO")
    log = logging.getLogger(name)
    for seconds in (0.0, 0.5, 59.0, 61.0, 62.0):
        now = 1_000.0 + seconds
        log.warning(message, "pool-1", "refused")
        log.warning("something else")
    written = [json.loads(line)["message"] for line in lines.getvalue().splitlines()]
    assert written.count(message % ("pool-1", "refused")) == 2
    assert written.count("something else") == 5


def test_a_request_that_is_no_http_is_no_error(lines: Lines) -> None:
    """aiohttp logs a traceback for each; it is the client's fault, and answered with 400."""
    set_up_logging("INFO")
    error = BadStatusLine("SECRET")
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=error)
    assert lines.getvalue() == ""
