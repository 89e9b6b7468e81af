"""The times at which the app's replies were complete in Slack, from the playground's call log."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.testbed import Json, Testbed


@dataclass(slots=True)
class Reply:
    """One reply: milliseconds from its question to the first text and to the end.

    They are None until they are known, for a system that shows no partial reply, and for a failure.
    """

    first: float | None = None
    ready: float | None = None
    text: str = ""


Asked = tuple[str, str]
"""A message to the app, by channel and ts; its reply is posted in the thread of this ts."""


class Replies:
    """Polls the playground's record of calls while someone waits for a reply."""

    def __init__(self, testbed: Testbed, since: int) -> None:
        self._testbed = testbed
        self._since = since
        self._streams: dict[tuple[str, str], Asked] = {}
        self._found: defaultdict[Asked, Reply] = defaultdict(Reply)
        self._ended: defaultdict[Asked, asyncio.Event] = defaultdict(asyncio.Event)
        self._waiting = 0

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, testbed: Testbed, *, poll_seconds: float = 0.05
    ) -> AsyncIterator[Replies]:
        """Yield a reader of the calls from now on."""
        calls = await testbed.slack("calls?since=999999999")
        replies = cls(testbed, calls["last"])

        async def read_on() -> None:
            while True:
                await asyncio.sleep(poll_seconds)
                if replies._waiting:
                    await replies._read()

        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_on())
            yield replies
            reading.cancel()

    async def ask(
        self, person: str, text: str, *, channel: str = "dm", seconds: float = 180
    ) -> Reply:
        """Send a message as a person, in their DM or a channel; return the whole reply.

        Raises `TimeoutError` if it does not come within `seconds`.
        """
        self._waiting += 1
        try:
            message = {"user": person, "channel": channel, "text": text}
            sent = await self._testbed.slack("messages", message)
            asked = (str(sent["channel"]), str(sent["ts"]))
            await asyncio.wait_for(self._ended[asked].wait(), seconds)
        finally:
            self._waiting -= 1
        return self._found[asked]

    async def _read(self) -> None:
        record = await self._testbed.slack(f"calls?since={self._since}")
        # A call that is still running has no outcome yet, and is read again.
        for call in record["calls"]:
            if not call["outcome"]:
                break
            self._since = call["number"]
            if call["outcome"] == "ok":
                self._take(call)

    def _take(self, call: Json) -> None:
        method = call["method"]
        args = call["args"]
        channel = str(args.get("channel") or args.get("channel_id") or "")
        asked = (channel, str(args.get("thread_ts") or ""))
        if method == "chat.startStream":
            self._streams[channel, str(call["result"]["ts"])] = asked
        elif method in ("chat.appendStream", "chat.stopStream"):
            asked = self._streams.get((channel, str(args["ts"])), asked)
        elif method != "chat.postMessage":
            return
        reply = self._found[asked]
        passed = (call["time"] + call["ms"] / 1000 - float(asked[1] or 0)) * 1000
        is_notice = method == "chat.postMessage" and reply.ready is not None
        text = _text(args)
        if text and not is_notice:
            reply.first = reply.first or passed
            reply.text += text
        if method in ("chat.stopStream", "chat.postMessage") and reply.ready is None:
            reply.ready = passed
            self._ended[asked].set()


def _text(args: Json) -> str:
    """Return the text of the reply that a call shows."""
    if args.get("markdown_text"):
        return str(args["markdown_text"])
    chunks = args.get("chunks") or []
    if isinstance(chunks, str):
        chunks = json.loads(chunks)
    text = ""
    for chunk in chunks:
        if chunk.get("type") == "markdown_text":
            text += chunk.get("text", "")
    return text or str(args.get("text") or "")
