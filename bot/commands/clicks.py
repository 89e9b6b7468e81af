"""What a person does with a click or a form.

Everything is done in the namespace of the person who clicked: an act names a memory, never a
person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import assert_never

from bot.acts.blocks import SlackView
from bot.acts.kinds import (
    AddLines,
    Answer,
    ChangePromise,
    DeleteData,
    Doing,
    Edit,
    Export,
    Forget,
    FormAct,
    Keep,
    Move,
    Opening,
    Remember,
    SaveMemory,
    SaveSettings,
    Snooze,
    Switch,
    TakeBack,
    Undo,
)
from bot.acts.lines import summary_lines
from bot.acts.receipt import Click, NotDone, Receipt, undoable
from bot.app import App
from bot.conversation.turns import end_exchanges
from bot.data.person import erase_person, send_export
from bot.forgetting.forgetting import forget_selected, undo_forgotten
from bot.kept.acts import answer_to_keep, take_back
from bot.locale import Localizer
from bot.notices.notices import update_notices
from bot.off.switches import change_settings, switch
from bot.panel import forms
from bot.people import read_settings
from bot.promises.clicks import change_promise, put_off_promise, set_due
from bot.promises.forms import entered_due
from bot.remembering.adding import (
    add_lines,
    check_may_store,
    form_anew,
    remember_as_typed,
)
from bot.slack.messages import is_direct
from memory import (
    Change,
    ChangedSince,
    ChangeGone,
    Memory,
    answer_question,
    list_changes,
    move_memory,
    open_questions,
    undo_changes,
)
from memory.model import Json
from memory.postgres import PersonTransaction, person_transaction, transaction_timeout
from memory.store import begin_epoch, find_memory

_ERASING_SECONDS = 30.0


async def perform(app: App, click: Click, act: Doing) -> Receipt:
    """Do what a button or a menu says. Raises one of `bot.acts.receipt.EXPECTED`."""
    match act:
        case Switch():
            return await switch(app, click, act)
        case Answer():
            return await _answer(app, click, act)
        case Forget():
            return await forget_selected(app, click, act)
        case Undo():
            return await _undo(app, click, act)
        case Move():
            moved = await move_memory(
                app.pool, app.embedder, click.person, act.key, act.to
            )
            return await _report_changes(app, click, [moved])
        case ChangePromise():
            promise = await _memory(app, click, act.key)
            made = await change_promise(app, click, promise, act.to)
            return await _report_changes(app, click, made)
        case Snooze():
            promise = await _memory(app, click, act.key)
            async with person_transaction(
                app.pool, click.person, locked=True
            ) as transaction:
                receipt = await put_off_promise(transaction, click, promise)
                await update_notices(app, transaction, keys=[act.key])
            return receipt
        case Remember():
            return await remember_as_typed(app, click, act)
        case Keep():
            return await answer_to_keep(app, click, act)
        case TakeBack():
            return await take_back(app, click, act)
        case Export():
            return await send_export(app, click)
    assert_never(act)


async def form_of(app: App, click: Click, act: Opening) -> SlackView:
    """Return the form that an act opens. Raises one of `bot.acts.receipt.EXPECTED`."""
    if isinstance(act, Edit):
        memory = await _memory(app, click, act.key)
        if memory.kind not in app.former.kinds:
            raise NotDone(click.localizer.say("edit_no_form"))
        return forms.edit_form(click.localizer, memory, click.place)
    match act.form:
        case "add":
            await check_may_store(app, click)
            return forms.add_form(click.localizer, click.place)
        case "settings":
            async with person_transaction(app.pool, click.person) as transaction:
                settings = await read_settings(transaction)
            most_days = app.settings.retention_days
            return forms.settings_form(
                click.localizer, settings, most_days, click.place
            )
        case "help":
            help_text = click.localizer.say("help")
            return forms.final_view(click.localizer, "help_title", help_text)
        case "delete":
            return forms.delete_form(click.localizer, click.place)
    assert_never(act.form)


async def _answer(app: App, click: Click, act: Answer) -> Receipt:
    """Answer a question about a memory.

    What an answer would store is not stored while memory is off, as with *Add*.
    """
    asked = await open_questions(app.pool, click.person)
    said = {one.id: one.said for one in asked}.get(act.question)
    if said is None:
        raise NotDone(click.localizer.say("ask_gone"))
    if said.act == "say" and act.answer != "no":
        await check_may_store(app, click)
    try:
        made = await answer_question(
            app.pool, app.embedder, click.person, act.question, act.answer
        )
    except ChangeGone:
        raise NotDone(click.localizer.say("ask_gone")) from None
    return await _report_changes(app, click, made)


async def _memory(app: App, click: Click, key: str) -> Memory:
    """Return a memory of the person who clicked. Raises `ChangeGone`."""
    if memory := await find_memory(app.pool, click.person, key):
        return memory
    raise ChangeGone


async def _undo(app: App, click: Click, act: Undo) -> Receipt:
    undo = partial(
        undo_changes,
        app.pool,
        app.embedder,
        click.person,
        in_commit=_end_exchanges_since,
    )
    match act.what:
        case "forgetting":
            return await undo_forgotten(app, click, act.ids[0])
        case "notice":
            made = await undo(batch=act.ids[0])
        case "changes":
            made = await undo(ids=act.ids)
    if not made:
        raise NotDone(click.localizer.say("undo_gone"))
    return await _report_changes(app, click, made)


async def _end_exchanges_since(
    transaction: PersonTransaction, undone: Sequence[Change]
) -> None:
    """End the exchanges from the first message on that is taken back."""
    since: list[str] = []
    for one in undone:
        _, ts = one.message or ("", "")
        since.append(ts or f"{one.at.timestamp():.6f}")
    if since:
        await end_exchanges(transaction, min(since))
        await begin_epoch(transaction)


async def _report_changes(app: App, click: Click, done: Sequence[Change]) -> Receipt:
    """Return changes as one line, with *Undo* if one still counts; update their notices."""
    keys = {one.key for one in done}
    async with person_transaction(app.pool, click.person) as transaction:
        await update_notices(app, transaction, keys=keys)
    made = await list_changes(app.pool, click.person, ids=[one.id for one in done])
    place = click.place
    if place.position is None and place.channel and not is_direct(place.channel):
        made = [one.heard_in(place.channel) for one in made]
    line = "\n".join(summary_lines(click.localizer, made))
    if not line:
        return click.say("no_changes")
    if all(one.undone_at for one in made):
        return Receipt(line=line)
    undo = Undo(what="changes", ids=tuple(one.id for one in made))
    return undoable(click.localizer, line, undo)


# --- forms -------------------------------------------------------------------------------------


def form_errors(localizer: Localizer, act: FormAct, view: Json) -> Mapping[str, str]:
    """Return the errors of a submitted form, by block, without looking anything up."""
    match act:
        case AddLines():
            return forms.add_errors(localizer, view)
        case SaveMemory():
            return forms.edit_errors(localizer, view)
        case DeleteData():
            return forms.delete_errors(localizer, view)
    return {}


async def submit(app: App, click: Click, act: FormAct, view: Json) -> Receipt:
    """Do what a submitted form says; `view` holds what was entered.

    Raises one of `bot.acts.receipt.EXPECTED`.
    """
    match act:
        case AddLines():
            lines = forms.added_lines(view)
            return await add_lines(app, click, lines, forms.chosen_audience(view))
        case SaveMemory():
            return await _save_memory(app, click, act, view)
        case SaveSettings():
            chosen = forms.read_settings_form(view)
            settings = await change_settings(app, click.person, chosen)
            return Receipt(line=settings.localizer().say("settings_saved"))
        case DeleteData():
            person = click.person
            with (
                app.under_way.once(f"erase {person.scope}"),
                transaction_timeout(_ERASING_SECONDS),
            ):
                erased = await erase_person(app.pool, person, keeps_off=True)
            return Receipt(line=forms.receipt_text(click.localizer, erased))
    assert_never(act)


async def _save_memory(app: App, click: Click, act: SaveMemory, view: Json) -> Receipt:
    """Form the sentence that was written anew, then set the day that was chosen for a promise.

    The memory stays as it is, and the receipt says why, if nothing is formed.
    """
    memory = await _memory(app, click, act.key)
    if memory.updated_at != act.seen:
        raise ChangedSince("The memory has changed since the form was opened.")
    made: list[Change] = []
    sentence = forms.entered_sentence(view)
    if sentence != forms.editable_sentence(click.localizer, memory):
        made += await form_anew(app, click, memory, sentence)
    due = entered_due(view)
    if any(memory.content.get(name) != chosen for name, chosen in due.items()):
        promise = await _memory(app, click, act.key)
        made += await set_due(app, click, promise, due)
    if not made:
        return click.say("no_changes")
    return await _report_changes(app, click, made)
