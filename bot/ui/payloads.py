"""Messages outside the panel: one line, and at most three buttons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bot.locale import Localizer
from bot.people import Off
from bot.ui.acts import (
    Edit,
    Forget,
    Open,
    Position,
    Remember,
    Switch,
    Undo,
)
from bot.ui.blocks import (
    VALUE_LIMIT,
    Block,
    Payload,
    actions,
    button,
    escaped,
    explained_button,
    note,
    one_line,
    payload,
    section,
)
from bot.ui.lines import (
    asked_text,
    change_line,
    notable_changes,
    off_sentences,
    own_line,
    place_name,
    question_line,
    refusal_line,
    repeated_sentences,
    summary_lines,
    with_sentence,
)
from bot.ui.panel import answer_buttons, consent_buttons, forget_all_button
from bot.ui.promise_payloads import promise_rows, promise_told
from bot.ui.receipt import Receipt
from memory import Change, Memory, Question, Reason, Refusal
from memory.model import MessageKey

# Credentials are never stored, and sensitive information is not with KIOKU_SENSITIVE=never.
_FINAL: frozenset[Reason] = frozenset({"secret", "sensitive", "full"})
_MOST_ROWS = 10  # rows of memories that can each be forgotten


def notice_payload(
    localizer: Localizer,
    batch: UUID,
    changes: Sequence[Change],
    questions: Sequence[Question],
    promises: Sequence[tuple[Memory, datetime | None]],
) -> Payload:
    """Return a notice: what the changes of a batch are, with *Undo*, and the first open question.

    Its open `promises`, each with when the person is reminded of it next, are shown as they are
    now, several in a row each. A single change can be edited.
    """
    lines, buttons = _notice_lines(localizer, batch, changes, promises)
    blocks = [note(*lines)] if lines else []
    for line, row in promise_rows(localizer, promises):
        lines.append(line)
        blocks.append(row)
    if buttons:
        blocks.append(actions(*buttons))
    if questions:
        first = questions[0]
        line = question_line(localizer, first)
        lines.append(line)
        blocks.append(section(line))
        blocks.append(actions(*answer_buttons(localizer, first)))
    others = len(questions) - 1
    if others > 0:
        blocks.append(note(localizer.say("notice_questions", count=others)))
    return {"text": "\n".join(lines), "blocks": blocks}


def _notice_lines(
    localizer: Localizer,
    batch: UUID,
    changes: Sequence[Change],
    promises: Sequence[tuple[Memory, datetime | None]],
) -> tuple[list[str], list[Block]]:
    """Return the lines of a notice's changes and their buttons; none if all are undone."""
    told = notable_changes(changes)
    if not told:
        return [], []
    lines, buttons = lines_told(localizer, told, promises)
    if all(one.undone_at for one in changes):
        return lines, buttons
    what = lines[0] if lines else change_line(localizer, told[0])
    undo = Undo(what="notice", ids=(batch,))
    buttons = [*buttons, explained_button(localizer, "undo_button", undo, what)]
    if len(told) == 1 and not promises and told[0].after is not None:
        edit = Edit(key=told[0].key)
        buttons.append(explained_button(localizer, "menu_edit", edit, what))
    return lines, buttons


def lines_told(
    localizer: Localizer,
    told: Sequence[Change],
    promises: Sequence[tuple[Memory, datetime | None]],
) -> tuple[list[str], list[Block]]:
    """Return the lines of changes, and the buttons of an open promise if it is the only one.

    Several promises have a row each: see `promise_rows`.
    """
    promised = {promise.key for promise, _ in promises}
    others = [change for change in told if change.key not in promised]
    lines = summary_lines(localizer, others)
    if len(promises) != 1:
        return lines, []
    [(promise, reminder)] = promises
    line, buttons = promise_told(localizer, promise, reminder)
    return [*lines, line], buttons


def consent_question(localizer: Localizer) -> Payload:
    """Return the question whether the person wants to be remembered."""
    return payload(localizer.say("consent_ask"), *consent_buttons(localizer))


def off_done(localizer: Localizer, off: Off) -> Receipt:
    """Return that memory was switched off, with the button that switches it on."""
    line = off_sentences(localizer, off)
    return Receipt(line=line, button=on_button(localizer, off.scope))


