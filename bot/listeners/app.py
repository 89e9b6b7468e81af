"""The Bolt app: each payload is checked before its listeners."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from psycopg import OperationalError
from slack_bolt.async_app import AsyncApp, AsyncBoltContext, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse

from bot.conversation.inbox import Inbox
from bot.listeners import actions, commands, events
from bot.listeners import modals as listeners_of_modals
from bot.listeners.change_events import ChangeEvents
from bot.listeners.events import EVENTS
from bot.listeners.malformed import MALFORMED, MalformedRequests
from bot.listeners.responder import Responder
from bot.logs import fault
from bot.memories.commands import SlashCommands
from bot.memories.modals import Modals
from bot.slack.installations import Installations
from bot.slack.messages import installation_team
from bot.slack.payloads import UNREADABLE, cleaned, is_slacks
from bot.users.workspaces import Workspaces
from memory import InvalidNamespace, OutcomeUnknown, transaction_timeout

log = logging.getLogger(__name__)

# The id of the installation that a request is for, in Bolt's context.
_TEAM = "installation_team"
_DATABASE_SECONDS = 2.0


class UnknownWorkspace(LookupError):
    """The app is not installed in the workspace of a request: it is acknowledged and counted."""


class CheckedApp(AsyncApp):
    """A Bolt app whose listeners are given no malformed payload, over every transport."""

    def __init__(self, *, malformed: MalformedRequests, **settings: Any) -> None:
        super().__init__(**settings)
        self.malformed = malformed

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Dispatch a request as `receive` does."""
        return await self.receive(req.body, lambda: req)

    async def receive(
        self, sent: Mapping[str, Any], request: Callable[[], AsyncBoltRequest]
    ) -> BoltResponse:
        """Dispatch the `request` made of a payload; acknowledge what is malformed or not handled.

        The request is made after the check: Bolt reads ids of the payload to make it.
        """
        if _is_limit(sent):
            log.warning("Slack limits its deliveries to this app: events of a minute are missing")
            return BoltResponse(status=HTTPStatus.OK)
        if _is_unhandled(sent):
            return BoltResponse(status=HTTPStatus.OK)
        body = cleaned(sent)
        if body is None:
            return await self._refuse(sent)
        try:
            checked = request()
        except MALFORMED:
            return await self._refuse(sent)
        checked.body = body
        checked.context[_TEAM] = installation_team(body)
        response = await super().async_dispatch(checked)
        if response.status == HTTPStatus.NOT_FOUND:
            # A button of an older version, or a command this version does not have.
            return await self.malformed.acknowledge(body, "no listener")
        return response

    async def _refuse(self, sent: Mapping[str, Any]) -> BoltResponse:
        if not is_slacks(sent):
            return BoltResponse(status=HTTPStatus.BAD_REQUEST, body="Slack sends no such body.\n")
        return await self.malformed.acknowledge(sent, "malformed")


def _is_limit(sent: Mapping[str, Any]) -> bool:
    """Return whether Slack reports that it left events out: more than 30,000 an hour were due.

    Source: https://docs.slack.dev/apis/events-api/#rate-limiting
    """
    return sent.get("type") == "app_rate_limited" and "event" not in sent


def _is_unhandled(sent: Mapping[str, Any]) -> bool:
    """Return whether it is an event of a type that has no listener."""
    event = sent.get("event")
    kind = event.get("type") if isinstance(event, dict) else None
    return isinstance(kind, str) and kind not in EVENTS


def create_app(
    *,
    slack: Installations,
    inbox: Inbox,
    changes: ChangeEvents,
    workspaces: Workspaces,
    slash_commands: SlashCommands,
    modals: Modals,
    responder: Responder,
) -> CheckedApp:
    """Return the app with every listener of manifest.yml.

    Requests are verified before (`bot.runtime.http_routes`), Socket Mode by its connection. A
    request's token is that of its installation.
    """

    async def authorize(context: AsyncBoltContext) -> AuthorizeResult:
        with transaction_timeout(_DATABASE_SECONDS):
            found = await slack.find(context[_TEAM])
        if found is None:
            raise UnknownWorkspace
        return AuthorizeResult(
            enterprise_id=None,
            team_id=found.team_id,
            bot_user_id=found.bot_user_id,
            bot_id=found.bot_id,
            bot_token=found.bot_token,
        )

    malformed = MalformedRequests(slack.client)
    app = CheckedApp(
        malformed=malformed,
        client=slack.tokenless(),
        authorize=authorize,
        request_verification_enabled=False,
    )

    @app.error
    async def failed(error: Exception, response: BoltResponse | None, body: dict[str, Any]) -> None:
        # There is no response where a listener has acknowledged already. Any other status than 200
        # lets Slack deliver an event again.
        if isinstance(error, OperationalError | OutcomeUnknown):
            log.warning("PostgreSQL did not answer a request from Slack in time", exc_info=error)
            if response is not None:
                response.status, response.body = 503, "Please send it again.\n"
            return
        if not isinstance(error, InvalidNamespace | UNREADABLE):
            log.error("a request from Slack was not carried out", exc_info=error)
            return
        answer = await malformed.acknowledge(body, fault(error))
        if response is not None:
            response.status, response.body = answer.status, answer.body
            response.headers.update(answer.headers)

    events.register(app, inbox=inbox, changes=changes, workspaces=workspaces)
    commands.register(app, commands=slash_commands, modals=modals, responder=responder)
    actions.register(app, adding=slash_commands.adding, modals=modals, responder=responder)
    listeners_of_modals.register(app, modals=modals, responder=responder)
    return app
