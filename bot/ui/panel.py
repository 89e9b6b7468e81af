"""The panel: every list of memories and changes that a person sees.

It is the content of App Home, and the answer to ``/memories`` and ``/forget``. Where it is in its
lists travels in the id of each block that can be clicked, because Slack returns that from Home and
from an ephemeral message alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from bot.locale import Reader
from bot.people import Off, Refusal
from bot.ui.acts import (
    ACT,
    QUERY_LIMIT,
    SEARCH,
    Answer,
    AnswerTo,
    ButtonAct,
    ChangePromise,
    Edit,
    Export,
    Forget,
    Hide,
    Open,
    Place,
    Position,
    PreviewCard,
    Redo,
    Share,
    Switch,
    SwitchTo,
    Undo,
    UndoAct,
)
from bot.ui.blocks import (
    Block,
    actions,
    as_mrkdwn,
    bulleted,
    button,
    header,
    input_block,
    note,
    option,
    plain_text,
    section,
    select,
    shortened,
    text_input,
)
from bot.ui.cards import card_lines, sentence_of
from bot.ui.lines import (
    audience_name,
    audience_of,
    change_line,
    history_title,
    memory_line,
    not_remembered_line,
    off_sentences,
    place_name,
    question_line,
)
from bot.ui.promises import is_open
from memory import (
    COLLEAGUES,
    Change,
    Memory,
    Person,
    Question,
)
from memory.store import NotRemembered

PAGE_SIZE = 15
_SAID_LIMIT = 120  # characters of the sentence of a memory in its row
_EXAMPLES = ("panel_example_fact", "panel_example_food", "panel_example_answer")
_SWITCHES: tuple[tuple[SwitchTo, str], ...] = (
    ("on", "switch_on"),
    ("hour", "switch_hour"),
    ("tomorrow", "switch_tomorrow"),
    ("off", "switch_off"),
)
_ANSWERS: Mapping[str, tuple[tuple[AnswerTo, str], ...]] = {
    "replace": (("yes", "ask_replace"), ("both", "ask_keep_both"), ("no", "ask_keep_old")),
    "remove": (("yes", "menu_forget"), ("no", "ask_keep")),
    "store": (("yes", "remember_button"), ("no", "ask_not_store")),
}
_DIVIDER: Block = {"type": "divider"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a click did, as one line; `undo` is what its *Undo* does, `buttons` are others.

    Raises `ValueError` without a line: Slack refuses a message that says nothing. `beside`: the
    line answers a message that is to stay. `position` is what a panel shows then; None: what it
    showed.
    """

    line: str
    undo: UndoAct | None = None
    buttons: Sequence[Block] = ()
    beside: bool = False
    position: Position | None = None

    def __post_init__(self) -> None:
        if not self.line.strip():
            raise ValueError("What a click did has no words.")

    def shown_buttons(self, reader: Reader) -> list[Block]:
        """Return its buttons, *Undo* first."""
        if self.undo is None:
            return [*self.buttons]
        return [undo_button(reader, self.undo, self.line), *self.buttons]


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A click, a command, a shortcut or a submitted form of a person, and where its result goes."""

    person: Person
    reader: Reader
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything that one person's panel shows at a position.

    `found` is the number of memories there, on all pages, or of changes on the pages so far, one
    more if there are older ones; `total` is that of all memories. `links` lead to the message that
    a memory, by its key, or a change, by its id, came from. `unformed` messages are not read yet,
    `unread` ones could not be read. With the changes come sentences of the last day that were
    `not_remembered`.
    In Home, `handling` says where data goes, and `card` what colleagues see.
    """

    position: Position = field(default_factory=Position)
    off: Off | None = None
    asks: bool = False
    off_in: Sequence[str] = ()
    refusal: Refusal | None = None
    memories: Sequence[Memory] = ()
    changes: Sequence[Change] = ()
    found: int = 0
    total: int = 0
    questions: Sequence[Question] = ()
    not_remembered: Sequence[NotRemembered] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    unformed: int = 0
    unread: int = 0
    handling: Sequence[str] = ()
    card: Sequence[Memory] | None = None


