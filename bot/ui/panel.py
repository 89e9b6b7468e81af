"""The panel: every list of memories and changes that a person sees.

It is the content of App Home and of the modal that ``/memories`` opens. Its position is in the
metadata of the view, which Slack returns with each click in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from bot.access import PolicyRefusal
from bot.locale import LANGUAGES, Localizer, say
from bot.people import Off
from bot.ui.acts import (
    ACT,
    QUERY_LIMIT,
    SEARCH,
    Answer,
    AnswerTo,
    ButtonAct,
    ChangePromise,
    Edit,
    Forget,
    Move,
    Open,
    Position,
    Switch,
    SwitchTo,
    Undo,
)
from bot.ui.blocks import (
    VIEW_BLOCKS_LIMIT,
    Block,
    Payload,
    SlackView,
    actions,
    bulleted,
    button,
    escaped,
    explained_button,
    header,
    input_block,
    modal,
    note,
    option,
    plain_text,
    section,
    select,
    source_link,
    text_input,
)
from bot.ui.kept_lines import kept_row
from bot.ui.lines import (
    audience_name,
    change_line,
    off_sentences,
    own_line,
    place_name,
    question_line,
    refusal_line,
    repeated_sentences,
    with_sentence,
)
from bot.ui.promises import is_on_its_day, is_open
from bot.ui.receipt import Receipt, with_receipt
from memory import (
    DM,
    Change,
    Memory,
    Person,
    Question,
)
from memory.model import INSTRUCTION_KIND, PROMISE_KIND
from memory.store import KeptLine, NotRemembered

PAGE_SIZE = 15
# The text of the button of each answer to a question.
_ANSWERS: Mapping[str, Mapping[AnswerTo, str]] = {
    "replace": {"yes": "ask_replace", "both": "ask_keep_both", "no": "ask_keep_old"},
    "older": {"yes": "ask_older", "both": "ask_keep_both", "no": "ask_keep_newer"},
    "remove": {"yes": "menu_forget", "no": "ask_keep"},
    "store": {"yes": "remember_button", "no": "ask_not_store"},
}
_SWITCHES = {
    "switch_on": Switch(to="on"),
    "switch_hour": Switch(to="off", minutes=60),
    "switch_tomorrow": Switch(to="tomorrow"),
    "switch_off": Switch(to="off"),
}
_DIVIDER: Block = {"type": "divider"}
_MOST_PLACES = 5  # that are named where memory is off
_HEADINGS = ("promises_title", "instructions_title", "about_title")
_TITLES = {
    "kept": "kept_panel_title",
    "cited": "cited_title",
    "forget": "forget_title",
}
_VIEW_FIELDS = ("type", "title", "submit", "close", "private_metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelContent:
    """Everything that one person's panel shows at a position.

    `found` is the number of memories there, on all pages, or of changes on the pages so far, plus
    one if there are older ones. `links` lead to the message that a memory, by its key, or a change,
    by its id, came from; `reminders` say when the person is reminded next of a promise, by its key.
    `unformed` messages are not read yet. The changes include the sentences of the last day that
    were `not_remembered`. In Home, `handling` says where data goes. `kept` are the lines kept for a
    conversation, shown to `viewer`, who is in it; None if they are not shown. `kept_shown` are the
    ids of those that stand in prompts. `is_others`: the answer whose memories are asked for is
    another person's. `to_forget` asks which of the memories with some words to forget, if there are
    any.
    """

    position: Position = field(default_factory=Position)
    off: Off | None = None
    asks: bool = False
    off_in: Sequence[str] = ()
    refusal: PolicyRefusal | None = None
    memories: Sequence[Memory] = ()
    changes: Sequence[Change] = ()
    found: int = 0
    questions: Sequence[Question] = ()
    not_remembered: Sequence[NotRemembered] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    reminders: Mapping[str, datetime] = field(default_factory=dict)
    unformed: int = 0
    handling: Sequence[str] = ()
    kept: Sequence[KeptLine] | None = None
    kept_shown: Collection[UUID] = ()
    is_others: bool = False
    viewer: Person | None = None
    to_forget: Payload | None = None


def home_view(
    localizer: Localizer,
    content: PanelContent,
    receipt: Receipt | None = None,
    above: int = 0,
) -> SlackView:
    """Return the panel as Home, with the receipt of a click below the blocks `above` it."""
    localizer = replace(localizer, read_at_once=True)
    blocks = [header(localizer.say("panel_title"))]
    blocks += _panel(localizer, content)
    if content.handling:
        blocks.append(_DIVIDER)
        blocks.append(header(localizer.say("home_where")))
        blocks.append(section(bulleted(content.handling)))
    return {
        "type": "home",
        "private_metadata": content.position.value,
        "blocks": with_receipt(blocks, receipt, max(above, 1)),
    }


def panel_view(
    localizer: Localizer,
    content: PanelContent,
    receipt: Receipt | None = None,
    above: int = 0,
) -> SlackView:
    """Return the panel as a modal, with the receipt of a click below the blocks `above` it.

    Slack requires a submit button if there is an input; it searches for the words.
    """
    localizer = replace(localizer, read_at_once=True)
    blocks = with_receipt(_panel(localizer, content), receipt, above)
    title = _TITLES.get(content.position.list, "panel_title")
    view = modal(localizer, title, blocks, content.position)
    if any(block["type"] == "input" for block in blocks):
        view["submit"] = plain_text(localizer.say("search_submit"))
    return view


def asks_which(question: Payload | None) -> bool:
    """Return whether a question what to forget has a row for each of several."""
    return question is not None and len(question["blocks"]) > len(("text", "button"))


def loading_view(position: Position) -> SlackView:
    """Return the modal in which the panel will appear, before the reader's language is known."""
    return {
        "type": "modal",
        "title": plain_text("Kioku"),
        "private_metadata": position.value,
        "blocks": [section(in_every_language("loading"))],
    }


