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


class BoltApp(AsyncApp):
    """A Bolt app that gives events to `store`, and acknowledges what it cannot read.

    Slack delivers an event that is not answered 200 up to three times more, and switches the
    deliveries of an app off that fails too often: https://docs.slack.dev/apis/events-api/#retries
    """

    def __init__(self, store: Callable[[dict[str, Any]], Awaitable[None]], **options: Any) -> None:
        super().__init__(**options)
        self._store = store

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Dispatch a request as `receive` does."""
        return await self.receive(req.body, lambda: req)

    async def receive(
        self, sent: Mapping[str, Any], request: Callable[[], AsyncBoltRequest]
    ) -> BoltResponse:
        """Store an event; let Bolt dispatch the `request` made of any other payload.

        The return is the ack. An event that PostgreSQL does not take in two seconds is answered
        503, and Slack, which waits for three, delivers it again. Bolt reads ids of the payload to
        make the request. What has no listener, such as a button of an older version, is
        acknowledged.
        """
        # Slack left events out: more than 30,000 an hour were due.
        # Source: https://docs.slack.dev/apis/events-api/#rate-limiting
        if sent.get("type") == "app_rate_limited" and "event" not in sent:
            log.warning("Slack limits its deliveries to this app: events of a minute are missing")
            return BoltResponse(status=HTTPStatus.OK)
        try:
            body = received(sent)
            if "event" in body:
                with transaction_timeout(_DATABASE_SECONDS):
                    await self._store(body)
                return BoltResponse(status=HTTPStatus.OK)
            made = request()
            made.body = body
            made.context[_TEAM] = installation_team(body)
            response = await super().async_dispatch(made)
        except (OperationalError, *UNREADABLE) as error:
            return answer_to(error)
        if response.status == HTTPStatus.NOT_FOUND:
            return BoltResponse(status=HTTPStatus.OK)
        return response


class SocketModeHandler(AsyncSocketModeHandler):
    """Acknowledges also what Bolt cannot read: Bolt's own handler leaves it without an answer."""

    app: BoltApp

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


def create_bolt_app(app: App, interactions: Interactions) -> BoltApp:
    """Return the Bolt app with every listener of manifest.yml.

    Requests are verified before (`bot.runtime.http`), Socket Mode by its connection. A
    request's token is that of its installation.
    """

    async def authorize(context: AsyncBoltContext) -> AuthorizeResult:
        with transaction_timeout(_DATABASE_SECONDS):
            found = await app.slack.get(context[_TEAM])
        return AuthorizeResult(
            enterprise_id=None,
            team_id=found.team_id,
            bot_user_id=found.bot_user_id,
            bot_id=found.bot_id,
            bot_token=found.bot_token,
        )

    bolt = BoltApp(
        partial(store_event, app),
        name="kioku",  # without one, Bolt reads the source of every caller to find a name
        client=app.slack.tokenless(),
        authorize=authorize,
        request_verification_enabled=False,
    )

    @bolt.error
    async def failed(error: Exception, response: BoltResponse | None) -> None:
        answer = answer_to(error)
        # No response: a listener has acknowledged.
        if response is not None:
            response.status, response.body = answer.status, answer.body

    interactions.register(bolt)
    return bolt


def answer_to(error: Exception) -> BoltResponse:
    """Log a failed request; return the answer to Slack: what cannot be read is acknowledged.

    503 lets Slack send it again; 500 is an error of the app.
    """
    expected = isinstance(error, (OperationalError, *UNREADABLE))
    level = logging.WARNING if expected else logging.ERROR
    # By its type alone: the text of an exception may quote the request.
    log.log(level, "a request from Slack was not carried out: %s", fault(error))
    if isinstance(error, OperationalError):
        return BoltResponse(status=503, body="Please send it again.\n")
    return BoltResponse(status=HTTPStatus.OK if expected else HTTPStatus.INTERNAL_SERVER_ERROR)


async def store_event(app: App, body: dict[str, Any]) -> None:
    """Store an event for each installation that it is for.

    What is raised here becomes an answer other than 200, and Slack delivers the event again;
    `NotInstalled` does not: the event is dropped. Slack sends an event of a shared channel once,
    however many workspaces have the app.
    """
    await _store(app, body, await app.slack.bot_user_id(installation_team(body)))
    if body.get("is_ext_shared_channel"):
        for team in (await app.workspaces.with_message(body))[1:]:
            bot_user_id = await app.slack.bot_user_id(team)
            await _store(app, for_installation(body, team), bot_user_id)


async def _store(app: App, body: dict[str, Any], bot_user_id: str) -> None:
    """Store an event for one installation: of one that is gone only what says so."""
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
