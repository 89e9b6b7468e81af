"""Socket Mode: the WebSocket connections an app opens to receive its events."""

import asyncio
import itertools
import json
import logging
import secrets
import time
import uuid
from contextlib import suppress

from aiohttp import WSMsgType, web

from slack_playground.delivery import Answer, Kind
from slack_playground.records import Json
from slack_playground.updates import Updates

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 10
TICKET_SECONDS = 30.0


class Connection:
    """One open WebSocket, with the envelopes that wait for their ack on it."""

    def __init__(
        self,
        number: int,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
    ) -> None:
        self.number = number
        self.socket = socket
        self.transport = transport
        self.retiring = False
        self.waiting: dict[str, asyncio.Future[Json]] = {}

    def fail_pending(self) -> None:
        """Fail every pending envelope: the app can no longer ack on this connection."""
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(ConnectionResetError())


class SocketMode:
    """Hands out connection URLs, keeps the connections, sends each envelope to one of them."""

    def __init__(self, app_id: str, updates: Updates) -> None:
        self._app_id = app_id
        self._updates = updates
        self._tickets: dict[str, float] = {}
        self._connections: list[Connection] = []
        self._numbers = itertools.count(1)
        self._turn = 0
        self._opened = asyncio.Event()

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    def ticket(self) -> str:
        """A one-time ticket for apps.connections.open, good for 30 seconds."""
        ticket = secrets.token_hex(16)
        self._tickets[ticket] = time.monotonic()
        return ticket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket until it closes."""
        issued = self._tickets.pop(request.query.get("ticket", ""), None)
        if issued is None or time.monotonic() - issued > TICKET_SECONDS:
            raise web.HTTPForbidden(text="This connection URL is used up or too old.")
        socket = web.WebSocketResponse(max_msg_size=16 * 1024 * 1024)
        await socket.prepare(request)
        if len(self._connections) >= MAX_CONNECTIONS:
            await socket.send_json(self._disconnect_message("too_many_websockets"))
            await socket.close()
            return socket
        connection = Connection(next(self._numbers), socket, request.transport)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self._connections) + 1,
                "debug_info": {
                    "host": f"playground-{connection.number}",
                    "build_number": 1,
                    "approximate_connection_time": 18060,
                },
                "connection_info": {"app_id": self._app_id},
            }
        )
        self._connections.append(connection)
        self._look()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(message.data)
        finally:
            self._forget(connection)
        return socket

    def _receive(self, data: str) -> None:
        """Take an ack; while a client changes connections it may come on another one."""
        try:
            message = json.loads(data)
            envelope_id = message["envelope_id"]
        except (ValueError, KeyError, TypeError):
            logger.warning("A Socket Mode message is not an ack: it needs an envelope_id.")
            return
        for connection in self._connections:
            future = connection.waiting.get(envelope_id)
            if future is not None and not future.done():
                future.set_result(message)

    def _forget(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        connection.fail_pending()
        self._look()

    def _usable(self) -> list[Connection]:
        return [connection for connection in self._connections if not connection.retiring]

    def _look(self) -> None:
        """Note whether there is a connection for new envelopes, and tell the page."""
        self._updates.publish("state")
        if self._usable():
            self._opened.set()
        else:
            self._opened.clear()

    def _disconnect_message(self, reason: str) -> Json:
        return {"type": "disconnect", "reason": reason, "debug_info": {"host": "playground"}}

    async def _next(self, patience: float) -> Connection | None:
        """The connection whose turn it is, waiting for one to open if there is none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._opened.wait()
        usable = self._usable()
        if not usable:
            return None
        self._turn += 1
        return usable[self._turn % len(usable)]

    async def send(
        self, kind: Kind, body: Json, *, retry_num: int, retry_reason: str, patience: float
    ) -> Answer:
        """Send one envelope to one connection and wait for its ack.

        With no connection, an event waits for one as long as it would wait for its ack; a
        command or interaction fails at once, as in Slack.
        """
        connection = await self._next(patience if kind == "events_api" else 0)
        if connection is None:
            return Answer(ok=False, reason="no_connection")
        envelope_id = str(uuid.uuid4())
        envelope: Json = {
            "envelope_id": envelope_id,
            "payload": body,
            "type": kind,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": retry_num, "retry_reason": retry_reason}
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope_id] = future
        detail = {"envelope_id": envelope_id, "connection": connection.number}
        try:
            await connection.socket.send_json(envelope)
            async with asyncio.timeout(patience):
                ack = await future
        except TimeoutError:
            return Answer(ok=False, reason="timeout", detail=detail)
        except ConnectionError:
            return Answer(ok=False, reason="connection_failed", detail=detail)
        finally:
            connection.waiting.pop(envelope_id, None)
        payload = ack.get("payload")
        return Answer(
            ok=True, payload=payload if isinstance(payload, dict) else None, detail=detail
        )

    async def disconnect(self, reason: str) -> int:
        """Make every connection go: "drop" cuts it, else Slack's polite `disconnect` message.

        Returns how many connections were told.
        """
        told = list(self._connections)
        for connection in told:
            connection.retiring = True
            self._look()
            if reason == "drop":
                self._forget(connection)
                if connection.transport is not None:
                    connection.transport.abort()
            else:
                await connection.socket.send_json(self._disconnect_message(reason))
        return len(told)

    async def close(self) -> None:
        """Close every connection."""
        for connection in list(self._connections):
            with suppress(ConnectionError):
                await connection.socket.close()
