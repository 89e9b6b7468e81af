"""The part of AWS that the functions meet, on loopback: Lambda here, the rest by moto."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests import fork_server
from tests.conftest import ROOT
from tests.loopback import Handler, ThreadServer

ATTEMPTS = 3
BETWEEN_ATTEMPTS_SECONDS = 0.3  # Lambda waits a minute, then two


class Died(Exception):
    """The environment was killed, by its time limit or by the test."""


class Environment:
    """One process that holds a function."""

    def __init__(self, handler: str, variables: Mapping[str, str], log: Path) -> None:
        reading, writing = os.pipe()
        with log.open("ab") as said:
            self._process = fork_server.start(
                "tests.deploy.aws.environment",
                handler,
                cwd=ROOT,
                env={**os.environ, **variables},
                stdin=reading,
                stderr=said,
            )
        os.close(reading)
        self._events = os.fdopen(writing, "w")
        self._read()

    def invoke(self, event: Any, arn: str, seconds: float) -> dict[str, Any]:
        """Run one invocation; raises `Died` at the time limit, as Lambda ends it."""
        line = json.dumps({"event": event, "arn": arn, "seconds": seconds})
        self._events.write(line + "\n")
        self._events.flush()
        watch = threading.Timer(seconds, self.kill)
        watch.start()
        try:
            return self._read()
        finally:
            watch.cancel()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Died
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._process.kill()

    def end(self) -> None:
        """Let it end by itself, if it has not."""
        with suppress(BrokenPipeError):
            self._events.close()
        self._process.wait(20)
        self._process.close()


@dataclass
class Function:
    """A function: its environments, made when more are needed, and what became of its events."""

    name: str
    handler: str
    variables: Mapping[str, str]
    log: Path
    seconds: float
    idle: list[Environment] = field(default_factory=list)
    busy: list[Environment] = field(default_factory=list)
    running: int = 0
    invocations: int = 0
    dead_letters: list[Any] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:eu-central-1:000000000000:function:{self.name}"

    def run(self, event: Any) -> dict[str, Any]:
        """Run one invocation in a free environment; raises `Died`."""
        with self.lock:
            self.invocations += 1
            environment = self.idle.pop() if self.idle else None
        environment = environment or Environment(self.handler, self.variables, self.log)
        with self.lock:
            self.busy.append(environment)
        try:
            answer = environment.invoke(event, self.arn, self.seconds)
        except Died:
            with self.lock:
                self.busy.remove(environment)
            environment.end()
            raise
        with self.lock:
            self.busy.remove(environment)
            self.idle.append(environment)
        return answer

    def take(self, event: Any) -> None:
        """Run an event that nobody waits for as Lambda does: three attempts, then it is dead."""
        try:
            for _ in range(ATTEMPTS):
                try:
                    if "result" in self.run(event):
                        return
                except Died:
                    pass
                threading.Event().wait(BETWEEN_ATTEMPTS_SECONDS)
            self.dead_letters.append(event)
        finally:
            with self.lock:
                self.running -= 1

    def end_idle(self) -> None:
        """Let the next invocation be a cold start."""
        with self.lock:
            for environment in self.idle:
                environment.end()
            self.idle.clear()

    def kill_all(self) -> int:
        """Kill what runs now, as the time limit would; returns how many ran."""
        with self.lock:
            killed = list(self.busy)
        for environment in killed:
            environment.kill()
        return len(killed)


class Cloud:
    """Lambda's API and a Function URL; `functions` by name."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.front_seconds: list[float] = []
        self.answered: list[int] = []
        self.encode = False
        self._server = ThreadServer(_handler(self))
        self.url = self._server.url

    def post(self, name: str, event: Any) -> None:
        """Take an event that nobody waits for."""
        function = self.functions[name]
        with function.lock:
            function.running += 1
        threading.Thread(target=function.take, args=(event,), daemon=True).start()

    def close(self) -> None:
        """End every environment."""
        self._server.close()
        for function in self.functions.values():
            for environment in [*function.idle, *function.busy]:
                environment.end()


def _handler(cloud: Cloud) -> type[Handler]:
    class Invoking(Handler):
        def respond(self) -> None:
            body = self.body()
            if self.path.startswith("/2015-03-31/functions/"):
                self._invoke(body)
            else:
                self._function_url(body)

        def _invoke(self, body: bytes) -> None:
            name = unquote(self.path.split("/")[3]).rpartition(":")[2]
            if self.headers["X-Amz-Invocation-Type"] == "Event":
                cloud.post(name, json.loads(body))
                self._send(202, b"")
                return
            try:
                answer = cloud.functions[name].run(json.loads(body))
            except Died:
                answer = {"error": "Sandbox.Timedout"}
            headers = {} if "result" in answer else {"X-Amz-Function-Error": "Unhandled"}
            self._send(200, json.dumps(answer.get("result", answer)).encode(), headers)

        def _function_url(self, body: bytes) -> None:
            begin = time.monotonic()
            # What is no text can only come encoded.
            encoded = cloud.encode or not _is_text(body)
            event = {
                "version": "2.0",
                "rawPath": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "requestContext": {"http": {"method": self.command, "path": self.path}},
                "body": base64.b64encode(body).decode() if encoded else body.decode(),
                "isBase64Encoded": encoded,
            }
            # Lambda encodes what it takes for binary; which that is, is nothing to rely on.
            cloud.encode = not cloud.encode
            answer = cloud.functions["front"].run(event).get("result")
            cloud.front_seconds.append(time.monotonic() - begin)
            if answer is None:
                self._send(502, b"Internal Server Error")
            else:
                cloud.answered.append(answer["statusCode"])
                self._send(answer["statusCode"], answer["body"].encode(), answer["headers"])

        def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response_only(status)
            for name, value in {**(headers or {}), "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Invoking


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
