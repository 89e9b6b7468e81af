"""What a person does with a click or a form, and what they type after a command.

Everything is done in the namespace of the person who clicked: a value names a memory, never a
person.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from bot.app import App
from bot.conversation.texts import check_changed_sources
from bot.memories.adding import EXPECTED, add_lines, remember_as_typed, why_not, why_not_now
from bot.memories.cards import add_answers, shown_card, why_not_shown
from bot.memories.data import erase_person, send_export
from bot.memories.feedback import comment, rate
from bot.memories.forgetting import forget_selected, undo_forgotten
from bot.memories.switches import change_settings, switched
from bot.notices import update_notices
from bot.people import read_settings
from bot.ui.blocks import SlackView
from bot.ui.forms import (
    COMMENT_FORM,
    DELETE_FORM,
    MEMORY_FORM,
    SETTINGS_FORM,
    SubmittedMemory,
    add_form,
    card_form,
    delete_errors,
    delete_form,
    edit_form,
    edited_content,
    final_view,
    metadata_of,
    read_memory_form,
    read_settings_form,
    receipt_view,
    settings_form,
)
from bot.ui.lines import changes_line
from bot.ui.messages import forget_button
from bot.ui.panel import (
    ADD,
    ANSWER,
    DELETE,
    EVERYTHING,
    EXPORT,
    FEEDBACK,
    FORGET,
    MENU,
    PROMISE,
    REMEMBER,
    SEARCH,
    SETTINGS,
    SHOW,
    SWITCH,
    UNDO,
    Done,
    Position,
)
from bot.ui.reader import Reader
from memory import (
    COLLEAGUES,
    DM,
    Change,
    ChangeGone,
    Memory,
    Person,
    Promise,
    answer_question,
    edit_memory,
    list_changes,
    move_memory,
    undo_changes,
)
from memory.postgres import person_transaction, transaction_timeout
from memory.store import find_memory

log = logging.getLogger(__name__)

_ERASING_SECONDS = 30.0
_MOST_IDS = 50  # changes in the value of a button, which has 2,000 characters at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A click of a person: `value` is that of the button, option or input.

    `position` is that of the panel in which it was, None: it was in another message. A form
    that it opens returns `origin` with its submission, so that its result is shown where it began.
    """

    person: Person
    reader: Reader
    value: str
    position: Position | None = None
    origin: Mapping[str, str] = field(default_factory=dict)


# A line about what was done, a form to open, the position to show, or nothing to show.
Result: TypeAlias = Done | SlackView | Position | None
Action: TypeAlias = Callable[[App, Click], Awaitable[Result]]


async def carried_out(click: Click, work: Callable[[Click], Awaitable[Result]]) -> Result:
    """Return what a click or form leads to, or the sentence that says why it was not done."""
    try:
        return await work(click)
    except EXPECTED as problem:
        log.info("a click or form was not carried out: %s", type(problem).__name__)
        return Done(line=why_not(click.reader, problem), beside=True)


def _of_value(
    work: Callable[[App, Person, Reader, str], Awaitable[Result]],
) -> Action:
    """Return the action that does `work` with the value of what was clicked."""
    return lambda app, click: work(app, click.person, click.reader, click.value)


async def _switch(app: App, click: Click) -> Result:
    done = await switched(app, click.person, click.reader, click.value)
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
    """Do what the menu of a memory or a button of the card says."""
    what, _, key = click.value.partition(" ")
    match what:
        case "edit":
            memory = await _memory(app, click, key)
            schema = next((one for one in app.schemas if one.__name__ == memory.kind), None)
            if schema is None:
                return Done(line=click.reader.say("edit_no_form"))
            return edit_form(click.reader, schema, memory, **click.origin)
        case "forget":
            return await _forget_keys(app, click, f"keys {key}")
        case "history":
            return Position(list="changes", of=key)
        case "share":
            return await _share(app, click, key)
        case "unshare":
            return await _changed(app, click, [await _move(app, click, key, DM)])
        case "preview":
            seen = await shown_card(app, click.person, click.person, click.reader)
            return final_view(click.reader, "card_title", seen["text"])
        case "questions":
            return card_form(click.reader, **click.origin)
        case "done":
            return await _promise(app, click)
    raise ValueError("A menu has no such value.")


async def _memory(app: App, click: Click, key: str) -> Memory:
    """Return a memory of the person who clicked. Raises `ChangeGone`."""
    if memory := await find_memory(app.pool, click.person, key):
        return memory
    raise ChangeGone


async def _share(app: App, click: Click, key: str) -> Done:
    """Move a memory to the card, which colleagues see, unless it is sensitive."""
    memory = await _memory(app, click, key)
    if why := await why_not_shown(app, click.person, memory):
        return Done(line=click.reader.say(why), beside=True)
    return await _changed(app, click, [await _move(app, click, key, COLLEAGUES)])


async def _move(app: App, click: Click, key: str, audience: str) -> Change:
    return await move_memory(app.pool, app.embedder, click.person, key, audience, actor="modal")


