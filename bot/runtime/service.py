"""The running application: what each role opens at the start and closes at the end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Literal, Self, TypeAlias

from bot.config import Settings
from bot.runtime.connections import connected
from bot.runtime.http_routes import create_web_app
from bot.runtime.http_server import serving
from bot.runtime.receiver import Receiver, open_front
from bot.runtime.wiring import Application
from bot.runtime.worker import open_worker
from memory import Conninfo

Role: TypeAlias = Literal["all", "front", "worker"]


class Service:
    """One process of the app; any number of each role share a database.

    A front receives and stores, a worker answers and remembers, and ``all`` does both. With
    `host` it serves HTTP there, on `PORT`. Enter it to start; leaving it drains what runs and
    closes everything. Raises `StartError`, or a `memory.KiokuMemoryError`, whose message is for the
    operator.
    """

    def __init__(
        self,
        settings: Settings,
        conninfo: Conninfo,
        *,
        role: Role = "all",
        host: str | None = None,
    ) -> None:
        self._settings = settings
        self._conninfo = conninfo
        self._role = role
        self._host = host
        self._stack = AsyncExitStack()
        self._wiring: Application | None = None
        self.port = settings.port

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._wiring is not None:
            # At once: what the front still stores is for other workers.
            self._wiring.queue.begin_to_stop()
        await self._stack.aclose()

    async def _start(self) -> None:
        connections = await self._stack.enter_async_context(
            connected(self._settings, self._conninfo)
        )
        self._wiring = wiring = Application(connections)
        await wiring.queue.open()
        self._stack.push_async_callback(wiring.quotas.close)
        if self._role != "front":
            await self._stack.enter_async_context(open_worker(wiring))
        front = None
        if self._role != "worker":
            front = await self._stack.enter_async_context(open_front(wiring))
        if self._host is not None:
            await self._listen(self._host, wiring, front)
        if (endpoint := self._settings.traces_endpoint) is not None:
            from bot.runtime.traces import exporting_traces

            await self._stack.enter_async_context(exporting_traces(endpoint))
        if self._settings.metrics_port:
            from bot.runtime.metrics import serving_metrics

            metrics = serving_metrics(
                connections.pool, self._host or "127.0.0.1", self._settings.metrics_port
            )
            await self._stack.enter_async_context(metrics)

    async def _listen(self, host: str, wiring: Application, front: Receiver | None) -> None:
        connections = wiring.connections
        one = connections.installation

        async def ready() -> str | None:
            problem = await front.problem() if front is not None else None
            return (
                problem
                or await connections.database_problem()
                or await wiring.offboarding.problem([one.team_id] if one else [])
            )

        secret = self._settings.slack_signing_secret
        application = create_web_app(
            ready=ready,
            app=front.app if front is not None and front.socket is None else None,
            signing_secret=secret.get_secret_value() if secret else None,
            ask=front.ask if front is not None else None,
        )
        if front is not None and connections.store is not None:
            from bot.runtime.oauth import add_oauth

            add_oauth(application, connections, connections.store)
        self.port = await self._stack.enter_async_context(
            serving(application, host, self._settings.port)
        )
