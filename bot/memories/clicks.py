"""What a person does with a click or a form, and what they type after a command.

Everything is done in the namespace of the person who clicked: a value names a memory, never a
person.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from bot.access import admit
from bot.app import App
from bot.locale import Reader
from bot.memories.adding import EXPECTED, add_lines, remember_as_typed, why_not, why_not_now
from bot.memories.cards import shown_card, why_not_shown
from bot.memories.data import erase_person, send_export
from bot.memories.feedback import comment, rate
from bot.memories.forgetting import forget_selected, undo_forgotten
from bot.memories.panel import recalled_keys
from bot.memories.promises import snooze, undo_snooze
from bot.memories.switches import change_settings, switched
from bot.notices import update_notices
from bot.people import read_settings
from bot.ui import forms
from bot.ui.blocks import SlackView, bulleted
from bot.ui.cards import sentence_of
from bot.ui.lines import (
    audience_of,
    changes_line,
    not_remembered_line,
    promise_details,
    promise_line,
)
from bot.ui.messages import forget_button, promise_buttons
from bot.ui.panel import EVERYTHING, Click, Done
from bot.ui.positions import (
    ADD,
    ANSWER,
    DELETE,
    EXPORT,
    FEEDBACK,
    FORGET,
    MENU,
    PROMISE,
    QUERY_LIMIT,
    REMEMBER,
    SEARCH,
    SETTINGS,
    SHOW,
    SWITCH,
    UNDO,
    Position,
)
from bot.ui.promises import is_open
from memory import (
    Change,
    ChangeGone,
    Memory,
    Origin,
    answer_question,
    edit_memory,
    list_changes,
    move_memory,
    redo_changes,
    undo_changes,
)
from memory.postgres import person_transaction, transaction_timeout
from memory.store import find_memory, hide_from_colleagues, not_remembered, show_to_colleagues

log = logging.getLogger(__name__)

_ERASING_SECONDS = 30.0
_REFUSALS_SHOWN = 10

# A line about what was done, a form to open, or the position to show.
Result: TypeAlias = Done | SlackView | Position
# None: Slack has shown the click itself, and nothing is added to it.
Action: TypeAlias = Callable[[App, Click], Awaitable[Result | None]]
_Result = TypeVar("_Result", bound=Result | None)


async def carried_out(click: Click, work: Callable[[Click], Awaitable[_Result]]) -> _Result | Done:
    """Return what a click or form leads to, or the sentence that says why it was not done."""
    try:
        return await work(click)
    except EXPECTED as problem:
        log.info("a click or form was not carried out: %s", type(problem).__name__)
        return Done(line=why_not(click.reader, problem), beside=True)


async def _switch(app: App, click: Click) -> Result:
    done = await switched(app, click, click.value)
    if click.position is None:
        return done
    # The panel says itself whether memory is on.
    on = click.value == "on"
    return click.position if on else Done(line=click.reader.say("off_means"))


async def _answer(app: App, click: Click) -> Done:
    """Answer a question: ``QUESTION yes|no|both``."""
    reader = click.reader
    question, _, answer = click.value.partition(" ")
    try:
        done = await answer_question(app.pool, app.embedder, click.person, UUID(question), answer)
    except ChangeGone:
        return Done(line=reader.say("ask_gone"))
    log.info("a person answered a question about a memory")
    return await _changed(app, click, done) if done else Done(line=reader.say("nothing_changed"))


async def _menu(app: App, click: Click) -> Result:
    """Do what the menu of a memory or the button of the card says."""
    what, _, key = click.value.partition(" ")
    match what:
        case "edit":
            memory = await _memory(app, click, key)
            schema = next((one for one in app.schemas if one.__name__ == memory.kind), None)
            if schema is None:
                return Done(line=click.reader.say("edit_no_form"))
            return forms.edit_form(click.reader, schema, memory, **click.origin)
        case "forget":
            return await _forget_keys(app, click, f"keys {key}")
        case "history":
            return Position(list="changes", of=key)
        case "share":
            memory = await _memory(app, click, key)
            if not (sentence := sentence_of(memory)):
                return Done(line=click.reader.say("card_no_sentence"), beside=True)
            return forms.share_form(click.reader, key, sentence, **click.origin)
        case "unshare":
            hidden = await hide_from_colleagues(app.pool, app.embedder, click.person, key)
            return await _changed(app, click, [hidden])
        case "preview":
            seen = await shown_card(app, click.person, click.person, click.reader)
            return forms.final_view(click.reader, "card_title", seen["text"])
        case "done":
            return await _promise(app, click)
    raise ValueError("A menu has no such value.")


async def _memory(app: App, click: Click, key: str) -> Memory:
    """Return a memory of the person who clicked. Raises `ChangeGone`."""
    if memory := await find_memory(app.pool, click.person, key):
        return memory
    raise ChangeGone


async def _promise(app: App, click: Click) -> Done:
    """Change a promise, or put its reminders off: ``done|drop|tomorrow KEY``."""
    what, _, key = click.value.partition(" ")
    if what == "tomorrow":
        return await _snooze(app, click, key)
    memory = await _memory(app, click, key)
    states = {"done": "done", "drop": "dropped"}
    content = {**memory.content, "state": states[what]}
    if content == memory.content:
        return Done(line=click.reader.say("nothing_changed"))
    # Nothing is typed: when the message is deleted, the promise goes with it.
    origin = Origin(actor="command", zone=str(click.reader.zone))
    made = await edit_memory(
        app.pool, app.embedder, click.person, key, content, origin, schemas=app.schemas
    )
    return await _changed(app, click, made)


async def _snooze(app: App, click: Click, key: str) -> Done:
    """Remind the person of a promise tomorrow; what they promised stays as it is."""
    memory = await _memory(app, click, key)
    if not is_open(memory.kind, memory.content):
        raise ChangeGone
    today = datetime.now(click.reader.zone).date()
    day = await snooze(app.pool, click.person, key, today)
    await _update_notices_of(app, click, {key})
    line = click.reader.say("snoozed", what=promise_line(click.reader, memory))
    return Done(line=line, undo=f"snooze {key} {day.isoformat()}")


async def _undo_snooze(app: App, click: Click, key: str, day: date) -> Done:
    """Remind the person as if they had not put it off, and show the promise as it was shown."""
    memory = await _memory(app, click, key)
    if not await undo_snooze(app.pool, click.person, key, day):
        return Done(line=click.reader.say("undo_gone"), beside=True)
    await _update_notices_of(app, click, {key})
    text = promise_details(click.reader, memory)
    return Done(line=text, buttons=promise_buttons(click.reader, memory))


async def _show(app: App, click: Click) -> Result:
    position = Position.parse(click.value)
    if position.list == "used" and await recalled_keys(app, click.person, position.of) is None:
        return Done(line=click.reader.say("used_others"), beside=True)
    return position


async def _search(app: App, click: Click) -> Position:
    del app
    return Position(of=" ".join(click.value.split())[:QUERY_LIMIT])


async def _forget(app: App, click: Click) -> Done:
    done = await _forget_keys(app, click, click.value)
    return replace(done, position=click.position and Position())


async def _forget_keys(app: App, click: Click, value: str) -> Done:
    in_home = click.origin.get("url") == ""
    return await forget_selected(app, click, value, in_home=in_home)


async def _undo(app: App, click: Click) -> Done:
    """Undo changes, all of a notice, a forgetting, or an Undo.

    The value is ``change|notice|forgetting|redo ID...``, or ``snooze KEY DAY`` of reminders.
    """
    kind, _, name = click.value.partition(" ")
    pool = app.pool
    embedder = app.embedder
    if kind == "forgetting":
        return await undo_forgotten(app, click, name)
    if kind == "snooze":
        key, _, day = name.partition(" ")
        return await _undo_snooze(app, click, key, date.fromisoformat(day))
    ids = [UUID(one) for one in name.split()]
    match kind:
        case "notice":
            done = await undo_changes(pool, embedder, click.person, batch=ids[0])
        case "redo":
            done = await redo_changes(pool, embedder, click.person, ids)
        case _:
            done = await undo_changes(pool, embedder, click.person, ids=ids)
    if not done:
        return Done(line=click.reader.say("undo_gone"), beside=True)
    log.info("a person undid a change")
    return await _changed(app, click, done)


async def _changed(app: App, click: Click, done: Sequence[Change]) -> Done:
    """Return changes that were just made, as one line with their Undo; update their notices."""
    await _update_notices_of(app, click, {one.key for one in done})
    made = await list_changes(app.pool, click.person, ids=[one.id for one in done])
    if not (line := changes_line(click.reader, made)):
        return Done(line=click.reader.say("nothing_changed"))
    verb = "redo" if all(one.undone_at for one in made) else "change"
    return Done(line=line, undo=f"{verb} {' '.join(str(one.id) for one in made)}")


async def _update_notices_of(app: App, click: Click, keys: Collection[str]) -> None:
    """Update the notices that told of these memories."""
    batches: set[UUID] = set()
    for key in keys:
        found = await list_changes(app.pool, click.person, key=key)
        batches |= {one.batch for one in found if one.batch}
    async with person_transaction(app.pool, click.person) as connection:
        await update_notices(app, connection, click.person, batches)


async def _open_add(app: App, click: Click) -> Done | SlackView:
    refused = await why_not_now(app, click)
    return refused or forms.add_form(click.reader, **click.origin)


async def _open_settings(app: App, click: Click) -> SlackView:
    async with person_transaction(app.pool, click.person) as connection:
        settings = await read_settings(connection, click.person)
    most = app.settings.retention_days
    return forms.settings_form(click.reader, settings, most, **click.origin)


async def _open_delete(app: App, click: Click) -> SlackView:
    asks = app.settings.consent == "ask"
    return forms.delete_form(click.reader, asks=asks, **click.origin)


ACTIONS: Mapping[str, Action] = {
    SWITCH: _switch,
    ANSWER: _answer,
    SEARCH: _search,
    MENU: _menu,
    SHOW: _show,
    FORGET: _forget,
    UNDO: _undo,
    REMEMBER: remember_as_typed,
    ADD: _open_add,
    SETTINGS: _open_settings,
    EXPORT: send_export,
    DELETE: _open_delete,
    FEEDBACK: rate,
    PROMISE: _promise,
}
"""What each click does, by its action id."""


# --- forms -------------------------------------------------------------------------------------


def form_errors(app: App, reader: Reader, view: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what is wrong with a submitted form, by block; nothing is looked up."""
    match view["callback_id"]:
        case forms.ADD_FORM:
            return forms.add_errors(reader, view)
        case forms.EDIT_FORM:
            return forms.edit_errors(reader, view, app.schemas)
        case forms.DELETE_FORM:
            return forms.delete_errors(reader, view)
    return {}


