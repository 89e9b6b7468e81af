"""A double in a thread of this process, and its controls, for tests."""

from __future__ import annotations

import asyncio
import json
import threading
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
