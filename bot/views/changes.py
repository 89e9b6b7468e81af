"""Changes of memories: one line for each change, and open questions."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from bot.locale import Language, say
from bot.views.blocks import (
    Block,
    Payload,
    actions,
    button,
    ephemeral_payload,
    escaped,
    joined_lines,
    section,
)
from bot.views.dates import day
from bot.views.labels import audience_name, describe, last_day, with_mentions
from memory import Change, Question

UNDO_CHANGE_ACTION = "undo_change"
ANSWER_ACTION = "answer_question"
DONE = "done"
EVERY_CHANGE = "all"
_SHOWN = frozenset({"remembered", "updated", "removed", "moved", "restored"})
_ANSWERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "replace": (("no", "ask_keep_old"), ("yes", "ask_replace"), ("both", "ask_keep_both")),
    "remove": (("yes", "ask_remove"), ("no", "ask_keep")),
    "widen": (("yes", "ask_widen"), ("no", "ask_keep_narrow")),
    "store": (("yes", "ask_store"), ("no", "ask_not_store")),
}


def done_surface(changes: Iterable[UUID]) -> str:
    """Return the surface that shows just these changes; of eighty it fits the value of a button."""
    return " ".join([DONE, *(urlsafe_b64encode(one.bytes)[:22].decode() for one in changes)])


def changes_of(surface: str) -> list[UUID]:
    """Return the ids in what `done_surface` returned. Raises `ValueError`."""
    return [UUID(bytes=urlsafe_b64decode(f"{name}==")) for name in surface.split()[1:]]


def adds_to_list(entry: Change) -> bool:
    """Say whether a change tells more than the list of memories, which shows what is new."""
    return entry.undone_at is not None or entry.action in ("updated", "removed", "moved")


def can_be_undone(entry: Change) -> bool:
    """Say whether an Undo makes sense for a change; whether it still works shows when clicked."""
    return entry.action != "confirmed" and entry.undone_at is None


def can_be_undone_alone(entry: Change) -> bool:
    """Say whether the history shows an Undo for a change.

    Also for a confirmation: the change before it can be undone only after it.
    """
    confirmed = entry.action == "confirmed" and entry.undone_at is None
    return (confirmed or can_be_undone(entry)) and not entry.changed_since


def change_line(language: Language, entry: Change, zone: tzinfo) -> str:
    """Return a change as one line of mrkdwn."""
    before, after = _memory_text(language, entry.before), _memory_text(language, entry.after)
    if entry.undone_at is not None:
        return say(language, "change_undone", line=_line(language, entry, before, after))
    line = _line(language, entry, before, after)
    if entry.expires_at and entry.action in ("remembered", "updated"):
        line += " " + last_day(language, entry.expires_at, zone)
    return line


def _line(language: Language, entry: Change, before: str, after: str) -> str:
    match entry.action:
        case "removed":
            # Of what has ended nothing is kept, not even what it was.
            what = before or say(language, "change_nameless")
            return say(language, "forgotten", what=what)
        case "moved":
            where = audience_name(language, entry.namespace.audience)
            return say(language, "change_moved", what=after, where=where)
        case "restored":
            return say(language, "change_restored", what=after or before)
        case "confirmed":
            return say(language, "change_confirmed", what=after)
        case "updated" if before and before != after:
            return say(language, "change_updated", what=after, was=before)
        case "updated":
            return say(language, "change_updated_same", what=after)
    return say(language, "change_remembered", what=after)


def _memory_text(language: Language, value: Mapping[str, Any] | None) -> str:
    if value is None:
        return ""
    text = describe(language, str(value.get("kind")), value.get("content") or {})
    return with_mentions(escaped(text))


def undo_button(language: Language, entry: Change, surface: str) -> Block:
    """Return the Undo of a change; `surface` says what to update after a click."""
    after = entry.after or entry.before or {}
    what = describe(language, entry.kind, after.get("content") or {})
    return _undo(language, what, f"{entry.id} {surface}".strip())


def undo_all_button(language: Language, line: str, surface: str) -> Block:
    """Return the Undo of all changes of the notice on `surface`, which `line` tells."""
    return _undo(language, line, f"{EVERY_CHANGE} {surface}")


def _undo(language: Language, what: str, value: str) -> Block:
    label = say(language, "undo_label", what=what)
    return button(
        UNDO_CHANGE_ACTION, say(language, "undo_button"), value, accessibility_label=label
    )


def change_block(language: Language, entry: Change, text: str, surface: str) -> Block:
    """Return a section about a change, with its Undo where that makes sense for it alone."""
    undo = undo_button(language, entry, surface) if can_be_undone_alone(entry) else None
    return section(text, undo)


def changes_made_payload(language: Language, entries: Sequence[Change], zone: tzinfo) -> Payload:
    """Return what was just changed, with one Undo for all of it."""
    lines = [change_line(language, entry, zone) for entry in entries]
    text = "\n".join(lines)
    surface = done_surface(entry.id for entry in entries)
    if len(entries) == 1:
        blocks = [change_block(language, entries[0], text, surface)]
    else:
        blocks = [section(part) for part in joined_lines(lines)]
        if any(can_be_undone(entry) for entry in entries):
            blocks.append(actions(undo_all_button(language, text, surface)))
    return ephemeral_payload(text or say(language, "memory_gone"), blocks)


def question_blocks(
    language: Language, question: Question, surface: str, zone: tzinfo
) -> list[Block]:
    """Return a question that formation left to the person, with a button for each answer."""
    buttons = [
        button(
            f"{ANSWER_ACTION}_{answer}",
            say(language, key),
            f"{question.id} {answer} {surface}".strip(),
        )
        for answer, key in _ANSWERS[question.asks]
    ]
    return [section(question_line(language, question, zone)), actions(*buttons)]


def question_line(language: Language, question: Question, zone: tzinfo) -> str:
    """Return a question as one line of mrkdwn."""
    before, after = _memory_text(language, question.before), _memory_text(language, question.after)
    match question.asks:
        case "replace":
            said = day(_said_at(question), zone, language)
            return say(language, "ask_replace_line", was=before, day=said, what=after)
        case "remove":
            return say(language, "ask_remove_line", what=before)
        case "store":
            return say(language, "ask_store_line", what=after)
    where = audience_name(language, question.namespace.audience)
    if question.after is None:
        return say(language, "ask_widen_remove_line", was=before, where=where)
    return say(language, "ask_widen_line", was=before, what=after, where=where)


def _said_at(question: Question) -> datetime:
    at = (question.before or {}).get("confirmed_at")
    return datetime.fromisoformat(at) if isinstance(at, str) else question.at


def notable_changes(entries: Sequence[Change]) -> list[Change]:
    """Return the changes worth telling, in the order they were made: of each memory the last.

    A confirmation is not among them.
    """
    shown = (entry for entry in entries if entry.action in _SHOWN)
    ordered = sorted(shown, key=lambda entry: entry.at)
    return list({entry.key: entry for entry in ordered}.values())