async def _promise(app: App, click: Click) -> Done:
    """Change a promise: ``done|drop|never|tomorrow KEY`` or ``on KEY DAY``; or make one.

    ``remind CHANNEL TS TEXT`` makes one of a message of the person's.
    """
    what, _, rest = click.value.partition(" ")
    reader = click.reader
    if what == "remind":
        return await remember_as_typed(app, click.person, reader, rest, Promise)
    key, _, day = rest.partition(" ")
    memory = await _memory(app, click, key)
    tomorrow = datetime.now(reader.zone).date() + timedelta(days=1)
    changed: dict[str, dict[str, str | None]] = {
        "done": {"state": "done"},
        "drop": {"state": "dropped"},
        "never": {"due": None, "due_time": None},
        "tomorrow": {"state": "open", "due": tomorrow.isoformat()},
        "on": {"state": "open", "due": day},
    }
    content = {**memory.content, **changed[what]}
    # The message stays its only source: when that is deleted, the promise is, too.
    source = memory.sources[-1] if memory.sources else {"kind": "command", "evidence": ""}
    made = await edit_memory(
        app.pool, app.embedder, click.person, key, content, source, schemas=app.schemas
    )
    return await _changed(app, click, [made])


async def _show(app: App, click: Click) -> Position:
    del app
    return Position.parse(click.value)


async def _search(app: App, click: Click) -> Position:
    del app
    return Position(of=" ".join(click.value.split())[:100])


async def _forget(app: App, click: Click) -> Done:
    done = await _forget_keys(app, click, click.value)
    return replace(done, position=click.position and Position())


async def _forget_keys(app: App, click: Click, value: str) -> Done:
    in_home = click.origin.get("url") == ""
    return await forget_selected(app, click.person, click.reader, value, in_home=in_home)


async def _undo(app: App, click: Click) -> Done:
    """Undo changes, all of a notice, or a forgetting: ``change|notice|forgetting ID...``."""
    kind, _, name = click.value.partition(" ")
    if kind == "forgetting":
        return await undo_forgotten(app, click.person, click.reader, name)
    reader = click.reader
    if kind == "notice":
        undone = await undo_changes(app.pool, app.embedder, click.person, batch=UUID(name))
    else:
        ids = [UUID(one) for one in name.split()]
        undone = await undo_changes(app.pool, app.embedder, click.person, ids=ids)
    if not undone:
        return Done(line=reader.say("undo_gone"), beside=True)
    log.info("a person undid a change")
    await check_changed_sources(app.pool, app.queue, click.person)
    return await _changed(app, click, undone)


async def _changed(app: App, click: Click, done: Sequence[Change]) -> Done:
    """Return changes that were just made, as one line with their Undo; update their notices."""
    batches: set[UUID] = set()
    for key in {one.key for one in done}:
        found = await list_changes(app.pool, click.person, key=key)
        batches |= {one.batch for one in found if one.batch}
    async with person_transaction(app.pool, click.person) as connection:
        await update_notices(app, connection, click.person, batches)
    made = await list_changes(app.pool, click.person, ids=[one.id for one in done])
    line = changes_line(click.reader, made) or click.reader.say("undo_gone")
    ids = " ".join(str(one.id) for one in made[:_MOST_IDS])
    undo = f"change {ids}" if len(made) <= _MOST_IDS else f"notice {made[0].batch}"
    return Done(line=line, undo=undo if made else None)


async def _open_add(app: App, click: Click) -> Done | SlackView:
    refused = await why_not_now(app, click.person, click.reader)
    return refused or add_form(click.reader, **click.origin)


async def _open_settings(app: App, click: Click) -> SlackView:
    async with person_transaction(app.pool, click.person) as connection:
        settings = await read_settings(connection, click.person)
    return settings_form(click.reader, settings, **click.origin)


async def _open_delete(app: App, click: Click) -> SlackView:
    del app
    return delete_form(click.reader, **click.origin)


ACTIONS: Mapping[str, Action] = {
    SWITCH: _switch,
    ANSWER: _answer,
    SEARCH: _search,
    MENU: _menu,
    SHOW: _show,
    FORGET: _forget,
    UNDO: _undo,
    REMEMBER: _of_value(remember_as_typed),
    ADD: _open_add,
    SETTINGS: _open_settings,
    EXPORT: _of_value(send_export),
    DELETE: _open_delete,
    FEEDBACK: _of_value(rate),
    PROMISE: _promise,
}
"""What each click does, by its action id."""


# --- forms -------------------------------------------------------------------------------------


