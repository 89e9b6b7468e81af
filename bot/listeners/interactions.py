"""Commands, shortcuts, clicks and submitted forms, whose results only the person sees."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.acts.blocks import Payload, SlackView
from bot.acts.kinds import (
    ButtonAct,
    DeleteData,
    Edit,
    FormAct,
    Open,
    Place,
    Position,
    Rate,
    Switch,
    clicked_act,
    panel_position,
    searched_words,
    submitted_act,
)
from bot.acts.phrases import Request, heard_after_forget, heard_after_memories
from bot.acts.receipt import (
    EXPECTED,
    Click,
    NotDone,
    Receipt,
    blocks_above,
    explain,
    replaced_in,
)
from bot.app import App
from bot.commands.clicks import form_errors, form_of, perform, submit
from bot.commands.commands import act_of, carry_out
from bot.forgetting.forgetting import forget_words_question
from bot.kept.acts import is_listed, keep_message
from bot.listeners.origin import (
    Body,
    clicked_block,
    person_of,
    place_of,
    typed_words,
)
from bot.listeners.responses import (
    PATIENCE_SECONDS,
    failure_sentence,
    respond,
    show_in_thread,
)
from bot.logs import fault
from bot.panel.content import read_panel
from bot.panel.forms import final_view
from bot.panel.home import show_home
from bot.panel.rows import PanelContent
from bot.panel.views import (
    asks_which,
    in_every_language,
    loading_view,
    panel_view,
    view_as_it_was,
)
from bot.remembering.adding import remember_message
from bot.slack.client import SLACK_FAULTS, TeamClient, slack_fault
from bot.slack.files import is_slacks
from bot.slack.messages import installation_team
from bot.slack.posting import show_privately
from memory.metrics import count
from memory.postgres import execute_statement, load_statements, transaction_timeout

log = logging.getLogger(__name__)

_SQL = load_statements("bot.listeners", "interactions")

REMEMBER_THIS = "remember_this"
KEEP_FOR_CHANNEL = "keep_for_channel"
KEEP_AS_DECISION = "keep_as_decision"
_DATABASE_SECONDS = 2.0
# Slack waits three seconds for the answer to a submission.
_ACK_SECONDS = 2.3
# Slack takes a trigger for three seconds, and reading for a form takes some of them.
_TRIGGER_SECONDS = 2.0
_ANY = re.compile("")

_Found = TypeVar("_Found")
Work: TypeAlias = Callable[[Click], Awaitable[_Found]]
"""What a request asks for, and what it leads to."""


class Interactions:
    """Acknowledges at once what a person does in Slack's interface, and shows the result later."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._running: set[asyncio.Task[Any]] = set()

    def register(self, bolt: AsyncApp) -> None:
        """Register every command and shortcut of the app, and all clicks and forms."""
        bolt.command("/memories")(self._memories)
        bolt.command("/forget")(self._forget)
        for shortcut in (REMEMBER_THIS, KEEP_FOR_CHANNEL, KEEP_AS_DECISION):
            bolt.message_shortcut(shortcut)(self._shortcut_used)
        bolt.action(_ANY)(self._clicked)
        bolt.view(_ANY)(self._submitted)

    async def wait_until_idle(self, seconds: float) -> None:
        """Wait at most `seconds` until every acknowledged request has shown its result."""
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=seconds)
            if left:
                log.warning("%d command(s) or click(s) were not answered", len(left))

    def _track(self) -> None:
        """Let `wait_until_idle` wait for the current task."""
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _memories(self, ack: AsyncAck, command: dict[str, Any]) -> None:
        await ack()
        self._track()
        words = typed_words(command)
        place = place_of(command)
        await self._asked(command, place, heard_after_memories(words))

    async def _forget(self, ack: AsyncAck, command: dict[str, Any]) -> None:
        await ack()
        self._track()
        words = typed_words(command)
        place = place_of(command)
        if not words:
            # The person chooses in the panel.
            await self._open_panel(command, place, Position())
        else:
            await self._asked(command, place, heard_after_forget(words))

    async def _asked(self, command: Body, place: Place, request: Request) -> None:
        """Do what was asked for after a command."""
        act = act_of(request, place.channel)
        if isinstance(act, Position):
            await self._open_panel(command, place, act)
        elif act is not None:
            await self._act(command, place, act)
        else:
            await self._carry_out(command, place, request)

    async def _carry_out(self, command: Body, place: Place, request: Request) -> None:
        """Do what was typed, and show what is said of it.

        What may be forgotten, if it is several, is shown in a window, which keeps the other rows
        after a click in one: of a message that only one person sees, a click replaces all.
        """
        click = await self._read_click(command, place)
        told = await self._attempt(
            command, click, lambda click: carry_out(self._app, click, request)
        )
        if told is None:
            return
        if request.what == "forget" and asks_which(told):
            position = Position(list="forget", of=request.words)
            content = PanelContent(position=position, to_forget=told)
            if await self._open(command, panel_view(click.localizer, content)):
                return
        await self._show_message(command, click, told, replaces=False)

    async def _shortcut_used(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Remember the message on which a shortcut was used, or keep it for its channel."""
        await ack()
        self._track()
        message = body.get("message") or {}
        shortcut = body["callback_id"]
        place = place_of(body)

        async def work(click: Click) -> Payload:
            if shortcut == REMEMBER_THIS:
                return await remember_message(self._app, click, place.channel, message)
            decision = shortcut == KEEP_AS_DECISION
            kept = await keep_message(self._app, click, message, decision=decision)
            return kept.payload

        click = await self._read_click(body, place)
        if told := await self._attempt(body, click, work):
            await self._show_message(body, click, told, replaces=False)

    async def _clicked(
        self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]
    ) -> None:
        await ack()
        self._track()
        place = place_of(body)
        act = clicked_act(action)
        match act:
            case Rate():
                count("ratings", rating=act.rating)
            case Position(list="kept") if not is_listed(act, place):
                await self._act(body, place, None)
            case Position() if act.is_history and not place.is_history:
                await self._open_panel(body, place, act)
            case Position() if "view" in body:
                click = await self._read_click(body, place)
                await self._show_panel(body, click, act)
            case Position():
                await self._open_panel(body, place, act)
            case _:
                await self._act(body, place, act)

    async def _submitted(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        self._track()
        end = asyncio.get_running_loop().time() + _ACK_SECONDS
        if act := submitted_act(body["view"]):
            await self._submit(ack, body, act)
        else:
            await self._searched(ack, body, end)

    async def _submit(self, ack: AsyncAck, body: Body, act: FormAct) -> None:
        """Keep the form open if it has errors, or else do what it says and show the receipt.

        The form closes, and the receipt stands where it was opened; that of an erasure in the form.
        """
        view = body["view"]
        click = await self._read_click(body, act.place, is_submission=True)
        errors = form_errors(click.localizer, act, view)
        erases = isinstance(act, DeleteData)
        if errors:
            await ack(response_action="errors", errors=dict(errors))
            return
        if erases:
            under_way = final_view(
                click.localizer, "delete_title", click.localizer.say("loading")
            )
            await ack(response_action="update", view=under_way)
        else:
            await ack()
        receipt = await self._attempt(
            body, click, lambda _: submit(self._app, click, act, view)
        )
        if receipt is None:
            return
        if erases:
            await self._end_erasure(body, click, receipt)
            if click.place.view:
                await self._show_panel(body, click, Position())
        else:
            await self._show(body, click, receipt)

    async def _end_erasure(self, body: Body, click: Click, receipt: Receipt) -> None:
        """Say how an erasure ended in its form, which has said that it is under way."""
        ended = final_view(click.localizer, "delete_title", receipt.line)
        await self._update(body, str(body["view"]["id"]), ended)

    async def _searched(self, ack: AsyncAck, body: Body, end: float) -> None:
        """Show the panel with what the submitted search words find.

        A form of another version, which cannot be read, is replaced by the panel, with a line that
        says so. If the panel is not ready at `end`, a time of the event loop, what is open stays,
        with a line that says so.
        """
        position = Position(of=searched_words(body["view"]))
        try:
            async with asyncio.timeout_at(end):
                click = await self._read_click(body, place_of(body), is_submission=True)
                is_old_form = panel_position(body["view"]) is None
                receipt = click.say("old_button") if is_old_form else None
                view = await self._panel(body, click, position, receipt)
        except TimeoutError:
            log.warning("a search took too long")
            late = Receipt(line=in_every_language("command_failed"))
            view = view_as_it_was(body["view"], late)
        await ack(response_action="update", view=view)

    async def _open_panel(self, body: Body, place: Place, position: Position) -> None:
        """Open the panel for a command or a click in a message.

        A modal is opened at once, because Slack gives three seconds for it, and filled when the
        database has answered.
        """
        view = await self._open(body, loading_view(position))
        if view:
            place = Place(view=view, position=position, channel=place.channel)
        click = await self._read_click(body, place)

        async def opened(click: Click) -> Position:
            if not view:
                raise NotDone(click.localizer.say("modal_not_opened"))
            return position

        if found := await self._attempt(body, click, opened):
            await self._show_panel(body, click, found)

    async def _act(self, body: Body, place: Place, act: ButtonAct | None) -> None:
        """Open the form of an act, or do what it says and show the receipt."""
        click = await self._read_click(body, place)
        match act:
            case Open() | Edit():
                form = await self._attempt(
                    body, click, lambda click: form_of(self._app, click, act)
                )
                if form and not await self._open(body, form):
                    await self._show_problem(body, click, click.say("modal_not_opened"))
            case None | Position() | Rate():
                log.info("a click could not be read")
                await self._show_problem(body, click, click.say("old_button"))
            case _:
                receipt = await self._attempt(
                    body, click, lambda click: perform(self._app, click, act)
                )
                if receipt is None:
                    return
                if isinstance(act, Switch) and place.position:
                    # The panel itself says whether memory is on.
                    await self._show_panel(body, click, place.position)
                else:
                    await self._show(body, click, receipt)

    def _client(self, body: Body, patience: float = PATIENCE_SECONDS) -> TeamClient:
        """Return the client of the request's workspace; Bolt's own takes its proxy by itself."""
        return self._app.slack.client(installation_team(body), patience=patience)

    async def _read_click(
        self, body: Body, place: Place, *, is_submission: bool = False
    ) -> Click:
        installation = self._app.slack.installation_in(installation_team(body))
        person = person_of(body, installation)
        # A submission is acknowledged only when it has been read.
        localizer = await self._app.people.localizer(person, may_be_old=is_submission)
        return Click(person=person, localizer=localizer, place=place)

    async def _attempt(
        self, body: Body, click: Click, work: Work[_Found]
    ) -> _Found | None:
        """Do what a request asks for, once, and return what it led to.

        Returns None if it was done before, or if the person was told why it is not done.
        """
        try:
            trigger = {"trigger": str(body["trigger_id"])}
            with transaction_timeout(_DATABASE_SECONDS):
                is_new = await execute_statement(self._app.pool, _SQL["note"], trigger)
                return await work(click) if is_new else None
        except EXPECTED as problem:
            log.info("a click or form was not carried out: %s", type(problem).__name__)
            why = explain(click.localizer, problem)
        except Exception as error:  # noqa: BLE001 - logged, and the person is told
            why = Receipt(line=failure_sentence(click.localizer, error))
        await self._show_problem(body, click, why)
        return None

    async def _open(self, body: Body, view: SlackView) -> str:
        """Open a form or the panel; return its id, empty if Slack does not open it.

        It opens on top of the panel if the click was there, and replaces another form.
        """
        client = self._client(body, _TRIGGER_SECONDS)
        trigger = str(body.get("trigger_id") or "")
        below = body.get("view") or {}
        try:
            if submitted_act(below):
                opened = await client.views_update(view_id=str(below["id"]), view=view)
            elif below.get("type") == "modal":
                opened = await client.views_push(trigger_id=trigger, view=view)
            else:
                opened = await client.views_open(trigger_id=trigger, view=view)
        except SLACK_FAULTS as error:
            log.warning("a view was not opened: %s", slack_fault(error))
            return ""
        return str(opened["view"]["id"])

    async def _show(self, body: Body, click: Click, receipt: Receipt) -> None:
        """Show a receipt where the person clicked or typed."""
        if click.place.position is not None:
            await self._show_in_view(body, click, receipt)
            return
        shown = receipt.payload
        if click.place.clicked:
            message = body.get("message") or {}
            shown = replaced_in(message, clicked_block(body), receipt)
        await self._show_message(body, click, shown, replaces=click.place.clicked)

    async def _show_problem(self, body: Body, click: Click, why: Receipt) -> None:
        """Show why something was not done; a message that was clicked stays as it is."""
        submitted = "actions" not in body and submitted_act(body.get("view") or {})
        if isinstance(submitted, DeleteData):
            await self._end_erasure(body, click, why)
        elif click.place.position is not None:
            await self._show_in_view(body, click, why)
        else:
            await self._show_message(body, click, why.payload, replaces=False)

    async def _show_in_view(self, body: Body, click: Click, receipt: Receipt) -> None:
        """Draw the panel again, with a receipt; a form that was clicked stays open and has it."""
        view = body.get("view") or {}
        shown: Receipt | None = receipt
        if "actions" in body and submitted_act(view):
            above = blocks_above(view["blocks"], clicked_block(body))
            await self._update(body, view["id"], view_as_it_was(view, receipt, above))
            shown = None
        await self._show_panel(body, click, click.place.position or Position(), shown)
        if click.place.is_history:
            # What is below the window is drawn again, too, from its first page on.
            below = str(view.get("previous_view_id") or "")
            place = Place(view=below, position=Position())
            await self._show_panel(body, replace(click, place=place), Position())

    async def _show_message(
        self, body: Body, click: Click, shown: Payload, *, replaces: bool
    ) -> None:
        """Show a message to the person alone, or in place of the one that was clicked."""
        client = self._client(body)
        place = click.place
        try:
            if not replaces and await show_in_thread(client, body, shown):
                return
            answerable = is_slacks(client, place.url)
            if answerable and await respond(place.url, shown, replace=replaces):
                return
            # Slack takes answers for half an hour, and a form may have been open for longer.
            await show_privately(
                client,
                shown,
                channel=place.channel,
                user=click.person.user_id,
                thread_ts=None,
            )
        except SLACK_FAULTS as error:
            log.warning("an answer was not shown: %s", fault(error))

    async def _show_panel(
        self,
        body: Body,
        click: Click,
        position: Position,
        receipt: Receipt | None = None,
    ) -> None:
        """Show a position of the panel, and a receipt, in Home or in the panel's modal."""
        if not click.place.is_home:
            view = await self._panel(body, click, position, receipt)
            await self._update(body, click.place.view, view)
            return
        above = click.place.above
        try:
            with transaction_timeout(_DATABASE_SECONDS):
                await show_home(self._app, click.person, position, receipt, above=above)
        except Exception as error:  # noqa: BLE001 - logged, and the person is told
            view = self._failed_panel(body, click, receipt, error)
            if view["type"] == "home":
                await self._client(body).views_publish(
                    user_id=click.person.user_id, view=view
                )

    async def _panel(
        self, body: Body, click: Click, position: Position, receipt: Receipt | None
    ) -> SlackView:
        """Return the panel's modal at a position, with a receipt."""
        above = click.place.above
        try:
            with transaction_timeout(_DATABASE_SECONDS):
                # Read again: the person may just have chosen another language, or erased all.
                settings = await self._app.people.settings(
                    click.person, may_be_old=True
                )
                localizer = click.localizer
                if settings.profile_at is not None:
                    localizer = settings.localizer()
                content = await read_panel(self._app, click.person, localizer, position)
                if position.list == "forget":
                    asked = await forget_words_question(
                        self._app, click.person, localizer, position.of
                    )
                    content = replace(content, to_forget=asked)
                    if not asks_which(asked):
                        # No row is left where the clicked one stood.
                        above = 0
            return panel_view(localizer, content, receipt, above)
        except Exception as error:  # noqa: BLE001 - logged, and the person is told
            return self._failed_panel(body, click, receipt, error)

    def _failed_panel(
        self, body: Body, click: Click, receipt: Receipt | None, error: Exception
    ) -> SlackView:
        """Return the panel as it was, with a receipt or a line about the failure."""
        why = receipt or Receipt(line=failure_sentence(click.localizer, error))
        view = body.get("view") or {}
        if panel_position(view):
            return view_as_it_was(view, why, click.place.above)
        return final_view(click.localizer, "panel_title", why.line)

    async def _update(self, body: Body, view_id: str, view: SlackView) -> None:
        """Replace a modal, unless the person has closed it meanwhile."""
        try:
            await self._client(body).views_update(view_id=view_id, view=view)
        except SLACK_FAULTS as error:
            log.warning("a view was not updated: %s", slack_fault(error))
