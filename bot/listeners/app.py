"""The Bolt app: an event is stored before its ack, and what cannot be read is acknowledged.

Events are messages, their edits and deletions, Stop, App Home, changes of people, of conversations
and of their ids, uninstalls and revoked tokens. Answers and later jobs are the worker's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
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
from bot.conversation.edits import MessageChange, root_of
from bot.listeners.interactions import Interactions
from bot.logs import fault
from bot.memories.channels import change_channel_later
from bot.memories.home import publish_later
from bot.pipeline.backfill import read_follow_ups
from bot.pipeline.changes import follow_change
from bot.slack.client import NotInstalled
from bot.slack.messages import (
    UNREADABLE,
    Installation,
    Message,
    author_key,
    found_message,
    installation_team,
    read_message,
    received,
    thread_key,
    user_key,
)
from memory import DM, Person
from memory.postgres import transaction_timeout

log = logging.getLogger(__name__)

DEPARTURES = frozenset({"app_uninstalled", "tokens_revoked"})
# The id of the installation that a request is for, in Bolt's context.
_TEAM = "installation_team"
_DATABASE_SECONDS = 2.0
# Slack repeats a failed delivery after a minute.
_LATE_DELIVERY_SECONDS = 60.0
# A conversion is reported by a message in the channel, any other change by an event of its own.
CONVERSATION_CHANGES = frozenset(
    {
        "channel_shared",
        "channel_unshared",
        "channel_archive",
        "channel_unarchive",
        "channel_left",
        "group_left",
        "channel_convert_to_private",
        "channel_convert_to_public",
    }
)
# Slack delivers events of the same moment in any order, and for six minutes again what failed.
_ON_ITS_WAY_SECONDS = 420.0


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

        The return is the ack. If a transaction of an event takes more than two seconds, it is 503,
        and Slack, which waits for three, delivers the event again. `request` is called once
        `received` has checked the payload, because Bolt reads ids in it. What has no listener, such
        as a button of an older version, is acknowledged.
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
    `NotInstalled` does not: the event is dropped. An uninstall sends two events in any order, and
    the first ends the installation, so no installation is looked up for them. Slack sends an event
    of a channel that is shared with other organisations once, however many of them have the app,
    and names any one of them. Source:
    https://docs.slack.dev/reference/methods/apps.event.authorizations.list
    """
    if body["event"].get("type") in DEPARTURES:
        await _left(app, body)
        return
    if not body.get("is_ext_shared_channel"):
        await _store(app, body, await app.slack.get(installation_team(body)))
        return
    for team in await app.workspaces.with_message(body):
        with suppress(NotInstalled):
            await _store(app, body, await app.slack.get(team))


async def _store(app: App, body: dict[str, Any], installation: Installation) -> None:
    """Store an event for one installation that is served."""
    message = read_message(body, installation)
    if message is not None:
        await store_message(app, message)
    elif _is_of_an_app(body["event"]):
        return
    elif await app.workspaces.serves(installation.team_id):
        await note_event(app, body, installation)
    else:
        log.info("an event of a workspace that is not served was dropped")


async def _left(app: App, body: Mapping[str, Any]) -> None:
    """Record an uninstall, or that the bot's token was revoked."""
    event, uninstalled = body["event"], body["event"]["type"] == "app_uninstalled"
    if uninstalled or (event.get("tokens") or {}).get("bot"):
        # In seconds since 1970, by Slack's clock.
        at = float(body.get("event_time") or time.time())
        await app.workspaces.left(installation_team(body), at, uninstalled=uninstalled)


async def store_message(app: App, message: Message) -> bool:
    """Store a message; return whether it was new. Of a late mention the thread is read, too.

    What was written below the mention before it came is not stored: it addressed nobody.
    """
    stored = await app.inbox.store(message)
    is_mention = message.addressed and message.audience != DM
    if is_mention and time.time() - float(message.ts) >= _LATE_DELIVERY_SECONDS:
        await read_follow_ups(app, message)
    return stored


