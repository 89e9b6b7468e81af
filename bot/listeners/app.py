"""The Bolt app: wiring only."""

from __future__ import annotations

import logging
from typing import Any

from psycopg import OperationalError
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.conversation.inbox import Inbox
from bot.listeners import actions, commands, events
from bot.listeners import modals as listeners_of_modals
from bot.listeners.change_events import ChangeEvents
from bot.listeners.responder import Responder
from bot.listeners.validation import CheckedApp, MalformedRequests
from bot.logs import fault
from bot.memories.actions import MemoryActions
from bot.memories.commands import SlashCommands
from bot.memories.controls import MemoryControls
from bot.memories.exporting import Exporter
from bot.memories.modals import Modals
from bot.slack.payloads import UNREADABLE
from memory import InvalidNamespace, OutcomeUnknown

log = logging.getLogger(__name__)


def create_app(
    *,
    client: AsyncWebClient,
    identity: AuthorizeResult,
    inbox: Inbox,
    changes: ChangeEvents,
    own: MemoryActions,
    own_commands: SlashCommands,
    responder: Responder,
    controls: MemoryControls,
    exporting: Exporter,
    modals: Modals,
) -> CheckedApp:
    """Return the app with every listener of manifest.yml.

    Requests are verified before (`bot.runtime.http_routes`), Socket Mode by its connection. The
    app's identity was asked once at the start, so that no event waits for an ``auth.test``.
    """

    async def authorize() -> AuthorizeResult:
        return identity

    # Bolt puts the token of `identity` in for each request.
    tokenless = AsyncWebClient(base_url=client.base_url, retry_handlers=[])
    malformed = MalformedRequests(client)
    app = CheckedApp(
        malformed=malformed,
        client=tokenless,
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

    events.register(app, inbox=inbox, changes=changes, bot_user_id=str(identity.bot_user_id))
    commands.register(app, commands=own_commands, modals=modals, responder=responder)
    actions.register(
        app,
        own=own,
        adding=own_commands.adding,
        controls=controls,
        exporting=exporting,
        modals=modals,
        responder=responder,
    )
    listeners_of_modals.register(app, modals=modals, responder=responder)
    return app
