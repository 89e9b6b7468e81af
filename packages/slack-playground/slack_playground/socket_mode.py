"""Socket Mode: the WebSocket connections an app opens to receive its events."""

import asyncio
import itertools
import json
import logging
import secrets
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from slack_playground.objects import slack_object
from slack_playground.records import Json, RequestKind
from slack_playground.updates import Updates

logger = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class Connection:
    """One open WebSocket, with the envelopes that wait for their ack on it, by their ids."""

    number: int
    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    retiring: bool = False
    waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict)


class SocketMode:
    """Hands out connection URLs, keeps the connections, sends each envelope to one of them."""

    def __init__(self, app_id: str, updates: Updates) -> None:
        self._app_id = app_id
        self._updates = updates
        self._tickets: set[str] = set()
        self._connections: list[Connection] = []
        self._numbers = itertools.count(1)
        self._turns = itertools.count(1)
        self._opened = asyncio.Event()

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    def ticket(self) -> str:
        """A ticket for one connection, for apps.connections.open."""
        ticket = secrets.token_hex(16)
        self._tickets.add(ticket)
        return ticket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket until it closes."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden(text="This connection URL is used up.")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(max_msg_size=16 * 1024 * 1024)
        await socket.prepare(request)
        connection = Connection(
            number=next(self._numbers), socket=socket, transport=request.transport
        )
        hello = slack_object(
            "hello",
            num_connections=len(self._connections) + 1,
            connection_info={"app_id": self._app_id},
        )
        await socket.send_json(hello)
        self._connections.append(connection)
        self._update_opened()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(message.data)
        finally:
            self._forget(connection)
        return socket

    def _receive(self, data: str) -> None:
        """Accept an ack; while a client changes connections it may arrive on another one."""
        try:
            message = json.loads(data)
            envelope_id = message["envelope_id"]
        except (ValueError, KeyError, TypeError):
            logger.warning(
                "A Socket Mode message is not an ack: it needs an envelope_id."
            )
            return
        for connection in self._connections:
            future = connection.waiting.get(envelope_id)
            if future is not None and not future.done():
                future.set_result(message)

    def _forget(self, connection: Connection) -> None:
        """Drop a connection; the envelopes that wait on it can no longer be acked."""
        if connection in self._connections:
            self._connections.remove(connection)
        for future in connection.waiting.values():
            if not future.done():
                future.set_exception(ConnectionResetError())
        self._update_opened()

    def _usable(self) -> list[Connection]:
        return [
            connection for connection in self._connections if not connection.retiring
        ]

    def _update_opened(self) -> None:
        """Update whether there is a connection for new envelopes, and notify the page."""
        self._updates.publish("state")
        if self._usable():
            self._opened.set()
        else:
            self._opened.clear()

    async def send(
        self, kind: RequestKind, body: Json, retry: Json, *, patience: float
    ) -> Json:
        """Send one envelope to the connection whose turn it is, and wait for its ack.

        Returns what is recorded about the ack. Without a connection, an event waits for one as long
        as it would wait for its ack; a command or interaction fails at once, as in Slack.
        """
        connection = await self._next(patience if kind == "events_api" else 0)
        if connection is None:
            return {"reason": "no_connection"}
        envelope = _envelope(kind, body, retry)
        envelope_id = envelope["envelope_id"]
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope_id] = future
        detail = {"envelope_id": envelope_id, "connection": connection.number}
        try:
            await connection.socket.send_json(envelope)
            async with asyncio.timeout(patience):
                payload = (await future).get("payload")
        except TimeoutError:
            return {"reason": "timeout", **detail}
        except ConnectionError:
            return {"reason": "connection_failed", **detail}
        finally:
            del connection.waiting[envelope_id]
        answer = payload if isinstance(payload, dict) else None
        return {"ok": True, "answer": answer, **detail}

    async def _next(self, patience: float) -> Connection | None:
        """The connection whose turn it is; None if there is none for `patience` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._opened.wait()
        usable = self._usable()
        if not usable:
            return None
        turn = next(self._turns)
        return usable[turn % len(usable)]

    async def disconnect(self, reason: str) -> int:
        """End every connection: "drop" cuts it; other reasons send Slack's `disconnect` message.

        Returns how many connections there were.
        """
        connections = list(self._connections)
        for connection in connections:
            connection.retiring = True
            self._update_opened()
            if reason != "drop":
                await connection.socket.send_json(
                    slack_object("disconnect", reason=reason)
                )
            else:
                self._forget(connection)
                if connection.transport is not None:
                    connection.transport.abort()
        return len(connections)

    async def close(self) -> None:
        """Close every connection."""
        for connection in list(self._connections):
            with suppress(ConnectionError):
                await connection.socket.close()


def _envelope(kind: RequestKind, body: Json, retry: Json) -> Json:
    """What a connection carries: the body of an event, a command or an interaction."""
    is_event = kind == "events_api"
    envelope: Json = {
        "envelope_id": str(uuid.uuid4()),
        "payload": body,
        "type": kind,
        "accepts_response_payload": not is_event,
    }
    if is_event:
        envelope["retry_attempt"] = retry["retry_num"]
        envelope["retry_reason"] = retry["retry_reason"]
    return envelope
