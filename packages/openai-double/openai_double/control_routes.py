"""The routes under ``/_model``, by which a test or a demo sets what a `Control` holds."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from openai_double.control import Control
from openai_double.scripts import ControlError


class ControlRoutes:
    """The handlers around one `Control`."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def add_to(self, app: web.Application) -> None:
        """Add the routes to `app`."""
        app.router.add_get("/_model/settings", self.get_settings)
        app.router.add_post("/_model/settings", self.post_settings)
        app.router.add_post("/_model/faults", self.post_fault)
        app.router.add_delete("/_model/faults", self.delete_faults)
        app.router.add_post("/_model/script", self.post_script)
        app.router.add_delete("/_model/script", self.delete_script)
        app.router.add_get("/_model/journal", self.get_journal)
        app.router.add_delete("/_model/journal", self.delete_journal)
        app.router.add_get("/_model/traffic", self.get_traffic)

    async def get_settings(self, _request: web.Request) -> web.Response:
        """`GET /_model/settings`."""
        return web.json_response(vars(self._control.settings))

    async def post_settings(self, request: web.Request) -> web.Response:
        """`POST /_model/settings`."""
        return await _answered(request, self._control.settings.update, self.get_settings)

    async def post_fault(self, request: web.Request) -> web.Response:
        """`POST /_model/faults`."""
        return await _answered(request, self._control.add_fault)

    async def delete_faults(self, _request: web.Request) -> web.Response:
        """`DELETE /_model/faults`."""
        self._control.faults.clear()
        return web.json_response({"ok": True})

    async def post_script(self, request: web.Request) -> web.Response:
        """`POST /_model/script`."""
        return await _answered(request, self._control.add_script)

    async def delete_script(self, _request: web.Request) -> web.Response:
        """`DELETE /_model/script`."""
        self._control.scripts.clear()
        return web.json_response({"ok": True})

    async def get_journal(self, request: web.Request) -> web.Response:
        """`GET /_model/journal[?since=N]`."""
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return web.json_response({"error": "'since' must be a number."}, status=400)
        journal = self._control.journal
        return web.json_response({"entries": journal.since(int(since)), "last": journal.last})

    async def get_traffic(self, request: web.Request) -> web.Response:
        """`GET /_model/traffic[?since=N]`."""
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return web.json_response({"error": "'since' must be a number."}, status=400)
        text = self._control.traffic.after(int(since))
        return web.Response(text=text, content_type="application/json")

    async def delete_journal(self, _request: web.Request) -> web.Response:
        """`DELETE /_model/journal`."""
        self._control.journal.clear()
        return web.json_response({"ok": True})


async def _answered(
    request: web.Request,
    take: Callable[[Any], None],
    then: Callable[[web.Request], Awaitable[web.Response]] | None = None,
) -> web.Response:
    try:
        take(json.loads(await request.read()))
    except (ControlError, ValueError, KeyError, TypeError) as error:
        reason = str(error) if isinstance(error, ControlError) else f"Bad value: {error!r}."
        return web.json_response({"error": reason}, status=400)
    return await then(request) if then else web.json_response({"ok": True})
