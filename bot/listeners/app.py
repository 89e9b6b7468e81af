"""The Bolt app: an event is stored before its ack, and what cannot be read is acknowledged.

The rest of the work on an event is the worker's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from psycopg import OperationalError
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.adapter.socket_mode.internals import build_headers
from slack_bolt.async_app import AsyncApp, AsyncBoltContext, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.app import App
from bot.listeners.change_events import note_event
from bot.listeners.interactions import Interactions
from bot.logs import fault
from bot.pipeline.backfill import read_follow_ups
from bot.slack.messages import (
    UNREADABLE,
    for_installation,
    installation_team,
    read_message,
    received,
)
from memory.postgres import transaction_timeout

log = logging.getLogger(__name__)

DEPARTURES = frozenset({"app_uninstalled", "tokens_revoked"})
# The id of the installation that a request is for, in Bolt's context.
_TEAM = "installation_team"
_DATABASE_SECONDS = 2.0


class CheckedApp(AsyncApp):
    """A Bolt app that acknowledges what it cannot read, over every transport.

    Slack delivers an event that is not answered 200 up to three times more, and switches the
    deliveries of an app off that fails too often: https://docs.slack.dev/apis/events-api/#retries
    """

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Dispatch a request as `receive` does."""
        return await self.receive(req.body, lambda: req)

    async def receive(
        self, sent: Mapping[str, Any], request: Callable[[], AsyncBoltRequest]
    ) -> BoltResponse:
        """Dispatch the `request` made of a payload, with the texts that `received` returns.

        Bolt reads ids of the payload to make the request. What has no listener, such as a button
        of an older version, is acknowledged.
        """
        # Slack left events out: more than 30,000 an hour were due.
        # Source: https://docs.slack.dev/apis/events-api/#rate-limiting
        if sent.get("type") == "app_rate_limited" and "event" not in sent:
            log.warning("Slack limits its deliveries to this app: events of a minute are missing")
            return BoltResponse(status=HTTPStatus.OK)
        try:
            made = request()
            made.body = received(sent)
            made.context[_TEAM] = installation_team(made.body)
            response = await super().async_dispatch(made)
        except UNREADABLE as error:
            log.warning("a request from Slack could not be read: %s", fault(error))
            return BoltResponse(status=HTTPStatus.OK)
        if response.status == HTTPStatus.NOT_FOUND:
            return BoltResponse(status=HTTPStatus.OK)
        return response


class SocketModeHandler(AsyncSocketModeHandler):
    """Acknowledges also what Bolt cannot read: Bolt's own handler leaves it without an answer."""

    app: CheckedApp

    async def handle(  # type: ignore[override]
        self, client: SocketModeClient, req: SocketModeRequest
    ) -> None:
        """Dispatch a request, and answer it with the response."""
        begin, payload = time.time(), req.payload
        make_request = partial(
            AsyncBoltRequest, mode="socket_mode", body=payload, headers=build_headers(req)
        )
        response = await self.app.receive(payload, make_request)
        await send_async_response(client, req, response, begin)


def create_bolt_app(app: App, interactions: Interactions) -> CheckedApp:
    """Return the Bolt app with every listener of manifest.yml.

    Requests are verified before (`bot.runtime.http`), Socket Mode by its connection. A
    request's token is that of its installation.
    """

    async def authorize(context: AsyncBoltContext) -> AuthorizeResult:
        with transaction_timeout(_DATABASE_SECONDS):
            found = await app.slack.find(context[_TEAM])
        if found is None:
            raise LookupError("The app is not installed there: the request is acknowledged.")
        return AuthorizeResult(
            enterprise_id=None,
            team_id=found.team_id,
            bot_user_id=found.bot_user_id,
            bot_id=found.bot_id,
            bot_token=found.bot_token,
        )

    bolt = CheckedApp(
        name="kioku",  # without one, Bolt reads the source of every caller to find a name
        client=app.slack.tokenless(),
        authorize=authorize,
        request_verification_enabled=False,
    )

    @bolt.error
    async def failed(error: Exception, response: BoltResponse | None) -> None:
        # No response: a listener has acknowledged. Slack repeats an event not answered by 200.
        if isinstance(error, OperationalError):
            log.warning("PostgreSQL did not answer a request from Slack in time", exc_info=error)
            if response is not None:
                response.status, response.body = 503, "Please send it again.\n"
            return
        # By its type alone: the text of an exception may quote the request.
        unreadable = isinstance(error, UNREADABLE)
        log.log(
            logging.WARNING if unreadable else logging.ERROR,
            "a request from Slack was not carried out: %s",
            fault(error),
        )
        if response is not None and unreadable:
            response.status, response.body = HTTPStatus.OK, ""

    _register_events(bolt, app)
    interactions.register(bolt)
    return bolt


def _register_events(bolt: CheckedApp, app: App) -> None:
    """Store events in a global middleware, whose return is the ack; no listener follows.

    What is raised here becomes an answer other than 200, and Slack delivers the event again.
    Slack waits for three seconds, so PostgreSQL has two. Of a workspace that has removed the app
    only the events that say so are handled.
    """

    @bolt.use
    async def store_before_ack(
        body: dict[str, Any],
        context: AsyncBoltContext,
        next: Callable[[], Awaitable[None]],  # noqa: A002 - Bolt's name
    ) -> BoltResponse | None:
        if "event" not in body:
            await next()
            return None
        with transaction_timeout(_DATABASE_SECONDS):
            await store(body, context.bot_user_id or "")
            if body.get("is_ext_shared_channel"):
                for team in (await app.workspaces.with_message(body))[1:]:
                    bot_user_id = await app.slack.bot_user_id(team)
                    await store(for_installation(body, team), bot_user_id)
        return BoltResponse(status=HTTPStatus.OK)

    async def store(body: dict[str, Any], bot_user_id: str) -> None:
        """Store an event for one installation."""
        event = body["event"]
        message = read_message(body, bot_user_id)
        departs = event.get("type") in DEPARTURES
        if not (departs or await app.workspaces.serves(installation_team(body))):
            log.info("an event of a workspace that is not served was dropped")
        elif message is not None:
            await app.inbox.store(message)
            await read_follow_ups(app, message)
        else:
            await note_event(app, body)
