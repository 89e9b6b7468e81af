"""The routes under ``/_model``, by which a test or a demo sets what a `Control` holds."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from openai_double.control import Control
from openai_double.scripts import ControlError

Handler = Callable[[web.Request], Awaitable[web.Response]]


def add_control_routes(app: web.Application, control: Control) -> None:
    """Add the routes of `control` to `app`."""

    @_refusing
    async def get_settings(_request: web.Request) -> web.Response:
        return web.json_response(vars(control.settings))

    @_refusing
    async def get_journal(request: web.Request) -> web.Response:
        entries = control.journal.since(_since(request))
        told = {"entries": entries, "last": control.journal.last, "held": control.held}
        return web.json_response(told)

    @_refusing
    async def get_traffic(request: web.Request) -> web.Response:
        text = control.traffic.after(_since(request))
        return web.Response(text=text, content_type="application/json")

    def change(take: Callable[[Any], object]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            take(json.loads(await request.read() or "null"))
            return web.json_response({"ok": True})

        return _refusing(handle)

    app.router.add_get("/_model/settings", get_settings)
    app.router.add_get("/_model/journal", get_journal)
    app.router.add_get("/_model/traffic", get_traffic)
    app.router.add_post("/_model/settings", change(control.settings.update))
    app.router.add_post("/_model/faults", change(control.add_fault))
    app.router.add_post("/_model/script", change(control.add_script))
    app.router.add_post("/_model/release", change(lambda _: control.release()))
    app.router.add_delete("/_model/faults", change(lambda _: control.faults.clear()))
    app.router.add_delete("/_model/script", change(lambda _: control.scripts.clear()))
    app.router.add_delete("/_model/journal", change(lambda _: control.journal.clear()))


def _since(request: web.Request) -> int:
    since = request.query.get("since", "0")
    if not since.isdecimal():
        raise ControlError("'since' must be a number.")
    return int(since)


def _refusing(handler: Handler) -> Handler:
    """Answer a mistake with 400 and one sentence."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except (ControlError, ValueError, KeyError, TypeError) as error:
            reason = str(error) if isinstance(error, ControlError) else f"Bad value: {error!r}."
            return web.json_response({"error": reason}, status=400)

    return handle