async def _submit_add(app: App, click: Click, view: Mapping[str, Any]) -> Done:
    return await add_lines(app, click, forms.added_lines(view), forms.chosen_audience(view))


async def _submit_edit(app: App, click: Click, view: Mapping[str, Any]) -> Done:
    metadata = forms.metadata_of(view)
    person = click.person
    key = metadata["key"]
    memory = await _memory(app, click, key)
    entered = forms.entered_content(view, app.schemas)
    changed = {
        name: one
        for name, one in entered.items()
        if (one or "") != forms.text_of(memory.content, name)
    }
    made: list[Change] = []
    if changed:
        await admit(app.pool, app.settings, person)
        # Not those that the kind has no longer.
        fields = forms.schema_of(view, app.schemas).model_fields
        content = {**memory.content, **changed}
        whole = {name: one for name, one in content.items() if name in fields}
        origin = Origin(
            actor="modal",
            evidence=forms.typed_text(view, changed, app.schemas),
            zone=str(click.reader.zone),
        )
        edited = await edit_memory(
            app.pool,
            app.embedder,
            person,
            key,
            whole,
            origin,
            seen=datetime.fromisoformat(metadata["seen"]),
            schemas=app.schemas,
        )
        made.extend(edited)
        key = edited[-1].key
    audience = forms.chosen_audience(view)
    if audience != audience_of(memory):
        moved = await move_memory(app.pool, app.embedder, person, key, audience, actor="modal")
        made.append(moved)
    if not made:
        return Done(line=click.reader.say("nothing_changed"))
    log.info("a person edited a memory")
    return await _changed(app, click, made)


