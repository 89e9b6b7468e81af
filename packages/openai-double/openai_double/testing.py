"""A double in a thread of this process, and its controls, for tests."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

from aiohttp import web

from openai_double.server import create_app
from openai_double.serving import serving
from openai_double.types import Json

# For loopback, without any configured proxy.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(url: str, body: Any = None, method: str | None = None) -> Any:
    """Send JSON to a double, by POST with a body or else GET, and return its JSON answer.

    Raises `urllib.error.HTTPError` for a mistake, with the double's sentence about it as a note.
    """
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, method=method)  # noqa: S310 - loopback
    try:
        with _OPENER.open(asked, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as mistake:
        mistake.add_note(mistake.read().decode())
        raise


class Double:
    """The address and the controls of a running double."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.base_url = f"{url}/v1"

    def call(self, path: str, body: Any = None, method: str | None = None) -> Json:
        """Make a call of the controls under ``/_model/``: POST with a body, else GET."""
        return dict(call(f"{self.url}/_model/{path}", body, method))

    def script(self, output: str | Json, **where: Any) -> None:
        """Answer the next request with a text or other output; `match`, `pattern`, `times` …"""
        if isinstance(output, str):
            output = {"text": output}
        self.call("script", {**where, "output": output})

    def fail(self, **fault: Any) -> None:
        """Let the next request fail: `status`, `drop`, `break_after_chars` …"""
        self.call("faults", fault)

    @property
    def requests(self) -> list[Json]:
        """The requests that were answered, oldest first: `endpoint`, `body`, `status`, `answer`."""
        return list(self.call("journal")["entries"])

    def hold(self, **where: Any) -> None:
        """Let the next request wait for `release`; `match` and `times` choose which."""
        self.fail(hold=True, **where)

    def wait_for_held(self, number: int = 1, seconds: float = 10) -> None:
        """Wait until `number` requests are held."""
        end = time.monotonic() + seconds
        while self.call("journal")["held"] < number:
            if time.monotonic() > end:
                raise AssertionError(
                    f"{seconds:g} seconds passed without a request to hold."
                )
            threading.Event().wait(0.02)

    def release(self) -> None:
        """Answer the held requests, and hold no more."""
        self.call("release", {})


@contextmanager
def running(app: web.Application | None = None) -> Iterator[Double]:
    """Run a double in a thread; `app` is one made by `openai_double.create_app`."""
    served = app or create_app()
    started = Future[tuple[str, Callable[[], object]]]()

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with serving(served, 0) as url:
            end = partial(loop.call_soon_threadsafe, stop.set)
            started.set_result((url, end))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    url, end = started.result(30)
    try:
        yield Double(url)
    finally:
        end()
        thread.join()