def in_every_language(key: str) -> str:
    """Return a sentence for somebody whose language is not known yet."""
    return " / ".join(say(language, key) for language in LANGUAGES)


def view_as_it_was(view: SlackView, receipt: Receipt, above: int = 0) -> SlackView:
    """Return a view as Slack returned it, with a receipt in it."""
    fields = {name: view[name] for name in _VIEW_FIELDS if view.get(name)}
    blocks = with_receipt(view["blocks"], receipt, above)
    return {**fields, "blocks": blocks[:VIEW_BLOCKS_LIMIT]}


def _panel(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return the state of memory, and the list at the position."""
    rows = _list_rows(localizer, content)
    position = content.position
    blocks: list[Block] = []
    if position.list == "kept":
        # What is kept for a conversation is not part of the person's own memories.
        if content.kept is not None:
            title = localizer.say("kept_title", channel=f"<#{position.of}>")
            blocks.append(section(title))
        return [*blocks, *rows, *_pages(localizer, content)]
    if position.list in ("cited", "forget"):
        return [*rows, *_pages(localizer, content)]
    blocks += _state(localizer, content)
    if position == Position():
        blocks += _question(localizer, content)
    blocks.append(_DIVIDER)
    blocks.append(_controls(localizer, content))
    if position.list == "memories":
        blocks += _memories(localizer, content, rows)
    else:
        blocks += _not_remembered(localizer, content)
        title = "menu_history" if position.of else "changes_title"
        blocks.append(header(localizer.say(title)))
        blocks += rows
    return [*blocks, *_pages(localizer, content)]


def _list_rows(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return the rows of the list at the position, with the headings between them."""
    match content.position.list:
        case "memories":
            return _memory_rows(localizer, content)
        case "changes":
            return _change_rows(localizer, content)
        case "kept":
            return _kept_rows(localizer, content)
        case "cited":
            return _cited_rows(localizer, content)
        case "forget":
            return _forget_rows(localizer, content)


def _state(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return whether memory is on, with a menu to switch it, and how much is remembered."""
    if content.refusal is not None:
        return [section(localizer.say(content.refusal))]
    if content.asks:
        return [
            section(localizer.say("consent_ask")),
            actions(*consent_buttons(localizer), block_id="consent"),
        ]
    off = content.off
    chosen = _chosen_switch(content)
    text = localizer.say("panel_on")
    # Slack keeps a choice as long as the id of its block stays the same.
    block_id = f"state-{chosen}"
    if off is not None:
        text = off_sentences(localizer, off)
        block_id = f"state-off-{off.until}"
    blocks = [section(text, _switch_menu(localizer, chosen), block_id)]
    if lines := _state_notes(localizer, content):
        blocks.append(note(*lines))
    return blocks


def _switch_menu(localizer: Localizer, chosen: SwitchTo | None) -> Block:
    """Return the menu that switches memory on or off."""
    options: list[Block] = []
    for key, act in _SWITCHES.items():
        options.append(option(localizer.say(key), act.value))
    # Slack sends no event for the option that is already chosen.
    menu = select(options, Switch(to=chosen).value if chosen else "")
    menu["action_id"] = ACT
    menu["placeholder"] = plain_text(localizer.say("switch_placeholder"))
    return menu


def _state_notes(localizer: Localizer, content: PanelContent) -> list[str]:
    """Return how many memories the list has, what is not read yet, and where memory is off."""
    lines: list[str] = []
    if content.memories:
        lines.append(localizer.say("counted_memories", count=content.found))
    if content.unformed:
        lines.append(localizer.say("messages_unformed", count=content.unformed))
    if content.off_in and content.off is None:
        shown = content.off_in[:_MOST_PLACES]
        named = localizer.listed([place_name(localizer, scope) for scope in shown])
        lines.append(localizer.say("off_here", where=named))
    return lines


def _chosen_switch(content: PanelContent) -> SwitchTo | None:
    """Return the option for the state of memory, if one describes it fully."""
    if content.off is not None:
        is_for_good = content.off.until is None
        return "off" if is_for_good else None
    if content.off_in:
        return None
    return "on"


def consent_buttons(localizer: Localizer) -> list[Block]:
    """Return the two answers to the question whether a person agrees to memory."""
    return [
        button(localizer.say("consent_agree"), Switch(to="on"), style="primary"),
        button(localizer.say("consent_refuse"), Switch(to="off")),
    ]


def _question(localizer: Localizer, content: PanelContent) -> list[Block]:
    if not content.questions:
        return []
    first = content.questions[0]
    buttons = answer_buttons(localizer, first)
    return [
        section(question_line(localizer, first)),
        actions(*buttons, block_id=f"question-{first.id}"),
    ]


def answer_buttons(localizer: Localizer, question: Question) -> list[Block]:
    """Return a button for each answer to a question, without *both* if it is about one thing."""
    buttons: list[Block] = []
    for answer, key in _ANSWERS[question.asks].items():
        if answer == "both" and question.is_about_one_thing:
            continue
        act = Answer(question=question.id, answer=answer)
        buttons.append(button(localizer.say(key), act))
    return buttons


def _memories(
    localizer: Localizer, content: PanelContent, rows: Sequence[Block]
) -> list[Block]:
    """Return the rows of memories below the input for the words to search for."""
    position = content.position
    if not rows and not position.of:
        return [section(localizer.say("panel_none"))]
    blocks = [_search(localizer, position)]
    if not rows:
        words = escaped(position.of)
        blocks.append(section(localizer.say("panel_no_match", words=words)))
    blocks += rows
    if position.of and len(content.memories) > 1:
        keys = tuple(memory.key for memory in content.memories)
        forget_all = forget_all_button(localizer, Forget(keys=keys))
        blocks.append(actions(forget_all, block_id="forget"))
    return blocks


def forget_all_button(localizer: Localizer, forget: Forget) -> Block:
    """Return the button that forgets several memories and messages."""
    count = len(forget.keys) + len(forget.messages)
    text = localizer.say("forget_all", count=count)
    return button(text, forget, style="danger")


def _search(localizer: Localizer, position: Position) -> Block:
    """Return the input for the words to search for."""
    element = text_input(QUERY_LIMIT, position.of, multiline=False)
    element["action_id"] = SEARCH
    element["placeholder"] = plain_text(localizer.say("search_example"))
    element["dispatch_action_config"] = {"trigger_actions_on": ["on_enter_pressed"]}
    # Slack keeps what was typed as long as the id of its block stays the same.
    block = input_block(
        f"search-{position.of}", localizer.say("search_submit"), element
    )
    block["dispatch_action"] = True
    return block


def _memory_rows(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return the memories; unless they were searched for, with a heading for each group."""
    groups: dict[str, list[Block]] = {}
    repeated = repeated_sentences(content.memories)
    for memory in content.memories:
        rows = groups.setdefault(_heading(memory), [])
        link = content.links.get(memory.key)
        reminder = content.reminders.get(memory.key)
        rows.append(memory_row(localizer, memory, link, reminder, repeated))
    blocks: list[Block] = []
    for heading in _HEADINGS:
        if heading not in groups:
            continue
        if not content.position.of:
            blocks.append(section(f"*{localizer.say(heading)}*", block_id=heading))
        blocks += groups[heading]
    return blocks


def _heading(memory: Memory) -> str:
    """Return the key of the heading above a memory."""
    if is_open(memory.kind, memory.content):
        return "promises_title"
    if memory.kind == INSTRUCTION_KIND:
        return "instructions_title"
    return "about_title"


def memory_row(
    localizer: Localizer,
    memory: Memory,
    link: str | None,
    reminder: datetime | None = None,
    repeated: Collection[str] = (),
) -> Block:
    """Return a memory with its day, its source, its next reminder and its menu.

    It is the person's own sentence, unless that is `repeated` in other rows. The line of a promise
    already has its due day, and its reminder a time if one was said. Where the memory is used is
    shown only if that is not direct messages.
    """
    line = own_line(localizer, memory, repeated)
    details = [line]
    if memory.kind != PROMISE_KIND:
        details.append(localizer.stored_day(memory.said_on))
    if reminder is not None and not _is_due_then(localizer, memory, reminder):
        when = localizer.minute(reminder)
        if not memory.content.get("due_time"):
            when = localizer.day(reminder.astimezone(localizer.zone).date())
        details.append(localizer.say("row_remind", when=when))
    if link:
        details.append(source_link(localizer, link))
    if memory.audience != DM:
        where = audience_name(localizer, memory.audience)
        details.append(localizer.say("row_where", where=where))
    if memory.left_out:
        details.append(localizer.say("row_left_out"))
    text = with_sentence(localizer, memory, line, " · ".join(details))
    options: list[Block] = []
    for name, act in _row_acts(memory).items():
        options.append(option(localizer.say(name), act.value))
    menu = {"type": "overflow", "action_id": ACT, "options": options}
    return section(text, menu, f"memory-{memory.key}")


def _is_due_then(localizer: Localizer, memory: Memory, reminder: datetime) -> bool:
    """Return whether a reminder of what nobody waits for is on its day, which its line says."""
    content = memory.content
    return not content.get("to") and is_on_its_day(localizer, content, reminder)


def _cited_rows(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return the memories that an answer rests on, each with *Forget*, or why there are none."""
    if content.is_others:
        return [section(localizer.say("cited_not_yours"))]
    if not content.memories:
        return [section(localizer.say("cited_gone"))]
    rows: list[Block] = []
    for memory in content.memories:
        act = Forget(keys=(memory.key,))
        line = own_line(localizer, memory)
        forget = explained_button(localizer, "menu_forget", act, line)
        row = memory_row(localizer, memory, content.links.get(memory.key))
        rows.append({**row, "accessory": forget})
    return rows


def _forget_rows(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return what may be forgotten, or that nothing has the words."""
    if content.to_forget is not None:
        return content.to_forget["blocks"]
    if not content.position.of:
        return [section(localizer.say("panel_none"))]
    words = escaped(content.position.of)
    return [section(localizer.say("panel_no_match", words=words))]


def _row_acts(memory: Memory) -> dict[str, ButtonAct]:
    """Return the menu of a memory: its acts by the key of the option's text."""
    key = memory.key
    forget = Forget(keys=(key,))
    history = Position(list="changes", of=key)
    # Slack allows five options.
    acts: dict[str, ButtonAct] = {}
    is_promise = is_open(memory.kind, memory.content)
    if is_promise:
        acts["promise_done"] = ChangePromise(key=key, to="done")
    elif memory.audience == DM:
        acts["menu_everywhere"] = Move(key=key, to="public")
    else:
        acts["menu_dm_only"] = Move(key=key, to="dm")
    acts["menu_edit"] = Edit(key=key)
    acts["menu_forget"] = forget
    acts["menu_history"] = history
    if is_promise:
        acts["promise_drop"] = ChangePromise(key=key, to="dropped")
    return acts


def _change_rows(localizer: Localizer, content: PanelContent) -> list[Block]:
    if not content.changes:
        return [section(localizer.say("changes_none"))]
    blocks: list[Block] = []
    for entry in content.changes:
        changed = change_line(localizer, entry)
        details = [changed, localizer.minute(entry.at)]
        if link := content.links.get(str(entry.id)):
            details.append(source_link(localizer, link))
        undo = None
        if entry.undone_at is None:
            act = Undo(what="changes", ids=(entry.id,))
            undo = explained_button(localizer, "undo_button", act, changed)
        blocks.append(section(" · ".join(details), undo, f"change-{entry.id}"))
    return blocks


def _kept_rows(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return what is kept for a conversation, or why it is not shown."""
    if content.kept is None:
        return [section(localizer.say("kept_no_list"))]
    if not content.kept:
        return [section(localizer.say("kept_none"))]
    rows: list[Block] = []
    for one in content.kept:
        link = content.links.get(str(one.id))
        is_shown = one.id in content.kept_shown
        row = kept_row(localizer, one, content.viewer, link, is_shown=is_shown)
        rows.append(row)
    return rows


def _not_remembered(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return what was not remembered in the last day, above all changes."""
    is_whole_list = content.position == Position(list="changes")
    if not (is_whole_list and content.not_remembered):
        return []
    blocks = [header(localizer.say("not_remembered_title"))]
    for refused in content.not_remembered:
        line = refusal_line(localizer, refused.reason, refused.sentence)
        blocks.append(section(f"{line} · {localizer.minute(refused.at)}"))
    return blocks


def _pages(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return the buttons for the rest of a list."""
    position = content.position
    buttons: list[Block] = []
    if position.page > 1:
        newer = position.on_page(position.page - 1)
        buttons.append(button(localizer.say("newer"), newer))
    if position.page * PAGE_SIZE < content.found:
        older = position.on_page(position.page + 1)
        buttons.append(button(localizer.say("older"), older))
    if position.of or position.list != "memories":
        buttons.append(button(localizer.say("all_memories"), Position()))
    if not buttons:
        return []
    return [actions(*buttons, block_id="pages")]


def _controls(localizer: Localizer, content: PanelContent) -> Block:
    """Return the buttons for everything else."""
    buttons: list[Block] = []
    if content.off is None and not content.asks and content.refusal is None:
        add = Open(form="add")
        buttons.append(button(localizer.say("add_button"), add, style="primary"))
    changes = Position(list="changes")
    buttons.append(button(localizer.say("changes_title"), changes))
    settings = Open(form="settings")
    buttons.append(button(localizer.say("settings_title"), settings))
    return actions(*buttons, block_id="controls")
