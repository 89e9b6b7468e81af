"""What a person asks for in words, in a message or after a command, and how it is carried out."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bot.acts.blocks import Payload, escaped, payload, truncate
from bot.acts.buttons import consent_question, open_done, search_button
from bot.acts.kinds import Export, Open, Position, Switch, Undo
from bot.acts.lines import asked_text
from bot.acts.phrases import Request
from bot.acts.receipt import EXPECTED, Click, explain
from bot.app import App
from bot.commands.clicks import perform
from bot.conversation.audiences import look_up_kind
from bot.conversation.turns import blank_message, message_before
from bot.forgetting.forgetting import (
    forget_everything_question,
    forget_period_question,
    forget_words_question,
    nothing_to_forget,
)
from bot.kept.acts import propose_to_keep
from bot.notices.notices import update_notices
from bot.panel.content import short_list
from bot.people import read_settings
from bot.slack.client import SLACK_FAULTS, error_code
from bot.slack.messages import Message, is_direct
from memory import DM
from memory.formation import undo_message
from memory.postgres import PersonTransaction, person_transaction
from memory.store import undoable_forgetting

_WORDS_LIMIT = 80  # characters of a message that a receipt quotes


def act_of(request: Request, channel: str) -> Position | Open | Export | Switch | None:
    """Return the act that carries a request out, typed in a channel; None if it takes more."""
    match request.what:
        case "list":
            return Position(of=request.words)
        case "changes":
            return Position(list="changes")
        case "channel":
            return Position(list="kept", of=channel)
        case "settings":
            return Open(form="settings")
        case "data":
            return Open(form="delete")
        case "export":
            return Export()
        case "pause":
            return Switch(to="off", minutes=request.minutes)
        case "tomorrow":
            return Switch(to="tomorrow")
    return None


async def carry_out(app: App, click: Click, request: Request) -> Payload:
    """Do what a person asked for in words, which no single act does; return what they are told.

    `click.place` is where they typed it.
    """
    match request.what:
        case "resume":
            return await _resume(app, click)
        case "here":
            return await _turn_off_here(app, click)
        case "before" | "undo":
            return await _take_back(app, click, f"{time.time():.6f}", request)
        case "everything":
            return forget_everything_question(click.localizer)
        case "since":
            return await _forget_since(app, click, request.minutes)
        case "forget":
            words = request.words
            asked = await forget_words_question(
                app, click.person, click.localizer, words
            )
            return asked or nothing_to_forget(click.localizer, words)
        case "keep" | "decision":
            return click.say("kept_how").payload
    return click.say("help").payload


async def carry_out_message(
    app: App, message: Message, click: Click, request: Request
) -> Payload:
    """Do what a message asks for; what shows something is shown by a button, or by its beginning.

    A message has no view to open, and others may read its conversation.
    """
    act = act_of(request, message.channel_id)
    try:
        if isinstance(act, Position) and message.audience == DM:
            return await short_list(app, click.person, click.localizer, act)
        if isinstance(act, Position | Open):
            return open_done(click.localizer, act)
        if request.what in ("before", "undo"):
            return await _take_back(app, click, message.ts, request)
        if request.what in ("keep", "decision"):
            return await propose_to_keep(app, click, message, request)
        if isinstance(act, Export | Switch):
            receipt = await perform(app, click, act)
            return receipt.payload
        return await carry_out(app, click, request)
    except EXPECTED as problem:
        return explain(click.localizer, problem).payload


async def _resume(app: App, click: Click) -> Payload:
    """Switch memory on; with KIOKU_CONSENT=ask somebody who has not agreed is asked first."""
    async with person_transaction(app.pool, click.person) as transaction:
        settings = await read_settings(transaction)
    if app.settings.consent == "ask" and not settings.agreed:
        return consent_question(click.localizer)
    receipt = await perform(app, click, Switch(to="on"))
    return receipt.payload


async def _turn_off_here(app: App, click: Click) -> Payload:
    """Switch memory off in a conversation, but not in somebody else's direct messages.

    There its scope would be read as the person's direct messages with the app.
    """
    channel = click.place.channel
    if is_direct(channel):
        try:
            await look_up_kind(app, click.person.team_id, channel)
        except SLACK_FAULTS as error:
            # While Slack does not say, it is switched off in any case.
            if error_code(error) == "channel_not_found":
                return click.say("off_not_here").payload
    receipt = await perform(app, click, Switch(to="off", scope=channel))
    return receipt.payload


async def _forget_since(app: App, click: Click, minutes: int) -> Payload:
    """Ask whether to forget what was said in the last minutes; with 0, today.

    What is said after the question stays.
    """
    localizer = click.localizer
    now = datetime.now(UTC)
    since = now - timedelta(minutes=minutes)
    if not minutes:
        today = datetime.now(localizer.zone)
        since = today.replace(hour=0, minute=0, second=0, microsecond=0)
    return await forget_period_question(app, click.person, localizer, since, now)


async def _take_back(app: App, click: Click, ts: str, request: Request) -> Payload:
    """Undo what the person's message before `ts` here taught, and blank it and its answer.

    Of what else was said nothing changes. A message that comes again after a crash takes back the
    same message: what is blank already stays the one before. An ``undo`` undoes a forgetting that
    was done since that message instead.
    """
    localizer = click.localizer
    channel = click.place.channel
    before = await message_before(app.pool, click.person, channel, ts)
    if request.what == "undo":
        forgetting = await undoable_forgetting(app.pool, click.person)
        if forgetting is not None:
            done_at: datetime = forgetting["at"]
            if before is None or done_at.timestamp() > float(before["ts"]):
                undo = Undo(what="forgetting", ids=(forgetting["id"],))
                receipt = await perform(app, click, undo)
                return receipt.payload
    if before is None:
        none = localizer.say("taken_back_none")
        return payload(none, search_button(localizer))
    message = (channel, before["ts"])

    async def in_commit(
        transaction: PersonTransaction, batches: Collection[UUID]
    ) -> None:
        await blank_message(transaction, message)
        await update_notices(app, transaction, batches=batches)

    await undo_message(
        app.pool, app.embedder, click.person, message, in_commit=in_commit
    )
    words = asked_text(localizer, before["question"])
    quoted = escaped(truncate(" ".join(words.split()), _WORDS_LIMIT))
    if not quoted:
        return click.say("taken_back_already").payload
    return payload(localizer.say("taken_back", words=quoted))
