"""A playground in a thread of this process, and people who act in it by the control API."""

import asyncio
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from slack_playground.manifest import read_manifest
from slack_playground.records import Json
from slack_playground.server import facts, serve


class Playground:
    """The addresses and tokens of a playground, and the people in it."""

    def __init__(self, facts: Json) -> None:
        self.url: str = facts["url"]
        self.api_url: str = facts["slack_api_url"]
        self.bot_token: str = facts["bot_token"]
        self.app_token: str = facts["app_token"]
        self.signing_secret: str = facts["signing_secret"]

    def call(self, path: str, body: Json | None = None) -> Json:
        """Call the control API: POST with a body, else GET."""
        url = f"{self.url}/_playground/{path}"
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(url, data, timeout=30) as answer:  # noqa: S310 - loopback
            return dict(json.load(answer))

    def person(self, name: str) -> "Person":
        """Return a person of the workspace by name: Aya, Ben, or one that was added."""
        users = self.call("state")["users"]
        ids = [user["id"] for user in users if user["name"] == name]
        return Person(self, ids[0])

    def wait_for_app(self, seconds: float = 30) -> None:
        """Wait until an app is connected by Socket Mode."""
        _until(
            lambda: self.call("state")["connections"], "an app that connects", seconds
        )


@dataclass(frozen=True)
class Person:
    """A person; `channel` is the id of a conversation, or "dm" for the one with the app."""

    playground: Playground
    id: str

    def act(self, path: str, **what: Any) -> Json:
        """POST to any path of the control API as this person."""
        return self.playground.call(path, {"user": self.id, "channel": "dm", **what})

    def send(self, text: str, **more: Any) -> str:
        """Write a message; return its ts."""
        return str(self.act("messages", text=text, **more)["ts"])

    def click(self, message: Json, action_id: str, **more: Any) -> Json:
        """Click an element of a message; return how the app acknowledged it."""
        return self.act("actions", ts=message["ts"], action_id=action_id, **more)

    def messages(self, channel: str = "dm") -> list[Json]:
        """Return the messages of a conversation that this person sees, oldest first."""
        found = self.playground.call(f"channels/{channel}/messages?user={self.id}")
        return list(found["messages"])

    def sees(self, text: str, channel: str = "dm", seconds: float = 10) -> Json:
        """Wait for a message that contains `text`, and return it."""

        def newest() -> Json | None:
            for message in reversed(self.messages(channel)):
                if text in message.get("text", ""):
                    return message
            return None

        return dict(_until(newest, f"a message with {text!r}", seconds))


def _until(look: Callable[[], Any], what: str, seconds: float) -> Any:
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{seconds:g} seconds passed without {what}.")
        threading.Event().wait(0.02)


@contextmanager
def running(manifest: Path) -> Iterator[Playground]:
    """Run a playground in a thread; an event is sent again after 0, 1 and 5 seconds."""
    app = read_manifest(manifest)
    started = Future[tuple[Playground, Callable[[], object]]]()

    async def serving() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with serve(app, retry_delays=(0.0, 1.0, 5.0)) as slack:
            end = partial(loop.call_soon_threadsafe, stop.set)
            started.set_result((Playground(facts(slack)), end))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serving()), daemon=True)
    thread.start()
    playground, end = started.result(30)
    try:
        yield playground
    finally:
        end()
        thread.join()
