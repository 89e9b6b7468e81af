"""Commands, shortcuts, clicks and submitted forms; what they lead to, only the person sees."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, LiteralString, TypeVar

from psycopg import OperationalError
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.app import App
from bot.locale import Reader
from bot.logs import fault
from bot.memories.adding import remember_message
from bot.memories.clicks import (
    ACTIONS,
    FORMS,
    Result,
    carried_out,
    forget_typed,
    form_errors,
    memories_typed,
)
from bot.memories.home import show_home
from bot.memories.panel import read_panel
from bot.network import proxy_for
from bot.slack.client import SLACK_FAULTS, error_code, show_in_thread
from bot.slack.messages import UNREADABLE, Installation, installation_team, plain, user_key
from bot.ui.blocks import Payload, SlackView, section
from bot.ui.forms import metadata_of
from bot.ui.messages import done_payload, is_row, with_row_replaced
from bot.ui.panel import Click, Done, panel
from bot.ui.positions import Position, position_in
from memory import Person
from memory.postgres import execute_statement, transaction_timeout

log = logging.getLogger(__name__)

REMEMBER_THIS = "remember_this"
_DATABASE_SECONDS = 2.0
# Slack waits three seconds for the answer to a submission.
_ACK_SECONDS = 2.3
_AGAIN_SECONDS = 1.0
_ERROR_BLOCK = "error"
# Returns no row where the same request was carried out before.
_NOTE: LiteralString = (
    "INSERT INTO interactions (trigger_id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING trigger_id"
)

_Result = TypeVar("_Result", bound=Result | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command, shortcut, click or submission, and where its result is shown.

    `url`: where Slack takes the answer; there is none for Home. `position`: that of the panel in
    which the click was, None: it was in another message, or typed. `channel`: its conversation.
    `block_id`: of the block that was clicked.
    """

    body: Mapping[str, Any]
    url: str = ""
    position: Position | None = None
    channel: str = ""
    block_id: str = ""

    @classmethod
    def of(cls, body: Mapping[str, Any], block_id: str = "") -> Request:
        """Return a command, shortcut or click in the block `block_id`."""
        url = str(body.get("response_url") or "")
        position = position_in(block_id) or (None if url else Position())
        channel = str(body.get("channel_id") or (body.get("channel") or {}).get("id") or "")
        return cls(body=body, url=url, position=position, channel=channel, block_id=block_id)

    @classmethod
    def of_form(cls, body: Mapping[str, Any]) -> Request:
        """Return a submission, whose result is shown where its form was opened from."""
        kept = metadata_of(body["view"])
        where = kept.get("where", "")
        position = Position.parse(where) if where else None
        url, channel = kept.get("url", ""), kept.get("channel", "")
        return cls(body=body, url=url, position=position, channel=channel)

    @property
    def metadata(self) -> dict[str, str]:
        """What a form keeps of it; `of_form` reads that."""
        where = self.position.value if self.position else ""
        return {"url": self.url, "where": where, "channel": self.channel}


def person_of(body: Mapping[str, Any], installation: Installation) -> Person:
    """Return who typed a command or clicked, from Slack's own ids.

    Raises `memory.InvalidNamespace` where one is missing.
    """
    user = body.get("user") or {}
    key = user_key(body.get("user_id") or user.get("id"), user.get("team_id"), installation)
    return Person(installation.team_id, key)