def panel(reader: Reader, content: Content, said: Done | None = None) -> list[Block]:
    """Return the panel; `said` is what the click that led to it did."""
    position = content.position
    blocks = _said(reader, position, said) if said else []
    blocks += [header(reader.say("memories_title")), *_state(reader, content)]
    if position.list == "memories":
        blocks += _question(reader, content) if not position.of else []
        blocks += _memories(reader, content)
    else:
        blocks += _changes(reader, content)
    blocks += _pages(reader, content)
    blocks += _card(reader, content) if content.card is not None else []
    blocks.append(_controls(reader, content))
    if content.handling:
        blocks += [_DIVIDER, header(reader.say("home_where"))]
        blocks += [section(bulleted(content.handling)), note(reader.say("home_end"))]
    return blocks


def _said(reader: Reader, position: Position, said: Done) -> list[Block]:
    buttons = said.shown_buttons(reader)
    row = [actions(*buttons, block_id=position.block_id("said"))] if buttons else []
    return [section(said.line), *row, _DIVIDER]


def _state(reader: Reader, content: Content) -> list[Block]:
    """Return whether memory is on, with what switches it, and how much is remembered."""
    if content.refusal is not None:
        return [section(reader.say(content.refusal))]
    if content.asks:
        return [
            section(reader.say("consent_ask")),
            actions(*consent_buttons(reader), block_id=content.position.block_id("consent")),
        ]
    off = content.off
    text = reader.say("panel_on") if off is None else off_sentences(reader, off)
    options = [option(reader.say(key), Switch(to=to).value) for to, key in _SWITCHES]
    # Slack sends nothing for the option that is shown as chosen.
    chosen = _chosen_switch(content)
    switch = select(
        options,
        Switch(to=chosen).value if chosen else "",
        action_id=ACT,
        placeholder=plain_text(reader.say("switch_placeholder")),
    )
    # Slack keeps a choice for as long as the id of its block stays the same.
    state = int(off.until.timestamp()) if off and off.until else chosen
    blocks = [section(text, switch, content.position.block_id(f"state-{state}"))]
    lines: list[str] = []
    if content.total:
        lines.append(reader.say("counted_memories", count=content.total))
    if content.unformed:
        lines.append(reader.say("memories_unformed", count=content.unformed))
    if content.unread:
        lines.append(reader.say("memories_unread", count=content.unread))
    if content.off_in:
        places = dict.fromkeys(_place(reader, scope) for scope in content.off_in)
        where = reader.say("listed").join([*places][:5])
        lines.append(reader.say("panel_off_in", where=where))
    if lines:
        blocks.append(note(*lines))
    return blocks


def _chosen_switch(content: Content) -> SwitchTo | None:
    """Return the option that the state of memory is, if one says all of it."""
    off = content.off
    if content.off_in and (off is None or off.here):
        return None
    if off is None:
        return "on"
    return "off" if off.until is None else None


def _place(reader: Reader, scope: str) -> str:
    return reader.say("place_other_thread") if "." in scope else place_name(reader, scope)


def consent_buttons(reader: Reader) -> list[Block]:
    """Return the two answers to the question whether a person agrees to memory."""
    return [
        button(reader.say("consent_agree"), Switch(to="on"), style="primary"),
        button(reader.say("consent_refuse"), Switch(to="off")),
    ]


def _question(reader: Reader, content: Content) -> list[Block]:
    if not content.questions:
        return []
    first = content.questions[0]
    name = content.position.block_id(f"question-{first.id}")
    return [
        section(f"*{reader.say('panel_question')}* {question_line(reader, first)}"),
        actions(*answer_buttons(reader, first), block_id=name),
    ]