async def _submit_share(app: App, click: Click, view: Mapping[str, Any]) -> Done:
    """Show colleagues the sentence that the person saw in the form, once it is judged."""
    metadata = forms.metadata_of(view)
    key, sentence = metadata["key"], metadata["sentence"]
    memory = await _memory(app, click, key)
    if why := await why_not_shown(app, click.person, memory, sentence):
        return Done(line=click.reader.say(why), beside=True)
    shown = await show_to_colleagues(app.pool, app.embedder, click.person, key, sentence)
    return await _changed(app, click, [shown])


async def _submit_settings(app: App, click: Click, view: Mapping[str, Any]) -> Done:
    settings = await change_settings(app, click.person, **forms.read_settings_form(view))
    return Done(line=settings.reader().say("settings_saved"))


async def _submit_delete(app: App, click: Click, view: Mapping[str, Any]) -> SlackView:
    del view
    person = click.person
    with app.under_way.once(f"erase {person.scope}"), transaction_timeout(_ERASING_SECONDS):
        erased = await erase_person(app.pool, person)
    return forms.receipt_view(click.reader, erased)


Submission: TypeAlias = Callable[[App, Click, Mapping[str, Any]], Awaitable[Done | SlackView]]
FORMS: Mapping[str, Submission] = {
    forms.ADD_FORM: _submit_add,
    forms.EDIT_FORM: _submit_edit,
    forms.SHARE_FORM: _submit_share,
    forms.SETTINGS_FORM: _submit_settings,
    forms.DELETE_FORM: _submit_delete,
    forms.COMMENT_FORM: comment,
}
"""What each form does, by its callback id."""


