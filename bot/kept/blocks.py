"""What is kept for a conversation: the post in its thread, its list, and quotes below an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias
from uuid import UUID

from bot.acts.blocks import (
    Block,
    Payload,
    button,
    escaped,
    explained_button,
    one_line,
    payload,
    section,
    source_link,
)
from bot.acts.kinds import Keep, TakeBack
from bot.locale import Localizer
from bot.slack.messages import person_reference
from memory import Person
from memory.store import KeptLine

WORDS_LIMIT = 2_000
"""The most characters, escaped, of words that are shown whole."""
Asking: TypeAlias = Literal["other", "own", "edited"]
"""Why an author is asked: somebody else wants it, they themselves, or they edited what was kept."""


def kept_payload(
    localizer: Localizer, line: str, row: Mapping[str, Any], user: str, channel: str
) -> Payload:
    """Return the post below a kept message, with *Undo*; `row` is that of the `line` of a user."""
    key = "kept_line_decision" if row["decision"] else "kept_line"
    what = escaped(one_line(row["text"]))
    who = person_reference(user)
    text = localizer.say(key, channel=f"<#{channel}>", who=who, what=what)
    undo = TakeBack(id=UUID(line))
    return payload(text, explained_button(localizer, "undo_button", undo, text))


def author_question(
    localizer: Localizer, wanted: Keep, why: Asking, by: Person | None = None
) -> Payload:
    """Return the question whether to keep the words of a message, which it shows; `by` wants it."""
    who = person_reference(by.user_id) if by else ""
    asked = localizer.say(f"kept_ask_{why}", who=who, channel=f"<#{wanted.channel}>")
    what = localizer.say("kept_ask_words", what=escaped(wanted.text, WORDS_LIMIT))
    if wanted.decision:
        what += f" · {localizer.say('kept_decision')}"
    line = f"{asked}\n{what}\n{localizer.say('kept_ask_note')}"
    refuse = wanted.model_copy(update={"to": "not", "text": ""})
    buttons = [
        button(localizer.say("kept_ask_button"), wanted, style="primary"),
        button(localizer.say("kept_ask_not"), refuse),
    ]
    return payload(line, *buttons)


def kept_row(
    localizer: Localizer,
    line: KeptLine,
    viewer: Person | None,
    link: str | None,
    *,
    is_shown: bool,
) -> Block:
    """Return a line in the list of what is kept; its author can take it back there.

    `is_shown`: it is among those that answers are given.
    """
    what = escaped(" ".join(line.text.split()), WORDS_LIMIT)
    said = _said(localizer, line, what, person_reference(line.user_id))
    details = [said]
    if line.decision:
        details.append(localizer.say("kept_decision"))
    if not is_shown:
        details.append(localizer.say("kept_not_shown"))
    if link:
        details.append(source_link(localizer, link))
    take_back = None
    if line.author == viewer:
        act = TakeBack(id=line.id)
        take_back = explained_button(localizer, "kept_take_back", act, said)
    return section(" · ".join(details), take_back, f"memory-{line.id}")


def quote(
    localizer: Localizer, line: KeptLine, what: str, who: str, link: str | None
) -> str:
    """Return a line that an answer comes from, as Markdown: the words, who said them, and when.

    `what` and `who` are Markdown that notifies nobody.
    """
    details = [_said(localizer, line, what, who)]
    if link:
        details.append(f"[{localizer.say('row_source')}]({link})")
    return f"> {' · '.join(details)}"


def _said(localizer: Localizer, line: KeptLine, what: str, who: str) -> str:
    day = localizer.day(line.said_at.astimezone(localizer.zone).date())
    return localizer.say("kept_row", what=what, who=who, day=day)
