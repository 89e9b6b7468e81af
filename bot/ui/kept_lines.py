"""What is kept for a conversation: the line in its thread, its list, and quotes below an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from bot.locale import Reader
from bot.slack.messages import slack_user
from bot.ui.acts import Keep, TakeBack
from bot.ui.blocks import (
    LINE_LIMIT,
    Block,
    Payload,
    as_mrkdwn,
    button,
    payload,
    section,
    shortened,
)
from memory import Memory, Person
from memory.store import KeptMemory


def one_line(text: str) -> str:
    """Return words without line breaks, shortened to a line."""
    return shortened(" ".join(text.split()), LINE_LIMIT)


def _who(person: Person) -> str:
    return f"<@{slack_user(person.user_id)}>"


def kept_payload(reader: Reader, memory: Memory, channel: str) -> Payload:
    """Return the line in the thread of a message that is kept, with *Undo* for its author."""
    content = memory.content
    key = "kept_line_decision" if content.get("decision") else "kept_line"
    what = as_mrkdwn(one_line(str(content.get("text", ""))))
    line = reader.say(key, channel=f"<#{channel}>", who=_who(memory.namespace.person), what=what)
    if content.get("replaces"):
        line = f"{line} {reader.say('kept_line_replaces')}"
    undo = TakeBack(key=memory.key)
    text = reader.say("undo_button")
    return payload(line, button(text, undo, label=reader.say("explained", what=text, more=line)))


def gone_payload(reader: Reader, channel: str) -> Payload:
    """Return the line in the place of that, once the message is kept no more."""
    return payload(reader.say("kept_gone", channel=f"<#{channel}>"))


def author_question(reader: Reader, asker: Person, words: str, keep: Keep) -> Payload:
    """Return what the author of a message is asked when somebody else wants it to be kept."""
    line = reader.say(
        "kept_ask_decision" if keep.decision else "kept_ask",
        who=_who(asker),
        channel=f"<#{keep.channel}>",
        what=as_mrkdwn(one_line(words)),
    )
    return payload(line, button(reader.say("kept_ask_button"), keep, style="primary"))


def described(reader: Reader, line: KeptMemory) -> str:
    """Return the words of a line, who said them, and the day."""
    what = as_mrkdwn(one_line(line.text))
    day = reader.plain_day(date.fromisoformat(line.memory.said_on))
    return reader.say("kept_row", what=what, who=_who(line.author), day=day)


def kept_row(reader: Reader, line: KeptMemory, viewer: Person, link: str | None) -> Block:
    """Return a line in the list of what is kept; its author can take it back there."""
    details = [described(reader, line)]
    if line.is_replaced:
        details.append(reader.say("kept_replaced"))
    elif line.is_decision:
        details.append(reader.say("kept_decision"))
    if link:
        details.append(f"<{link}|{reader.say('row_source')}>")
    take_back = None
    if line.author == viewer:
        text = reader.say("kept_take_back")
        act = TakeBack(key=line.memory.key)
        take_back = button(text, act, label=f"{text}: {details[0]}")
    return section(" · ".join(details), take_back, f"memory-{line.memory.key[:40]}")


def quotes(
    reader: Reader,
    lines: Sequence[KeptMemory],
    words: Mapping[str, str],
    names: Mapping[str, str],
    links: Mapping[str, str],
) -> str:
    """Return the lines that an answer comes from, as Markdown: the words, who said them, and when.

    `words`, `names` of the authors and `links` to the messages are by key; the first two are
    Markdown that notifies nobody.
    """
    shown = []
    for line in lines:
        key = line.memory.key
        day = reader.plain_day(date.fromisoformat(line.memory.said_on))
        details = [reader.say("kept_row", what=words[key], who=names[key], day=day)]
        if line.is_replaced:
            details.append(reader.say("kept_replaced"))
        if link := links.get(key):
            details.append(f"[{reader.say('row_source')}]({link})")
        shown.append(f"> {' · '.join(details)}")
    return "\n\n".join(shown)
