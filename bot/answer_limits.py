"""How much of an answer of Slack or of a model server is read, and where it is parsed.

How large an answer is others decide: a thread has as many words as people write into it. What is
larger than its limit is not read to its end, fails as a lost connection does, and is logged here.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import httpx2

log = logging.getLogger(__name__)

PAGE_BYTES = 8_000_000
"""Of an answer of Slack, and of vectors."""
EVENT_BYTES = 1_000_000
"""Of another answer of a model server, or of one event of a stream; what is more is parsed in a
thread."""

_CHUNK_BYTES = 65_536
_EVENT_ENDS = (b"\n\n", b"\r\r", b"\r\n\r\n")
_LONGEST_END = 4  # bytes


class AnswerTooLarge(aiohttp.ClientPayloadError):
    """An answer of Slack's has more than `PAGE_BYTES`: to ask again brings the same."""


class LimitedResponse(aiohttp.ClientResponse):
    """A response of which `PAGE_BYTES` are read: ``response_class`` of a session.

    Its methods raise `AnswerTooLarge` for a larger one.
    """

    _content: bytes | None = None

    async def read(self) -> bytes:
        """Return the body."""
        if self._content is None:
            content = bytearray()
            async for chunk in self.content.iter_chunked(_CHUNK_BYTES):
                content += chunk
                if len(content) > PAGE_BYTES:
                    self.close()
                    content.clear()  # the error would hold it
                    raise AnswerTooLarge(_too_large(self.url.path))
            self._content = bytes(content)
        return self._content

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Return the body as text."""
        content = await self.read()
        return content.decode(encoding or self.get_encoding(), errors)

    async def json(
        self,
        *,
        encoding: str | None = None,
        loads: Callable[[str], Any] = json.loads,
        content_type: str | None = "application/json",
    ) -> Any:
        """Return the parsed body; raises `aiohttp.ContentTypeError` if it is no JSON."""
        text = await self.text(encoding)
        if content_type and self.content_type != content_type:
            raise aiohttp.ContentTypeError(
                self.request_info,
                self.history,
                status=self.status,
                message="The answer is no JSON.",
                headers=self.headers,
            )
        if not text:
            return None
        if len(text) <= EVENT_BYTES:
            return loads(text)
        # The hook lets other threads go on, which the parser itself does not.
        return await asyncio.to_thread(json.loads, text, object_hook=lambda one: one)


async def limit_response(response: httpx2.Response) -> None:
    """Limit what is read of a response of a model server: a hook of an HTTP client.

    Reading more raises `httpx2.ReadError`. A response must not be compressed, because what it
    holds would be known only when it is in memory: requests ask for none that is.
    """
    path = response.request.url.path
    if response.headers.get("Content-Encoding", "identity") != "identity":
        log.warning(
            "an answer from %s is compressed, although none was asked for", path
        )
        raise httpx2.ReadError("The answer is compressed.", request=response.request)
    is_stream = "text/event-stream" in response.headers.get("Content-Type", "")
    most = PAGE_BYTES if path.endswith("/embeddings") else EVENT_BYTES
    response.stream = _LimitedStream(response, most, of_each_event=is_stream)


class _LimitedStream(httpx2.AsyncByteStream):
    """The bytes of a response, at most `most` in all or of each event."""

    def __init__(
        self, response: httpx2.Response, most: int, *, of_each_event: bool
    ) -> None:
        self._response = response
        self._stream: Any = response.stream
        self._most = most
        self._of_each_event = of_each_event

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        before = b""
        async for chunk in self._stream:
            size += len(chunk)
            if self._of_each_event:
                read = before + chunk
                end = max(read.rfind(mark) for mark in _EVENT_ENDS)
                if end >= 0:
                    size = len(read) - end
                before = read[1 - _LONGEST_END :]
            if size > self._most:
                request = self._response.request
                raise httpx2.ReadError(_too_large(request.url.path), request=request)
            yield chunk

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()


def _too_large(path: str) -> str:
    """Log that an answer was not read, and return what to raise."""
    log.warning("an answer of %s is too large, it was not read", path)
    return "The answer is too large."