def form_errors(app: App, reader: Reader, view: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what is wrong with a submitted form, by block; nothing is looked up."""
    if view["callback_id"] == MEMORY_FORM:
        return read_memory_form(reader, view, app.schemas).errors
    return delete_errors(reader, view) if view["callback_id"] == DELETE_FORM else {}


async def _submit_memory(app: App, click: Click, view: Mapping[str, Any]) -> Done:
    submitted = read_memory_form(click.reader, view, app.schemas)
    if submitted.answers:
        return await _submit_answers(app, click, submitted.answers)
    audience = await _audience(app, click.person, submitted)
    if audience is None:
        return Done(line=click.reader.say("audience_unknown"))
    if submitted.lines:
        return await add_lines(app, click.person, click.reader, submitted.lines, audience)
    metadata = metadata_of(view)
    if "key" not in metadata:
        return Done(line=click.reader.say("nothing_changed"))
    return await _edit(app, click, metadata, submitted, audience)


async def _submit_answers(app: App, click: Click, answers: Mapping[str, str]) -> Done:
    if refused := await why_not_now(app, click.person, click.reader):
        return refused
    made, left = await add_answers(app, click.person, click.reader, answers)
    if not made:
        return Done(line="\n".join(left))
    done = await _changed(app, click, made)
    return replace(done, line="\n".join([done.line, *left]))


async def _audience(app: App, person: Person, submitted: SubmittedMemory) -> str | None:
    """Return the chosen audience; None for a conversation that the app is not in."""
    if not submitted.conversation:
        return submitted.audience
    known = await app.audiences.kind(person.team_id, submitted.conversation)
    return known.audience if known else None


async def _edit(
    app: App,
    click: Click,
    metadata: Mapping[str, str],
    submitted: SubmittedMemory,
    audience: str,
) -> Done:
    reader, person, key = click.reader, click.person, metadata["key"]
    memory = await _memory(app, click, key)
    whole = edited_content(memory.kind, memory.content, submitted.content)
    made: list[Change] = []
    if whole != memory.content:
        await app.quotas.admit(person)
        texts = [one for one in whole.values() if isinstance(one, str) and one]
        made.append(
            await edit_memory(
                app.pool,
                app.embedder,
                person,
                key,
                whole,
                {"kind": "modal", "evidence": " ".join(texts)},
                seen=datetime.fromisoformat(metadata["seen"]),
                schemas=app.schemas,
            )
        )
    problem = ""
    if audience != memory.namespace.audience:
        try:
            made.append(await _move(app, click, key, audience))
        except EXPECTED as error:
            if not made:
                raise
            problem = why_not(reader, error)
    if not made:
        return Done(line=reader.say("nothing_changed"))
    log.info("a person edited a memory")
    done = await _changed(app, click, made)
    return replace(done, line=f"{done.line}\n{problem}") if problem else done


async def _submit_settings(app: App, click: Click, view: Mapping[str, Any]) -> Done:
    settings = await change_settings(app, click.person, **read_settings_form(view))
    return Done(line=Reader.of(settings).say("settings_saved"))


async def _submit_delete(app: App, click: Click, view: Mapping[str, Any]) -> SlackView:
    del view
    with transaction_timeout(_ERASING_SECONDS):
        erased = await erase_person(app.pool, click.person)
    app.people.invalidate(click.person)
    return receipt_view(click.reader, erased)


async def _submit_comment(app: App, click: Click, view: Mapping[str, Any]) -> SlackView:
    return await comment(app, click.person, click.reader, view)


Submission: TypeAlias = Callable[[App, Click, Mapping[str, Any]], Awaitable[Done | SlackView]]
FORMS: Mapping[str, Submission] = {
    MEMORY_FORM: _submit_memory,
    SETTINGS_FORM: _submit_settings,
    DELETE_FORM: _submit_delete,
    COMMENT_FORM: _submit_comment,
}
"""What each form does, by its callback id."""


# --- commands ----------------------------------------------------------------------------------

_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("help", "?", "ヘルプ", "使い方"), "help"),
    **dict.fromkeys(("pause", "off", "一時停止", "停止", "オフ"), "pause"),
    **dict.fromkeys(("resume", "on", "再開", "オン"), "resume"),
    **dict.fromkeys(("incognito", "シークレット"), "incognito"),
    **dict.fromkeys(("settings", "設定"), "settings"),
}
_EVERYTHING = frozenset({"everything", "all", "すべて", "全て", "全部", "ぜんぶ"})


async def memories_typed(app: App, click: Click, channel: str) -> Result:
    """Answer ``/memories``: one of a few words, or words that are searched for."""
    words = " ".join(click.value.split())
    match _WORDS.get(words.casefold()):
        case "help":
            return Done(line=click.reader.say("help"))
        case "pause":
            return await switched(app, click.person, click.reader, "off")
        case "resume":
            return await switched(app, click.person, click.reader, "on")
        case "incognito":
            return await switched(app, click.person, click.reader, f"off {channel}")
        case "settings":
            return await _open_settings(app, click)
    return Position(of=words[:100])


async def forget_typed(app: App, click: Click, channel: str) -> Result:
    """Answer ``/forget``: the panel with the question what to forget."""
    del app, channel
    words = " ".join(click.value.split())
    if words.casefold() in _EVERYTHING:
        line = click.reader.say("forget_everything_ask")
        return Done(line=line, buttons=[forget_button(click.reader, EVERYTHING)])
    return Done(line=click.reader.say("forget_what"), position=Position(of=words[:100]))