def on_done(localizer: Localizer, scope: str) -> Receipt:
    """Return that memory was switched on; everywhere, with the button that switches it off."""
    means = localizer.say("on_means")
    if scope:
        here = localizer.say("switched_on_here", where=place_name(localizer, scope))
        return Receipt(line=f"{here}\n{means}")
    off = button(localizer.say("off_button"), Switch(to="off"))
    return Receipt(line=f"{localizer.say('panel_on')}\n{means}", button=off)


def on_button(localizer: Localizer, scope: str = "") -> Block:
    """Return the button that switches memory on: everywhere, or in the scope of `Off`."""
    return button(localizer.say("on_button"), Switch(to="on", scope=scope))


def forget_button(localizer: Localizer, forget: Forget) -> Block:
    """Return the button that forgets a selection."""
    return button(localizer.say("menu_forget"), forget, style="danger")


def forget_question(
    localizer: Localizer,
    memories: Sequence[Memory],
    total: int | None = None,
    messages: Sequence[tuple[MessageKey, str]] = (),
) -> Payload:
    """Return the question whether to forget a memory or message, or which of several.

    Words may have been found in the sentence of a memory only, so it is shown if it says more.
    `total`: how many memories there are, if that is more than one button can forget. `messages`,
    each with its text, are those without a memory.
    """
    rows = [*_forget_rows(localizer, memories), *_message_rows(localizer, messages)]
    if len(rows) == 1:
        [(text, forget, _)] = rows
        if memories:
            [memory] = memories
            line = own_line(localizer, memory)
            question = localizer.say("forget_ask", what=line)
            text = with_sentence(localizer, memory, line, question)
        return payload(text, forget_button(localizer, forget))
    count = len(memories)
    shown = rows[:_MOST_ROWS]
    below = [
        section(text, explained_button(localizer, "menu_forget", forget, line))
        for text, forget, line in shown
    ]
    if total is not None and total > count:
        below.append(note(localizer.say("forget_part", total=total, count=count)))
    elif len(rows) > len(shown):
        more = len(rows) - len(shown)
        below.append(note(localizer.say("forget_more", count=more)))
    everything = Forget(
        keys=tuple(memory.key for memory in memories),
        messages=tuple(message for message, _ in messages),
    )
    below.append(actions(forget_all_button(localizer, everything)))
    which = payload(localizer.say("forget_which"))
    return {**which, "blocks": [*which["blocks"], *below]}


def _forget_rows(
    localizer: Localizer, memories: Sequence[Memory]
) -> list[tuple[str, Forget, str]]:
    """Return the text of each memory, what forgets it, and what its button is about."""
    rows: list[tuple[str, Forget, str]] = []
    repeated = repeated_sentences(memories)
    for memory in memories:
        line = own_line(localizer, memory, repeated)
        text = with_sentence(localizer, memory, line, line)
        rows.append((text, Forget(keys=(memory.key,)), line))
    return rows


def _message_rows(
    localizer: Localizer, messages: Sequence[tuple[MessageKey, str]]
) -> list[tuple[str, Forget, str]]:
    """Return the same of each message."""
    rows: list[tuple[str, Forget, str]] = []
    for message, said in messages:
        what = escaped(one_line(asked_text(localizer, said)))
        line = localizer.say("forget_message", what=what)
        rows.append((line, Forget(messages=(message,)), line))
    return rows


def search_button(localizer: Localizer) -> Block:
    """Return the button that opens the panel, where words can be searched for."""
    return button(localizer.say("search_submit"), Position())


def open_done(localizer: Localizer, opens: Position | Open) -> Payload:
    """Return a button that opens the panel or a form, for somebody who asked for it in words."""
    show = button(localizer.say("show_button"), opens)
    return payload(localizer.say("open_line"), show)


def refusal_done(localizer: Localizer, refusal: Refusal, *, facts: bool) -> Receipt:
    """Return why a sentence was not stored, with the button that stores it as it was typed.

    `facts`: whether there is a kind of memory for it. A sentence that is too long for a button's
    value, about 1,900 characters, gets no button.
    """
    line = refusal_line(localizer, refusal.reason, refusal.sentence)
    if refusal.evidence is None or not facts or refusal.reason in _FINAL:
        return Receipt(line=line)
    said = refusal.evidence.original
    remember = Remember(
        text=refusal.evidence.text, channel=said.channel or "", ts=said.ts or ""
    )
    if len(remember.value) > VALUE_LIMIT:
        return Receipt(line=line)
    return Receipt(line=line, button=button(localizer.say("remember_button"), remember))
