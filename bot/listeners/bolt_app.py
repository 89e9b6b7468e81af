"""The Bolt app: events are handled before the ack; commands, clicks and forms have listeners.

Bolt runs a listener of an event after the ack, so a crash would lose the event. It awaits a
middleware, whose exception becomes an answer other than 200: Slack delivers the event again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from psycopg import OperationalError
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse

from bot.app import App
from bot.listeners.events import handle_event
from bot.listeners.interactions import Interactions
from bot.listeners.origin import is_by_outsider
from bot.logs import fault
from bot.slack.client import SlackClient
from bot.slack.messages import UNREADABLE, installation_team, sanitize_payload
from memory.metrics import count
from memory.postgres import transaction_timeout

log = logging.getLogger(__name__)

# Slack waits three seconds for the ack.
_DATABASE_SECONDS = 2.0


def create_bolt_app(app: App, interactions: Interactions) -> AsyncApp:
    """Return the Bolt app with every listener of manifest.yml.

    Requests are verified before they come here: over HTTP by `bot.runtime.http`, in Socket Mode by
    the connection. Each request uses the token of its installation.
    """

    async def handle_events(
        request: AsyncBoltRequest, next_: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        """Answer an event once it is stored; let listeners answer any other request.

        While the app is uninstalled, every request is answered with one sentence.
        """
        body = sanitize_payload(request.body)
        if body.get("type") == "app_rate_limited":
            # More than 30,000 deliveries an hour were due.
            # Source: https://docs.slack.dev/apis/events-api/#rate-limiting
            log.warning(
                "Slack limits its deliveries to this app: events of a minute are missing"
            )
            return BoltResponse(status=HTTPStatus.OK)
        if "event" in body:
            with transaction_timeout(_DATABASE_SECONDS):
                problem = await handle_event(app, body)
            return (
                _uninstalled(problem) if problem else BoltResponse(status=HTTPStatus.OK)
            )
        if app.presence.problem is not None:
            return _uninstalled(app.presence.problem)
        request.body = body
        # Bolt reads the id of the workspace by rules of its own.
        request.context["team_id"] = installation_team(body)
        await next_()
        return None

    async def authorize(team_id: str) -> AuthorizeResult:
        installation = app.slack.installation_in(team_id)
        return AuthorizeResult(
            enterprise_id=None,
            team_id=installation.team_id,
            bot_user_id=installation.bot_user_id,
            bot_token=installation.bot_token,
        )

    bolt = AsyncApp(
        name="kioku",  # without one, Bolt reads the source of every caller to find a name
        client=SlackClient(base_url=app.slack.base_url, session=app.slack.session),
        before_authorize=handle_events,
        authorize=authorize,
        request_verification_enabled=False,
        # So that `answer_failure` answers a request that has no listener.
        raise_error_for_unhandled_request=True,
    )

    @bolt.middleware
    async def ignore_outsiders(
        body: dict[str, Any], next_: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        """Acknowledge what people of another organisation type and click, and do nothing."""
        if await is_by_outsider(app, body):
            return BoltResponse(status=HTTPStatus.OK)
        await next_()
        return None

    @bolt.error
    async def answer_failure(
        error: Exception, response: BoltResponse | None
    ) -> BoltResponse | None:
        answer = answer_to(error)
        # Without a response the listener has acknowledged the request already.
        return None if response is None else answer

    interactions.register(bolt)
    return bolt


def _uninstalled(problem: str) -> BoltResponse:
    return BoltResponse(status=HTTPStatus.SERVICE_UNAVAILABLE, body=f"{problem}\n")


def answer_to(error: Exception) -> BoltResponse:
    """Log and count a failed request, and return the answer to Slack.

    Slack delivers an event up to three times more after a 503 (PostgreSQL is unavailable or busy)
    or a 500 (an error of this app), and stops deliveries to an app that fails too often:
    https://docs.slack.dev/apis/events-api/#retries. So a request that cannot be read or has no
    listener, such as a click on a button of another version, is acknowledged.
    """
    is_passing = isinstance(error, OperationalError)
    is_acknowledged = isinstance(error, (BoltUnhandledRequestError, *UNREADABLE))
    # The type alone is logged: the text of an exception may quote the request.
    level = logging.WARNING if is_passing or is_acknowledged else logging.ERROR
    log.log(level, "a request from Slack was not carried out: %s", fault(error))
    if is_passing:
        count("errors", kind="database_away")
        return BoltResponse(
            status=HTTPStatus.SERVICE_UNAVAILABLE, body="Please send it again.\n"
        )
    if is_acknowledged:
        return BoltResponse(status=HTTPStatus.OK)
    return BoltResponse(status=HTTPStatus.INTERNAL_SERVER_ERROR)
