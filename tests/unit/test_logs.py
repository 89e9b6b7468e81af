"""One log format; no words of people, no words of exceptions."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp.http_exceptions import BadStatusLine

from bot.logs import fault, set_up_logging


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


class Clock:
    """The time that records are created at."""

    def __init__(self) -> None:
        self.now = 1_000_000.0


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A time that only the test moves on."""
    at, made = Clock(), logging.getLogRecordFactory()

    def make(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = made(*arguments, **named)
        record.created = at.now
        return record

    logging.setLogRecordFactory(make)
    yield at
    logging.setLogRecordFactory(made)


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


def test_text_format(lines: Lines) -> None:
    """A line of text has time, level, logger and message; an exception adds its fault."""
    set_up_logging("INFO", "text")
    log = logging.getLogger("bot.conversation.inbox")
    log.info("stored %d", 3)
    log.debug("unseen")
    try:
        fail("SECRET")
    except ValueError:
        log.exception("could not store")
    first, second = lines.getvalue().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d info    bot\.conversation\.inbox: stored 3", first)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d error   bot\.conversation\.inbox: could not store"
        r" \(ValueError at fail:\d+\)",
        second,
    )


def test_json_format(lines: Lines) -> None:
    """A JSON line has the same four fields, and an exception adds its fault to the message."""
    set_up_logging("DEBUG", "json")
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
    *("procrastinate.worker", "slack_bolt.AsyncApp", "slack_sdk.web", "anthropic._base_client"),
    *("langsmith.client", "a_dependency_of_tomorrow"),
]


@pytest.mark.parametrize("name", TALKATIVE)
def test_chatter_of_libraries_is_dropped(lines: Lines, name: str) -> None:
    """Below WARNING the libraries that tell of requests are silent, even at DEBUG."""
    set_up_logging("DEBUG", "text")
    logging.getLogger(name).debug("SECRET body")
    logging.getLogger(name).info("SECRET body")
    assert lines.getvalue() == ""
    logging.getLogger(name).warning("something is wrong")
    assert "something is wrong" in lines.getvalue()


@pytest.mark.parametrize(
    "name", ["langmem.x", "langgraph", "langchain_core.y", "trustcall", "slack_bolt.oauth.z"]
)
def test_words_of_indiscreet_libraries_are_withheld(lines: Lines, name: str) -> None:
    """A library that quotes its input on errors is heard, its words are not."""
    set_up_logging("DEBUG", "json")
    logging.getLogger(name).error("could not parse %s", "SECRET")
    assert json.loads(lines.getvalue())["message"] == ("a fault was reported; its text is withheld")


@pytest.mark.parametrize(
    "name", ["slack_bolt.AsyncApp", "asyncio", "aiohttp.server", "psycopg.pool"]
)
def test_exceptions_quoted_in_a_message_are_withheld(lines: Lines, name: str) -> None:
    """A library that puts an exception's text into its own message tells its fault only."""
    set_up_logging("INFO", "text")
    error = failing()
    logging.getLogger(name).error("Failed to run (error: %s)", error, exc_info=error)
    assert "SECRET" not in lines.getvalue()
    assert "RuntimeError at failing" in lines.getvalue()


async def test_a_forgotten_task_tells_no_secrets(lines: Lines) -> None:
    """What asyncio says of a task nobody waited for does not quote its exception."""
    set_up_logging("INFO", "text")
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(asyncio.to_thread(fail, "SECRET"))
    await asyncio.wait({task})
    loop.call_exception_handler(
        {"message": "never retrieved", "exception": task.exception(), "future": task}
    )
    assert "ValueError at fail" in lines.getvalue()
    assert "SECRET" not in lines.getvalue()


def test_setting_up_twice_logs_once(lines: Lines) -> None:
    """The newest set-up counts, alone."""
    set_up_logging("INFO", "text")
    set_up_logging("INFO", "json")
    logging.getLogger("bot").info("once")
    [line] = lines.getvalue().splitlines()
    assert json.loads(line)["message"] == "once"


def test_equal_errors_are_counted_after_twenty(lines: Lines, clock: Clock) -> None:
    """A thousand equal errors a minute are twenty lines and a count; others are written."""
    set_up_logging("INFO", "text")
    log = logging.getLogger("bot.runtime")
    for number in range(1_000):
        log.error("could not serve %d", number)
        log.info("served %d", number)
    log.error("something else")
    found = lines.getvalue()
    assert found.count("could not serve") == 20
    assert found.count("served") == 1_000
    assert found.count("something else") == 1
    clock.now += 61
    log.error("could not serve %d", 7)
    *_, count, line = lines.getvalue().splitlines()
    assert count.endswith("error   bot.runtime: 980 more within a minute: could not serve %d")
    assert line.endswith("could not serve 7")


def test_a_flood_of_different_errors_is_limited_too(lines: Lines) -> None:
    """Messages that differ in their text, as libraries format it themselves, do not add up."""
    set_up_logging("INFO", "json")
    log = logging.getLogger("asyncio")
    for number in range(5_000):
        log.error(f"socket.accept() out of resources {number}")
    assert len(lines.getvalue().splitlines()) <= 521


def test_a_request_that_is_no_http_is_no_error(lines: Lines) -> None:
    """aiohttp logs a traceback for each; it is the client's fault, and answered with 400."""
    set_up_logging("INFO", "text")
    error = BadStatusLine("SECRET")
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=error)
    assert lines.getvalue() == ""