class Interactions:
    """Answers what a person does in Slack's interface: acknowledged at once, shown when done."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._running: set[asyncio.Task[Any]] = set()

    def register(self, bolt: AsyncApp) -> None:
        """Register every command, shortcut, action and form of the app."""
        bolt.command("/memories")(self._command(memories_typed))
        bolt.command("/forget")(self._command(forget_typed))
        bolt.message_shortcut(REMEMBER_THIS)(self._shortcut)
        bolt.action(re.compile(f"^({'|'.join(ACTIONS)})(?:_[0-9]+)?$"))(self._clicked)
        bolt.view(re.compile(f"^({'|'.join(FORMS)})$"))(self._submitted)

    async def wait_until_idle(self, seconds: float) -> None:
        """Wait, so long at most, until each acknowledged request has its result shown."""
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=seconds)
            if left:
                log.warning("%d command(s) or click(s) were not answered", len(left))

    def _command(
        self, typed: Callable[[App, Click, str], Awaitable[Result]]
    ) -> Callable[..., Awaitable[None]]:
        async def command(ack: AsyncAck, command: dict[str, Any]) -> None:
            await ack()
            request = Request.of(command)
            words = plain(str(command.get("text") or ""))
            await self._do(request, lambda click: typed(self._app, click, request.channel), words)

        return command

    async def _shortcut(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        request = Request.of(body)
        message = body.get("message") or {}

        async def remember(click: Click) -> Done:
            return await remember_message(self._app, click, request.channel, message)

        await self._do(request, remember)

    async def _clicked(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        request = Request.of(body, str(action.get("block_id") or ""))
        value = str((action.get("selected_option") or action).get("value") or "")
        name = re.sub("_[0-9]+$", "", str(action["action_id"]))
        await self._do(request, partial(ACTIONS[name], self._app), value)

    async def _submitted(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        view = body["view"]
        request = Request.of_form(body)
        submit = FORMS[view["callback_id"]]

        async def work(click: Click) -> Done | SlackView:
            return await submit(self._app, click, view)

        with self._counted():
            click = await self._click(request)
            if errors := form_errors(self._app, click.reader, view):
                await ack(response_action="errors", errors=dict(errors))
                return
            running = asyncio.ensure_future(self._result(request, click, work))
            await asyncio.wait({running}, timeout=_ACK_SECONDS)
            if running.done() and isinstance(view_shown := running.result(), dict):
                await ack(response_action="update", view=view_shown)
                return
            # The form closes; what was done is shown where it was opened from.
            await ack()
            result = await running
            if result is None:
                return
            if isinstance(result, dict):
                texts = [block["text"]["text"] for block in result["blocks"] if "text" in block]
                result = Done(line="\n".join(texts))
            await self._show(request, click, result)

    async def _do(
        self,
        request: Request,
        work: Callable[[Click], Awaitable[Result | None]],
        value: str = "",
    ) -> None:
        """Do what was typed or clicked, and show what it led to."""
        with self._counted():
            click = await self._click(request, value)
            result = await self._result(request, click, work)
            if isinstance(result, dict):
                result = await _open_form(self._client(request), request, click, result)
            if result is not None:
                await self._show(request, click, result)

    def _client(self, request: Request) -> AsyncWebClient:
        """Return the client of the request's workspace; Bolt's own takes its proxy by itself."""
        return self._app.slack.client(installation_team(request.body))

    async def _click(self, request: Request, value: str = "") -> Click:
        installation = await self._app.slack.get(installation_team(request.body))
        person = person_of(request.body, installation)
        return Click(
            person=person,
            reader=await self._app.people.reader(person),
            value=value,
            position=request.position,
            origin=request.metadata,
        )

    async def _result(
        self, request: Request, click: Click, work: Callable[[Click], Awaitable[_Result]]
    ) -> _Result | Done | None:
        """Carry a request out and return what it led to; None: it was carried out before."""
        try:
            trigger_id = str(request.body["trigger_id"])
            with transaction_timeout(_DATABASE_SECONDS):
                new = await execute_statement(self._app.pool, _NOTE, (trigger_id,))
                return await carried_out(click, work) if new else None
        except Exception as error:  # noqa: BLE001 - logged, and the person is told
            return Done(line=_sentence(click.reader, error), beside=True)

    async def _show(self, request: Request, click: Click, result: Done | Position) -> None:
        """Show a position or what was done: in the panel that was clicked in, else as a message."""
        done = result if isinstance(result, Done) else None
        position = result if isinstance(result, Position) else result.position
        if not request.url:
            await self._show_home(request, click, position or request.position or Position(), done)
            return
        in_panel = request.position is not None
        beside = done is not None and done.beside and not in_panel
        shown = await self._message(click, result, None if beside else request.position)
        # A message of ours without a panel is replaced by what its button did.
        is_done_there = "actions" in request.body and position is None and not beside
        replaces = in_panel or is_done_there
        if is_done_there and is_row(request.block_id):
            message = request.body.get("message") or {}
            shown = with_row_replaced(message, request.block_id, shown)
        client = self._client(request)
        try:
            if not replaces and await show_in_thread(client, request.body, shown):
                return
            await _respond(request.url, shown, replace=replaces)
        except SLACK_FAULTS as error:
            log.warning("an answer was not shown: %s", fault(error))

    async def _message(
        self, click: Click, result: Done | Position, panel_at: Position | None
    ) -> Payload:
        """Return a result as a message, in the panel `panel_at` if there is one.

        A result that names a position is shown in a panel at that one.
        """
        try:
            if isinstance(result, Position):
                return await self._panel(click, result, None)
            if where := result.position or panel_at:
                return await self._panel(click, where, result)
            return done_payload(click.reader, result)
        except Exception as error:  # noqa: BLE001 - logged, and the person is told
            failed = Done(line=_sentence(click.reader, error), beside=True)
            return done_payload(click.reader, failed)

    async def _show_home(
        self, request: Request, click: Click, where: Position, done: Done | None
    ) -> None:
        try:
            with transaction_timeout(_DATABASE_SECONDS):
                await show_home(self._app, click.person, where, done)
        except Exception as error:  # noqa: BLE001 - logged, and the person is told
            # What the click has done is said above a page that does not show it yet.
            line = done.line if done else _sentence(click.reader, error)
            if done:
                log.warning("a Home could not be published: %s", fault(error))
            view = request.body.get("view") or {}
            if view.get("type") != "home":
                return
            shown = [b for b in view.get("blocks") or () if b.get("block_id") != _ERROR_BLOCK]
            blocks = [section(line, block_id=_ERROR_BLOCK), *shown][:100]
            await self._client(request).views_publish(
                user_id=click.person.user_id, view={"type": "home", "blocks": blocks}
            )

    async def _panel(self, click: Click, position: Position, done: Done | None) -> Payload:
        # Read again: the person may just have chosen another language.
        with transaction_timeout(_DATABASE_SECONDS):
            reader = await self._app.people.reader(click.person)
            channel = click.origin["channel"]
            content = await read_panel(self._app, click.person, reader, position, channel=channel)
        text = done.line if done else reader.say("memories_title")
        return {"text": text, "blocks": panel(reader, content, done)}

    @contextmanager
    def _counted(self) -> Iterator[None]:
        task = asyncio.current_task()
        running = {task} if task else set()
        self._running |= running
        try:
            yield
        finally:
            self._running -= running


async def _open_form(
    client: AsyncWebClient, request: Request, click: Click, view: SlackView
) -> Done | None:
    """Open a form; return what is said where Slack does not open it."""
    trigger = str(request.body.get("trigger_id") or "")
    try:
        await client.views_open(trigger_id=trigger, view=view)
    except SLACK_FAULTS as error:
        reason = error_code(error) or fault(error)
        log.warning("a form could not be opened: %s", reason)
        return Done(line=click.reader.say("modal_not_opened"), beside=True)
    return None


def _sentence(reader: Reader, error: Exception) -> str:
    """Log a failure, and return the sentence that reports it to the person.

    Expected are a database that is unavailable or busy, and values that cannot be read: those of
    buttons and forms may be of another version of the app.
    """
    expected = isinstance(error, (OperationalError, *UNREADABLE))
    level = logging.WARNING if expected else logging.ERROR
    log.log(level, "a command, click or form was not carried out", exc_info=error)
    return reader.say("command_broke")


async def _respond(url: str, shown: Payload, *, replace: bool) -> None:
    """Send a payload to a response URL; after a 5xx or 429 once more.

    What Slack refuses with 400, such as blocks that are too long, is sent as text alone.
    """
    webhook = AsyncWebhookClient(url)
    webhook.proxy = proxy_for(url)  # the SDK takes HTTPS_PROXY, without NO_PROXY
    body = {**shown, "response_type": "ephemeral", "replace_original": replace}
    response = await webhook.send_dict(body)
    if response.status_code == HTTPStatus.BAD_REQUEST:
        log.warning("Slack refused the blocks of an answer, so its text is shown")
        response = await webhook.send_dict({**body, "blocks": [section(shown["text"])]})
    elif response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.status_code >= 500:
        await asyncio.sleep(_AGAIN_SECONDS)
        response = await webhook.send_dict(body)
    if response.status_code != HTTPStatus.OK:
        log.warning("an answer was not shown: Slack answered %d", response.status_code)
