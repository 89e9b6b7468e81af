"""The question before something is forgotten, and what is said of it afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, time, timedelta, tzinfo

from bot.locale import Language, say
from bot.views.blocks import (
    Block,
    Payload,
    actions,
    button,
    ephemeral_payload,
    joined_lines,
    note,
    plain_text,
    section,
    shortened,
)
from bot.views.dates import plain_day, plain_minute
from bot.views.erasing import erase_button
from bot.views.labels import describe_escaped, memory_line
from bot.views.memories import Numbered
from bot.views.views import SlackView, form_view
from memory import Memory

MAX_SHOWN = 10
FORGET_ACTION = "forget_memory"
FORGET_ALL_ACTION = "forget_everything"
FORGET_PERIOD_ACTION = "forget_period"
UNDO_ACTION = "undo_forget"
FORGET_FORM = "memory_forget"
_CONFIRM_LIMIT = 300
_LEAST_PERIOD = timedelta(seconds=1)  # anything shorter holds one message


def forget_question(language: Language, found: Numbered, zone: tzinfo) -> Payload:
    """Return what would be forgotten, each with its button, and one button for all of it."""
    shown = found[:MAX_SHOWN]
    title = (
        say(language, "forget_ask")
        if len(found) == 1
        else say(language, "forget_ask_many", count=len(found))
    )
    lines = [memory_line(language, number, memory, zone) for number, memory in shown]
    blocks: list[Block] = [section(title)]
    for line, (_, memory) in zip(lines, shown, strict=True):
        blocks.append(section(line, _forget_button(language, [memory])))
    if len(found) > len(shown):
        blocks.append(note(say(language, "forget_more", count=len(found) - len(shown))))
    elif len(shown) > 1:
        every = _forget_button(language, [memory for _, memory in shown])
        every["action_id"] = f"{FORGET_ACTION}_all"
        every["text"] = plain_text(say(language, "forget_all_button", count=len(shown)))
        blocks.append(actions(every))
    return ephemeral_payload("\n".join([title, *lines]), blocks)


def period_asked(
    language: Language, since: datetime | None, until: datetime | None, zone: tzinfo
) -> str:
    """Return whether to forget what was said from `since` on and before `until`; None: no limit.

    Days are named without a time if the period begins and ends at midnight in `zone`.
    """
    whole = all(end.astimezone(zone).time() == time() for end in (since, until) if end)
    written = plain_day if whole else plain_minute
    start = written(since, zone, language) if since else ""
    if until is None:
        return say(language, "forget_since_ask", start=start)
    if since is None:
        return say(language, "forget_before_ask", end=written(until, zone, language))
    if until - since < _LEAST_PERIOD:
        return say(language, "forget_message_ask", at=start)
    end = written(until - timedelta(seconds=whole), zone, language)
    if start == end:
        return say(language, "forget_at_ask", at=start)
    return say(language, "forget_between_ask", start=start, end=end)


def forget_period_question(
    language: Language,
    found: Numbered,
    count: int,
    messages: int,
    value: str,
    asked: str,
    zone: tzinfo,
) -> Payload:
    """Return what of a period would be forgotten: `count` memories, and how many messages.

    `found` are the newest of the memories. Without either, only the history of changes has
    something. `asked` is the question that names the period.
    """
    shown = found[:MAX_SHOWN]
    title = say(language, "forget_changes_ask", question=asked)
    if count or messages:
        title = say(
            language,
            "forget_period_ask",
            question=asked,
            memories=say(language, "counted_memories", count=count),
            messages=say(language, "counted_messages", count=messages),
        )
    lines = [memory_line(language, number, memory, zone) for number, memory in shown]
    blocks: list[Block] = [section(title), *map(section, joined_lines(lines))]
    if count > len(shown):
        blocks.append(note(say(language, "forget_period_more", count=count - len(shown))))
    forget = _confirmed_button(language, FORGET_PERIOD_ACTION, "forget_period_button", value, title)
    blocks.append(actions(forget))
    return ephemeral_payload("\n".join([title, *lines]), blocks)


def forget_everything_question(language: Language, count: int) -> Payload:
    """Return the question before everything is forgotten."""
    text = say(language, "forget_words_ask")
    if count:
        text = say(language, "forget_everything_ask", count=count)
    forget = _confirmed_button(
        language, FORGET_ALL_ACTION, "forget_everything_button", "everything", text
    )
    blocks = [
        section(text),
        actions(forget, erase_button(language)),
        note(say(language, "erase_note")),
    ]
    return ephemeral_payload(text, blocks)


def nothing_to_forget(language: Language) -> Payload:
    """Return that nothing is remembered, with the way to erase what is kept besides."""
    text = say(language, "memories_none")
    blocks = [section(text), note(say(language, "erase_note")), actions(erase_button(language))]
    return ephemeral_payload(text, blocks)


def forgotten_notice(
    language: Language, memories: Sequence[Memory], count: int, undo: str, zone: tzinfo
) -> Payload:
    """Return what was forgotten, with its Undo; "": there is none, because only texts were."""
    if count == 1:
        what = describe_escaped(language, memories[0], zone)
        text = say(language, "forgotten", what=what)
    elif not count:
        text = say(language, "forgotten_words")
    else:
        text = say(language, "forgotten_many", count=count)
    if not undo:
        return ephemeral_payload(text)
    take_back = button(UNDO_ACTION, say(language, "undo_button"), undo)
    blocks = [section(text), actions(take_back), note(say(language, "undo_note"))]
    return ephemeral_payload(text, blocks)


def forgotten_already(language: Language, *, keep_message: bool) -> Payload:
    """Return that nothing is left to forget.

    `keep_message`: what was clicked shows the Undo of a click before, and is not replaced.
    """
    payload = ephemeral_payload(say(language, "forgotten_already"))
    return {**payload, "stays": True} if keep_message else payload


def forget_form(language: Language, memory: Memory, zone: tzinfo) -> SlackView:
    """Return the question before one memory is forgotten."""
    question = note(say(language, "forget_confirm_text"))
    return form_view(
        language,
        "forget_confirm_title",
        [section(describe_escaped(language, memory, zone)), question],
        callback=FORGET_FORM,
        submit="forget_button",
        metadata={"memory": memory.key},
    )


def _forget_button(language: Language, memories: Sequence[Memory]) -> Block:
    # No dialog: the list above it is the question, and the answer has an Undo.
    return button(
        FORGET_ACTION,
        say(language, "forget_button"),
        json.dumps({"memories": [memory.key for memory in memories]}),
        style="danger",
    )


def _confirmed_button(
    language: Language, action: str, key: str, value: str, question: str
) -> Block:
    """Return a button that opens a dialogue with the question and its own text once more."""
    text = say(language, key)
    end = say(language, "forget_confirm_text")
    room = _CONFIRM_LIMIT - len(end) - 2
    confirm = {
        "title": plain_text(say(language, "forget_confirm_title")),
        "text": plain_text(f"{shortened(question, room)}\n{end}"),
        "confirm": plain_text(text),
        "deny": plain_text(say(language, "forget_keep")),
        "style": "danger",
    }
    return button(action, text, value, style="danger", confirm=confirm)
