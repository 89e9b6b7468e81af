"""What is kept for a conversation: the line in its thread, its list, and quotes below an answer."""

from __future__ import annotations

from bot.locale import Localizer
from bot.slack.messages import person_reference
from bot.ui.acts import Keep, TakeBack
from bot.ui.blocks import (
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
from memory import Memory, Person
from memory.store import KeptMemory


def kept_payload(localizer: Localizer, memory: Memory, channel: str) -> Payload:
    """Return the line in the thread of a message that is kept, with *Undo* for its author."""
    content = memory.content
    key = "kept_line_decision" if content.get("decision") else "kept_line"
    what = escaped(one_line(str(content.get("text", ""))))
    who = person_reference(memory.namespace.person.user_id)
    line = localizer.say(key, channel=f"<#{channel}>", who=who, what=what)
    undo = TakeBack(key=memory.key)
    return payload(line, explained_button(localizer, "undo_button", undo, line))


def gone_payload(localizer: Localizer, channel: str) -> Payload:
    """Return the line that replaces it when the message is no longer kept."""
    return payload(localizer.say("kept_gone", channel=f"<#{channel}>"))


def author_question(
    localizer: Localizer, asker: Person, words: str, keep: Keep
) -> Payload:
    """Return what the author of a message is asked when somebody else wants it to be kept."""
    key = "kept_ask_decision" if keep.decision else "kept_ask"
    what = escaped(one_line(words))
    channel = f"<#{keep.channel}>"
    who = person_reference(asker.user_id)
    line = localizer.say(key, who=who, channel=channel, what=what)
    agree = button(localizer.say("kept_ask_button"), keep, style="primary")
    return payload(line, agree)


def kept_row(
    localizer: Localizer, line: KeptMemory, viewer: Person | None, link: str | None
) -> Block:
    """Return a line in the list of what is kept; its author can take it back there."""
    what = escaped(one_line(line.text))
    said = _said(localizer, line, what, person_reference(line.author.user_id))
    details = [said]
    if line.is_decision:
        details.append(localizer.say("kept_decision"))
    if link:
        details.append(source_link(localizer, link))
    take_back = None
    if line.author == viewer:
        act = TakeBack(key=line.memory.key)
        take_back = explained_button(localizer, "kept_take_back", act, said)
    block_id = f"memory-{line.memory.key[:40]}"
    return section(" · ".join(details), take_back, block_id)


def quote(
    localizer: Localizer, line: KeptMemory, what: str, who: str, link: str | None
) -> str:
    """Return a line that an answer comes from, as Markdown: the words, who said them, and when.

    `what` and `who` are Markdown that notifies nobody.
    """
    details = [_said(localizer, line, what, who)]
    if link:
        details.append(f"[{localizer.say('row_source')}]({link})")
    return f"> {' · '.join(details)}"


def _said(localizer: Localizer, line: KeptMemory, what: str, who: str) -> str:
    day = localizer.stored_day(line.memory.said_on)
    return localizer.say("kept_row", what=what, who=who, day=day)
