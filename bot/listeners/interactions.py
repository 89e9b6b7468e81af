"""Commands, shortcuts, clicks and submitted forms; what they lead to, only the person sees."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar

from psycopg import OperationalError
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.http_retry import HttpResponse, RetryState
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.app import App
from bot.locale import Reader
from bot.logs import fault
from bot.memories.adding import remember_message
from bot.memories.clicks import (
    Result,
    forget_typed,
    form_errors,
    memories_typed,
    perform,
    run_action,
    submit,
)
from bot.memories.home import show_home
from bot.memories.panel import read_panel
from bot.network import proxy_for
from bot.slack.client import SLACK_FAULTS, error_code, show_in_thread
from bot.slack.messages import UNREADABLE, Installation, installation_team, plain, user_key
from bot.slack.retries import RESPONSE_URL, RateLimits, SlackRetries
from bot.ui.acts import Place, Position, clicked_act, position_in, submitted_act
from bot.ui.blocks import Payload, SlackView, section
from bot.ui.forms import final_view
from bot.ui.messages import done_payload, is_row, with_row_replaced
from bot.ui.panel import Click, Done, panel
from memory import Person
from memory.postgres import execute_statement, load_statements, transaction_timeout

log = logging.getLogger(__name__)

_SQL = load_statements("bot", "interactions")

REMEMBER_THIS = "remember_this"
_DATABASE_SECONDS = 2.0
# Slack waits three seconds for the answer to a submission.
_ACK_SECONDS = 2.3
_PATIENCE_SECONDS = 3.0  # with Slack, as a response URL is answered
_ERROR_BLOCK = "error"
_ANY = re.compile("")

Body: TypeAlias = Mapping[str, Any]
"""A command, shortcut, click or submission, as Slack sends it."""
_Result = TypeVar("_Result", bound=Result | None)


def place_of(body: Body, block_id: str = "") -> Place:
    """Return where a command, shortcut or click in the block `block_id` was made."""
    url = str(body.get("response_url") or "")
    position = position_in(block_id)
    if position is None and not url:
        position = Position()
    channel = str(body.get("channel_id") or (body.get("channel") or {}).get("id") or "")
    return Place(url=url, position=position, channel=channel)


def person_of(body: Body, installation: Installation) -> Person:
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
        """Register every command and shortcut of the app, and all clicks and forms."""
        bolt.command("/memories")(self._command(memories_typed))
        bolt.command("/forget")(self._command(forget_typed))
        bolt.message_shortcut(REMEMBER_THIS)(self._shortcut)
        bolt.action(_ANY)(self._clicked)
        bolt.view(_ANY)(self._submitted)

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
            words = " ".join(plain(str(command.get("text") or "")).split())
            await self._do(command, place_of(command), lambda click: typed(self._app, click, words))

        return command

    async def _shortcut(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        message = body.get("message") or {}

        async def remember(click: Click) -> Done:
            return await remember_message(self._app, click, click.place.channel, message)

        await self._do(body, place_of(body), remember)

    async def _clicked(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        place = place_of(body, str(action.get("block_id") or ""))
        act = clicked_act(action)

        async def work(click: Click) -> Result | None:
            if act is None:
                log.info("a click could not be read")
                return Done(line=click.reader.say("old_button"), beside=True)
            return await perform(self._app, click, act)

        await self._do(body, place, work)

    async def _submitted(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        view = body["view"]
        act = submitted_act(view)

        async def work(click: Click) -> Done | SlackView | None:
            if act is None:
                log.info("a form could not be read")
                return final_view(click.reader, "memories_title", click.reader.say("old_button"))
            return await submit(self._app, click, act, view)

        with self._counted():
            click = await self._click(body, act.place if act else Place())
            errors = form_errors(self._app, click.reader, act, view) if act else {}
            if errors:
                await ack(response_action="errors", errors=dict(errors))
                return
            running = asyncio.ensure_future(self._result(body, click, work))
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
            await self._show(body, click, result)

    async def _do(
        self, body: Body, place: Place, work: Callable[[Click], Awaitable[Result | None]]
    ) -> None:
        """Do what was typed or clicked, and show what it led to."""
        with self._counted():
            click = await self._click(body, place)
            result = await self._result(body, click, work)
            if isinstance(result, dict):
                result = await _open_form(self._client(body), body, click, result)
            if result is not None:
                await self._show(body, click, result)

    def _client(self, body: Body) -> AsyncWebClient:
        """Return the client of the request's workspace; Bolt's own takes its proxy by itself."""
        return self._app.slack.client(installation_team(body))

    async def _click(self, body: Body, place: Place) -> Click:
        installation = await self._app.slack.get(installation_team(body))
        person = person_of(body, installation)
        return Click(person=person, reader=await self._app.people.reader(person), place=place)

    async def _result(
        self, body: Body, click: Click, work: Callable[[Click], Awaitable[_Result]]
    ) -> _Result | Done | None:
        """Carry a request out and return what it led to; None: it was carried out before."""
        try:
            trigger_id = str(body["trigger_id"])
            with transaction_timeout(_DATABASE_SECONDS):
                new = await execute_statement(self._app.pool, _SQL["note"], {"trigger": trigger_id})
                return await run_action(click, work) if new else None
        except Exception as error:  # noqa: BLE001 - logged, and the person is told
            return Done(line=_sentence(click.reader, error), beside=True)

    async def _show(self, body: Body, click: Click, result: Done | Position) -> None:
        """Show a position or what was done: in the panel that was clicked in, else as a message."""
        place = click.place
        done = result if isinstance(result, Done) else None
        position = result if isinstance(result, Position) else result.position
        if not place.url:
            await self._show_home(body, click, position or place.position or Position(), done)
            return
        in_panel = place.position is not None
        beside = done is not None and done.beside and not in_panel
        shown = await self._message(click, result, None if beside else place.position)
        # A message of ours without a panel is replaced by what its button did.
        is_done_there = "actions" in body and position is None and not beside
        replaces = in_panel or is_done_there
        if is_done_there:
            shown = _in_clicked_row(body, shown)
        try:
            if not replaces and await show_in_thread(self._client(body), body, shown):
                return
            await _respond(place.url, shown, replace=replaces)
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
        self, body: Body, click: Click, where: Position, done: Done | None
    ) -> None:
        try:
            with transaction_timeout(_DATABASE_SECONDS):
                await show_home(self._app, click.person, where, done)
        except Exception as error:  # noqa: BLE001 - logged, and the person is told
            # What the click has done is said above a page that does not show it yet.
            line = done.line if done else _sentence(click.reader, error)
            if done:
                log.warning("a Home could not be published: %s", fault(error))
            view = body.get("view") or {}
            if view.get("type") != "home":
                return
            shown = [b for b in view.get("blocks") or () if b.get("block_id") != _ERROR_BLOCK]
            blocks = [section(line, block_id=_ERROR_BLOCK), *shown][:100]
            await self._client(body).views_publish(
                user_id=click.person.user_id, view={"type": "home", "blocks": blocks}
            )

    async def _panel(self, click: Click, position: Position, done: Done | None) -> Payload:
        # Read again: the person may just have chosen another language.
        with transaction_timeout(_DATABASE_SECONDS):
            reader = await self._app.people.reader(click.person)
            channel = click.place.channel
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


def _in_clicked_row(body: Body, shown: Payload) -> Payload:
    """Return what a click did; of a click in a reminder, the reminder with that in its row."""
    block_id = str(body["actions"][0].get("block_id") or "")
    if not is_row(block_id):
        return shown
    return with_row_replaced(body.get("message") or {}, block_id, shown)


async def _open_form(
    client: AsyncWebClient, body: Body, click: Click, view: SlackView
) -> Done | None:
    """Open a form; return what is said where Slack does not open it."""
    trigger = str(body.get("trigger_id") or "")
    try:
        await client.views_open(trigger_id=trigger, view=view)
    except SLACK_FAULTS as error:
        reason = error_code(error) or fault(error)
        log.warning("a form could not be opened: %s", reason)
        return Done(line=click.reader.say("modal_not_opened"), beside=True)
    return None


def _sentence(reader: Reader, error: Exception) -> str:
    """Log a failure, and return the sentence that reports it to the person.

    Expected are a database that is unavailable or busy, and values of a form that cannot be read.
    """
    expected = isinstance(error, (OperationalError, *UNREADABLE))
    level = logging.WARNING if expected else logging.ERROR
    log.log(level, "a command, click or form was not carried out", exc_info=error)
    return reader.say("command_broke")


async def _respond(url: str, shown: Payload, *, replace: bool) -> None:
    """Send a payload to a response URL, again if need be as `SlackRetries` says.

    What Slack refuses with 400, such as blocks that are too long, is sent as text alone.
    """
    retries = SlackRetries(RateLimits(), "", RESPONSE_URL, _PATIENCE_SECONDS)
    webhook = AsyncWebhookClient(url, retry_handlers=[retries])
    webhook.proxy = proxy_for(url)  # the SDK takes HTTPS_PROXY, without NO_PROXY
    body = {**shown, "response_type": "ephemeral", "replace_original": replace}
    response = await webhook.send_dict(body)
    state = RetryState()
    # The SDK asks its handlers about rate limits and lost connections, not about server errors.
    while response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        failed = HttpResponse(status_code=response.status_code, headers={})
        if not await retries.can_retry_async(state=state, response=failed):
            break
        await retries.prepare_for_next_attempt_async(state=state)
        response = await webhook.send_dict(body)
    if response.status_code == HTTPStatus.BAD_REQUEST:
        log.warning("Slack refused the blocks of an answer, so its text is shown")
        response = await webhook.send_dict({**body, "blocks": [section(shown["text"])]})
    if response.status_code != HTTPStatus.OK:
        log.warning("an answer was not shown: Slack answered %d", response.status_code)