# --- commands ----------------------------------------------------------------------------------

_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("help", "?", "ヘルプ", "使い方"), "help"),
    **dict.fromkeys(("pause", "off", "一時停止", "停止", "オフ"), "pause"),
    **dict.fromkeys(("resume", "on", "再開", "オン"), "resume"),
    **dict.fromkeys(("incognito", "シークレット"), "incognito"),
    **dict.fromkeys(("settings", "設定"), "settings"),
    **dict.fromkeys(("why", "理由"), "why"),
}
_EVERYTHING = frozenset({"everything", "all", "すべて", "全て", "全部", "ぜんぶ"})


async def memories_typed(app: App, click: Click, channel: str) -> Result:
    """Answer ``/memories``: one of a few words, or words that are searched for."""
    words = " ".join(click.value.split())
    match _WORDS.get(words.casefold()):
        case "help":
            return Done(line=click.reader.say("help"))
        case "pause":
            return await switched(app, click, "off")
        case "resume":
            return await switched(app, click, "on")
        case "incognito":
            return await switched(app, click, f"off {channel}")
        case "settings":
            return await _open_settings(app, click)
        case "why":
            return await _why(app, click)
    return Position(of=words[:QUERY_LIMIT])


async def _why(app: App, click: Click) -> Done:
    """Say what was not remembered within the last day, and why."""
    refused = await not_remembered(app.pool, click.person, limit=_REFUSALS_SHOWN)
    lines = [not_remembered_line(click.reader, one) for one in refused]
    return Done(line=bulleted(lines) if lines else click.reader.say("not_remembered_none"))


async def forget_typed(app: App, click: Click, channel: str) -> Result:
    """Answer ``/forget``: the panel with the question what to forget."""
    del app, channel
    words = " ".join(click.value.split())
    if words.casefold() in _EVERYTHING:
        line = click.reader.say("forget_everything_ask")
        return Done(line=line, buttons=[forget_button(click.reader, EVERYTHING)])
    return Done(line=click.reader.say("forget_what"), position=Position(of=words[:QUERY_LIMIT]))
