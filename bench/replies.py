"""Times at which the app's replies were complete in Slack, from the playground's call log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.ground import Ground, Json

_POLL_SECONDS = 0.05
_TIMEOUT_SECONDS = 180.0


@dataclass(slots=True)
class Reply:
    """One reply: milliseconds from its question to the first text, the existing text, the end.

    They are None while they have not come, for a system without such a moment, and for a failure.
    """

    first: float | None = None
    made: float | None = None
    ready: float | None = None
    text: str = ""


class Asked(NamedTuple):
    """A message to the app; its reply is posted in the thread of this ts."""

    channel: str
    ts: str


class Replies:
    """Reads on in the record; one reader for all questions of a system."""

    def __init__(self, ground: Ground, since: int) -> None:
        self._ground = ground
        self._since = since
        self._streams: dict[tuple[str, str], Asked] = {}
        self._found: dict[Asked, Reply] = {}

    @classmethod
    async def from_now(cls, ground: Ground) -> Replies:
        """Return a reader of what comes after this moment."""
        last = (await ground.slack("calls?since=999999999"))["last"]
        return cls(ground, last)

    async def ask(self, person: str, text: str) -> Asked:
        """Send a message as a person, in their DM."""
        sent = await self._ground.slack("messages", {"user": person, "channel": "dm", "text": text})
        return Asked(sent["channel"], sent["ts"])

    async def of(self, asked: Sequence[Asked]) -> list[Reply]:
        """Return the replies to these; raises `TimeoutError` where one does not come."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while any(self.reply(one).ready is None for one in asked):
            if time.monotonic() > deadline:
                raise TimeoutError("A reply did not come in time.")
            await asyncio.sleep(_POLL_SECONDS)
            await self.read()
        return [self.reply(one) for one in asked]

    def reply(self, asked: Asked) -> Reply:
        """Return what is known of one reply."""
        return self._found.setdefault(asked, Reply())

    async def read(self) -> None:
        """Read on."""
        record = await self._ground.slack(f"calls?since={self._since}")
        # A call that is still carried out has no outcome yet: it is read again.
        for call in record["calls"]:
            if not call["outcome"]:
                break
            self._since = call["number"]
            if call["outcome"] == "ok":
                self._take(call)

    def _take(self, call: Json) -> None:
        method, args = call["method"], call["args"]
        channel = str(args.get("channel") or args.get("channel_id") or "")
        asked = Asked(channel, str(args.get("thread_ts") or ""))
        if method == "chat.startStream":
            self._streams[channel, str(call["result"]["ts"])] = asked
        elif method in ("chat.appendStream", "chat.stopStream"):
            asked = self._streams.get((channel, str(args["ts"])), asked)
        elif method != "chat.postMessage":
            return
        reply = self._found.setdefault(asked, Reply())
        passed = (call["time"] + call["ms"] / 1000 - float(asked.ts or 0)) * 1000
        # A notice comes below the reply, which is ready.
        if text := "" if reply.ready and method == "chat.postMessage" else _text(args):
            reply.first = reply.first or passed
            reply.text += text
        if method in ("chat.stopStream", "chat.postMessage") and reply.ready is None:
            reply.ready = passed


def _text(args: Json) -> str:
    """Return what a call shows of the reply."""
    if markdown := args.get("markdown_text"):
        return str(markdown)
    chunks = args.get("chunks") or []
    chunks = json.loads(chunks) if isinstance(chunks, str) else chunks
    told = "".join(one.get("text", "") for one in chunks if one.get("type") == "markdown_text")
    return told or str(args.get("text") or "")