def answer_buttons(reader: Reader, question: Question) -> list[Block]:
    """Return a button for each answer to a question."""
    return [
        button(reader.say(key), Answer(question=question.id, answer=answer))
        for answer, key in _ANSWERS[question.asks]
    ]


def _memories(reader: Reader, content: Content) -> list[Block]:
    position = content.position
    if not content.total:
        examples = bulleted([reader.say(key) for key in _EXAMPLES])
        return [section(f"{reader.say('panel_none')}\n{examples}")]
    blocks: list[Block] = [_DIVIDER, _search(reader, position)]
    words = as_mrkdwn(position.of)
    if position.of and not content.memories:
        blocks.append(section(reader.say("panel_no_match", words=words)))
    elif position.of:
        blocks.append(section(reader.say("search_title", words=words)))
    blocks += _rows(reader, content)
    if position.of and content.memories:
        blocks.append(_forget_shown(reader, content))
    return blocks


def _search(reader: Reader, position: Position) -> Block:
    element = {
        **text_input(QUERY_LIMIT, position.of, multiline=False),
        "action_id": SEARCH,
        "placeholder": plain_text(reader.say("search_example")),
        "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed"]},
    }
    # Slack keeps what was typed for as long as the id of its block stays the same.
    block = input_block(position.block_id("search"), reader.say("search"), element)
    return {**block, "dispatch_action": True}


def _rows(reader: Reader, content: Content) -> list[Block]:
    rows = [
        memory_row(reader, memory, content.links.get(memory.key), content.position)
        for memory in content.memories
    ]
    # Open promises come first in the list of all memories.
    promises = sum(is_open(one.kind, one.content) for one in content.memories)
    if promises and content.position.list == "memories" and not content.position.of:
        others = [_DIVIDER] if promises < len(rows) else []
        title = section(f"*{reader.say('promises_title')}*")
        return [title, *rows[:promises], *others, *rows[promises:]]
    return rows


def memory_row(reader: Reader, memory: Memory, link: str | None, position: Position) -> Block:
    """Return a memory with the sentence it comes from, its audience, date, source and menu."""
    line = memory_line(reader, memory)
    said = as_mrkdwn(shortened(sentence_of(memory), _SAID_LIMIT))
    said_on = date.fromisoformat(memory.said_on)
    details: list[str] = []
    if said not in line:
        details.append(reader.say("row_said", what=said))
    details.append(reader.say("row_where", where=audience_name(reader, audience_of(memory))))
    details.append(reader.say("row_since", day=reader.plain_day(said_on)))
    if link:
        details.append(f"<{link}|{reader.say('row_source')}>")
    if COLLEAGUES in memory.audiences:
        details.append(reader.say("row_colleagues"))
    options = [option(reader.say(key), act.value) for key, act in _row_acts(memory)]
    menu = {"type": "overflow", "action_id": ACT, "options": options}
    text = f"{line}\n{' · '.join(details)}"
    return section(text, menu, position.block_id(f"memory-{memory.key[:40]}"))


def _row_acts(memory: Memory) -> list[tuple[str, ButtonAct]]:
    """Return what the menu of a memory offers: the key of each sentence, and the act."""
    key = memory.key
    acts: list[tuple[str, ButtonAct]] = []
    if is_open(memory.kind, memory.content):
        acts.append(("promise_done", ChangePromise(key=key, to="done")))
    acts.append(("menu_edit", Edit(key=key)))
    acts.append(("menu_forget", Forget(keys=(key,))))
    acts.append(("menu_history", Position(list="changes", of=key)))
    if COLLEAGUES in memory.audiences:
        acts.append(("card_hide", Hide(key=key)))
    else:
        acts.append(("card_show", Share(key=key)))
    return acts


def _card(reader: Reader, content: Content) -> list[Block]:
    """Return what the person shows to colleagues, with its preview."""
    title = header(reader.say("card_title"))
    if not (lines := card_lines(reader, content.card or ())):
        return [_DIVIDER, title, section(reader.say("card_none"))]
    preview = button(reader.say("card_preview"), PreviewCard())
    return [
        _DIVIDER,
        title,
        section(bulleted(lines)),
        actions(preview, block_id=content.position.block_id("card")),
    ]


