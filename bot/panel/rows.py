"""The rows of the panel's lists: memories, changes, kept lines, what an answer rests on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from bot.access import PolicyRefusal
from bot.acts.blocks import (
    Block,
    Payload,
    escaped,
    explained_button,
    header,
    option,
    section,
    source_link,
)
from bot.acts.kinds import (
    ACT,
    ButtonAct,
    ChangePromise,
    Edit,
    Forget,
    Move,
    Position,
    Undo,
)
from bot.acts.lines import (
    audience_name,
    change_line,
    own_line,
    refusal_line,
    repeated_sentences,
    with_sentence,
)
from bot.kept.blocks import kept_row
from bot.locale import Localizer
from bot.people import Off
from bot.promises.rows import next_reminder
from memory import DM, Change, Memory, Person, Question
from memory.model import INSTRUCTION_KIND, PROMISE_KIND, is_open_promise
from memory.store import KeptLine, NotRemembered

_HEADINGS = ("promises_title", "instructions_title", "about_title")


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


def list_rows(localizer: Localizer, content: PanelContent) -> list[Block]:
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
    if is_open_promise(memory.kind, memory.content):
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
    if reminder is not None:
        details.append(next_reminder(localizer, memory, reminder))
    if link:
        details.append(source_link(localizer, link))
    if memory.audience != DM:
        where = audience_name(localizer, memory.audience)
        details.append(localizer.say("row_where", where=where))
    if memory.left_out:
        details.append(localizer.say("row_left_out"))
    text = with_sentence(localizer, memory, line, " · ".join(filter(None, details)))
    options: list[Block] = []
    for name, act in _row_acts(memory).items():
        options.append(option(localizer.say(name), act.value))
    menu = {"type": "overflow", "action_id": ACT, "options": options}
    return section(text, menu, f"memory-{memory.key}")


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
    is_promise = is_open_promise(memory.kind, memory.content)
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


def refused_rows(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return what was not remembered in the last day, above all changes."""
    is_whole_list = content.position == Position(list="changes")
    if not (is_whole_list and content.not_remembered):
        return []
    blocks = [header(localizer.say("not_remembered_title"))]
    for refused in content.not_remembered:
        line = refusal_line(localizer, refused.reason, refused.sentence)
        blocks.append(section(f"{line} · {localizer.minute(refused.at)}"))
    return blocks