def _is_of_an_app(event: Mapping[str, Any]) -> bool:
    """Return whether an app's message came or changed; this app's come and change as it answers.

    An app that converts a conversation changes who hears it: that counts.
    """
    messages = (event, event.get("message"), event.get("previous_message"))
    said = any(one.get("bot_id") for one in messages if isinstance(one, dict))
    return said and event.get("subtype") not in CONVERSATION_CHANGES


async def note_event(app: App, body: Mapping[str, Any], installation: Installation) -> None:
    """Take note of an ``event_callback`` that is no person's message."""
    event, team = body["event"], installation.team_id
    channel, changed = str(event.get("channel")), partial(_message_changed, app, body, installation)
    match event.get("type"), event.get("subtype"):
        case "message", "message_changed":
            edited, before = event.get("message") or {}, event.get("previous_message") or {}
            # Slack leaves a tombstone in the place of a deleted message that has replies.
            if edited.get("subtype") == "tombstone":
                await changed(before or edited, None)
            # Slack also says so when it adds a preview to a link.
            elif before.get("text") != str(edited.get("text") or ""):
                await changed(before, edited)
        case "message", "message_deleted":
            before, ts = event.get("previous_message"), str(event.get("deleted_ts"))
            # Slack's reference shows this event without the message.
            before = before or {"thread_ts": await root_of(app.pool, team, channel, ts)}
            await changed({**before, "ts": ts}, None)
        case "agent_session_stopped", _:
            await _stopped(app, event, team, channel)
        case "app_home_opened", _:
            if event.get("tab") == "home":
                person = Person(team, str(event.get("user")))
                await publish_later(app.pool, app.queue, person)
        case "user_change", _:
            user = event.get("user") or {}
            key = user_key(user.get("id"), user.get("team_id"), installation)
            await app.people.changed(Person(team, key), user)
            app.names.note_user(team, user)
        case "channel_id_changed", _:
            old = str(event.get("old_channel_id"))
            await change_channel_later(app, team, old, str(event.get("new_channel_id")))
        case kind, subtype if {kind, subtype} & CONVERSATION_CHANGES:
            await app.audiences.invalidate(team, channel)


async def _stopped(app: App, event: Mapping[str, Any], team: str, channel: str) -> None:
    """Interrupt the turn of a thread; without one, nothing but this ends `processing`."""
    thread_ts, stopped_ts = str(event.get("thread_ts")), str(event.get("event_ts") or "")
    thread = thread_key(team, channel, thread_ts)
    if not await app.inbox.interrupt(thread, stopped_ts=stopped_ts):
        app.sessions.activate(thread)


async def _message_changed(
    app: App,
    body: Mapping[str, Any],
    here: Installation,
    before: Mapping[str, Any],
    edited: Mapping[str, Any] | None,
) -> None:
    """Follow an edit or, without `edited`, a deletion of a message that was as `before`."""
    event, inbox, shared = body["event"], app.inbox, bool(body.get("is_ext_shared_channel"))
    channel = str(event.get("channel"))
    changed = before if edited is None else edited
    ts, text = str(changed.get("ts")), None if edited is None else str(edited.get("text") or "")
    unknown = found_message(before, here, channel_id=channel, is_shared=shared)
    if unknown is not None and time.time() - float(unknown.ts) <= _ON_ITS_WAY_SECONDS:
        if text is None:
            await inbox.store_withdrawn(unknown)
        else:
            await inbox.store(replace(unknown, text=text))
    again = None
    if edited and "text" in before:
        again = found_message(edited, here, channel_id=channel, is_shared=shared)
    await follow_change(
        app,
        MessageChange(
            team_id=here.team_id,
            channel_id=channel,
            ts=ts,
            thread=thread_key(here.team_id, channel, str(changed.get("thread_ts") or ts)),
            author=author_key(before, here, shared=shared),
            text=text,
            changed_ts=str(event.get("ts") or ""),
            again=again,
        ),
    )