def _forget_shown(reader: Reader, content: Content) -> Block:
    keys = tuple(memory.key for memory in content.memories)
    text = reader.say("forget_shown", count=len(content.memories))
    return actions(
        button(text, Forget(keys=keys), style="danger"),
        block_id=content.position.block_id("forget"),
    )


def _changes(reader: Reader, content: Content) -> list[Block]:
    position = content.position
    title = reader.say("changes_title")
    if position.list == "changes" and position.of:
        title = history_title(reader, content.changes)
    blocks = [_DIVIDER, header(title)]
    if not content.changes:
        blocks.append(section(reader.say("changes_none")))
    for entry in content.changes:
        changed = change_line(reader, entry)
        line = f"{changed}\n{reader.minute(entry.at)}"
        if link := content.links.get(str(entry.id)):
            line += f" · <{link}|{reader.say('row_source')}>"
        undo = undo_button(reader, undo_of([entry]), changed)
        blocks.append(section(line, undo, position.block_id(f"change-{entry.id}")))
    if content.not_remembered:
        blocks.append(header(reader.say("not_remembered_title")))
    for refused in content.not_remembered:
        line = f"{not_remembered_line(reader, refused)}\n{reader.minute(refused.at)}"
        blocks.append(section(line))
    return blocks


def undo_of(changes: Sequence[Change]) -> Undo | Redo:
    """Return what undoes changes or, if all of them were undone, makes them again."""
    ids = tuple(one.id for one in changes)
    if all(one.undone_at for one in changes):
        return Redo(ids=ids)
    return Undo(what="changes", ids=ids)


def undo_button(reader: Reader, undo: UndoAct, what: str) -> Block:
    """Return the button that undoes `what`."""
    return button(reader.say("undo_button"), undo, label=reader.say("undo_label", what=what))


def _pages(reader: Reader, content: Content) -> list[Block]:
    """Return how much of a list is shown, and the ways to the rest of it."""
    position = content.position
    blocks: list[Block] = []
    buttons: list[Block] = []
    pages = -(-content.found // PAGE_SIZE)
    if content.memories and content.found > PAGE_SIZE:
        first = (position.page - 1) * PAGE_SIZE + 1
        last = min(first + PAGE_SIZE - 1, content.found)
        blocks.append(note(reader.say("panel_shown", first=first, last=last, count=content.found)))
    if position.page > 1:
        buttons.append(button(reader.say("newer"), position.on_page(position.page - 1)))
    if position.page < pages:
        buttons.append(button(reader.say("older"), position.on_page(position.page + 1)))
    if position.of or position.list != "memories":
        buttons.append(button(reader.say("all_memories"), Position()))
    if buttons:
        blocks.append(actions(*buttons, block_id=position.block_id("pages")))
    return blocks


def _controls(reader: Reader, content: Content) -> Block:
    """Return the buttons for everything else."""
    is_on = content.off is None or content.off.here
    buttons: list[Block] = []
    if is_on and not content.asks and content.refusal is None:
        buttons.append(button(reader.say("add_button"), Open(form="add"), style="primary"))
    buttons += [
        button(reader.say("changes_title"), Position(list="changes")),
        button(reader.say("settings_title"), Open(form="settings")),
        button(reader.say("export_title"), Export()),
        button(
            reader.say("forget_everything_button"),
            Forget(everything=True),
            confirm={
                "title": plain_text(reader.say("forget_everything_button")),
                "text": plain_text(reader.say("forget_everything_ask")),
                "confirm": plain_text(reader.say("menu_forget")),
                "deny": plain_text(reader.say("modal_cancel")),
                "style": "danger",
            },
        ),
        button(reader.say("delete_title"), Open(form="delete"), style="danger"),
    ]
    return actions(*buttons, block_id=content.position.block_id("controls"))
