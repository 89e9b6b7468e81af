"""The running application: what each role opens at the start and closes at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal, TypeAlias

from aiohttp import web

from bot.config import Settings
from bot.runtime.ask import add_ask
from bot.runtime.connections import connected
from bot.runtime.front import Front, open_front
from bot.runtime.http import create_web_app, serving
from bot.runtime.wiring import Application
from bot.runtime.worker import open_worker

Role: TypeAlias = Literal["all", "front", "worker"]


@asynccontextmanager
async def open_service(
    settings: Settings, conninfo: str, *, role: Role = "all", host: str | None = None
) -> AsyncIterator[int]:
    """Run one process of the app, of which any number of each role share a database.

    A front receives and stores, a worker answers and remembers, and ``all`` does both. With
    `host` it serves HTTP there, on `PORT`; yields the port. Leaving it drains what runs and
    closes everything. Raises `Problem`, or a `memory.KiokuMemoryError`, whose message is for the
    operator.
    """
    async with AsyncExitStack() as stack:
        connections = await stack.enter_async_context(connected(settings, conninfo))
        wiring = Application(connections)
        await wiring.queue.open()
        if role != "front":
            await stack.enter_async_context(open_worker(wiring))
        front = None
        if role != "worker":
            front = await stack.enter_async_context(open_front(wiring))
        port = settings.port
        if host is not None:
            application = _web_application(wiring, front)
            port = await stack.enter_async_context(serving(application, host, port))
        if settings.metrics_port:
            from bot.runtime.metrics import serving_metrics

            metrics = serving_metrics(connections.pool, settings.listens_on, settings.metrics_port)
            await stack.enter_async_context(metrics)
        try:
            yield port
        finally:
            # At once: what the front still stores is for other workers.
            wiring.queue.begin_to_stop()


def _web_application(wiring: Application, front: Front | None) -> web.Application:
    connections = wiring.connections
    one = connections.installation

    async def ready() -> str | None:
        problem = await front.problem() if front is not None else None
        return (
            problem
            or await connections.database_problem()
            or (await wiring.workspaces.problem(one.team_id) if one else None)
        )

    secret, token = connections.settings.slack_signing_secret, connections.settings.api_token
    application = create_web_app(
        ready=ready,
        app=front.app if front is not None and front.socket is None else None,
        signing_secret=secret.get_secret_value() if secret else None,
    )
    if front is not None and token is not None:
        add_ask(application, wiring, token.get_secret_value())
    if front is not None and connections.store is not None:
        from bot.runtime.oauth import add_oauth

        add_oauth(application, connections.settings, connections.slack, connections.store)
    return application
