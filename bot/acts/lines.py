"""Memories, changes, questions, audiences and "off", each as one line that a person understands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.acts.blocks import escaped, one_line, truncate
from bot.locale import Localizer
from bot.people import Off
from bot.slack.messages import is_direct
from bot.types import FILES_ALONE, FORWARDED_ALONE
from memory import DM, PUBLIC, Change, Memory, Question, subject
from memory.model import (
    LEVEL_FIELDS,
    PROMISE_KIND,
    Content,
    due_of,
    is_open_promise,
    texts,
)
from memory.store import MAX_MEMORIES


class Level(NamedTuple):
    """A word for scores from `least` up, and the key of its sentence."""

    least: int
    key: str


LEVELS: Mapping[str, Sequence[Level]] = {
    "UserFoodPreference": (
        Level(90, "food_loved"),
        Level(60, "food"),
        Level(40, "food_fine"),
        Level(0, "food_disliked"),
    ),
    "UserTechInterest": (
        Level(85, "tech_very"),
        Level(40, "tech"),
        Level(15, "tech_little"),
        Level(0, "tech_hardly"),
    ),
}
"""The words for the scores of the built-in kinds, from 0 to 100: people are not shown a number."""
# The letters beside the subject in “I like …” and 「…が好きです」, and the particles that may
# precede it in Japanese.
_FEW_LETTERS = 8
_ENDS = "はがもの"
_FINAL_MARKS = " .!。！"
# The fields of a built-in kind that are shown beside its subject; an operator's kind shows all.
_DETAILS: Mapping[str, tuple[str, ...]] = {
    "UserFoodPreference": ("cuisine",),
    "UserTechInterest": ("category",),
    "UserFact": (),
    "Episode": ("action", "result"),
}
_NAMED = 5  # changes that a notice or a receipt names
_SAID_LIMIT = 120  # characters of the sentence of a memory in its row
_ENDED = ("done", "dropped")
# Reasons that mean the same to a person as another reason.
_REFUSED_AS = {"no_evidence": "unusable"}
_SHOWN = frozenset({"remembered", "updated", "removed", "moved"})
_BROUGHT = {FORWARDED_ALONE: "asked_forwarded", FILES_ALONE: "asked_files"}


# --- memories ----------------------------------------------------------------------------------


def describe(localizer: Localizer, kind: str, content: Content) -> str:
    """Return one memory as a plain line, cut at `LINE_LIMIT`."""
    what = subject(kind, content)
    if kind == PROMISE_KIND:
        text = _promise(localizer, what, content)
    else:
        text = _described(localizer, kind, what, content)
    return one_line(text)


def _described(localizer: Localizer, kind: str, what: str, content: Content) -> str:
    """Return a memory with the fields beside its subject, and its description if that says more."""
    line = _sentence(localizer, kind, what, content)
    details = _details(localizer, kind, what, content)
    line = _with_details(localizer, line, details)
    description = str(content.get("description") or "")
    if description in line or _only_names(what, description):
        return line
    return localizer.say("explained", what=line, more=description)


def _details(localizer: Localizer, kind: str, what: str, content: Content) -> list[str]:
    """Return the fields beside the subject; those of an operator's kind each with its name."""
    details: list[str] = []
    for name in _DETAILS.get(kind, sorted(content)):
        value = content.get(name)
        shown = localizer.listed(texts(value)) or value
        if shown in (None, "", [], {}, what):
            continue
        label = "" if kind in _DETAILS else f"{name.replace('_', ' ')}: "
        details.append(f"{label}{shown}")
    return details


def _promise(localizer: Localizer, what: str, content: Content) -> str:
    """Return a promise: what, to whom, by when, and whether it was kept.

    What nobody waits for is a reminder.
    """
    details = _due_details(localizer, content)
    if to := content.get("to"):
        details.insert(0, localizer.say("promise_to", who=to))
    line = _with_details(localizer, what, details)
    state = content.get("state")
    if state not in _ENDED:
        state = "open"
    if to:
        return localizer.say(f"promise_line_{state}", what=line)
    return localizer.say(f"reminder_line_{state}", what=line)


def _with_details(localizer: Localizer, what: str, details: Sequence[str]) -> str:
    if not details:
        return what
    return localizer.say("detailed", what=what, details=localizer.listed(details))


def _due_details(localizer: Localizer, content: Content) -> list[str]:
    """Return by when a promise is to be kept; when, of a reminder; nothing without a day."""
    due = due_line(localizer, content)
    if not due:
        return []
    if content.get("to"):
        due = localizer.say("promise_by", when=due)
    return [due]


def repeated_sentences(memories: Sequence[Memory]) -> Collection[str]:
    """Return the sentences that say several of these memories."""
    times = Counter(memory.sentence for memory in memories)
    return {sentence for sentence, count in times.items() if count > 1}


def own_line(
    localizer: Localizer, memory: Memory, repeated: Collection[str] = ()
) -> str:
    """Return a memory in the person's own sentence, with its days; else as `memory_line` does.

    No sentence stands for a memory if it is `repeated` in other rows, or only what was typed into a
    form, which the line has. That a promise has ended is said by the line alone.
    """
    line = memory_line(localizer, memory)
    sentence = memory.sentence
    is_promise = memory.kind == PROMISE_KIND
    has_ended = is_promise and not is_open_promise(memory.kind, memory.content)
    if not sentence or sentence in repeated or has_ended:
        return line
    own = escaped(one_line(sentence))
    typed = own.strip(_FINAL_MARKS).casefold()
    if typed in line.casefold() and len(typed) < len(line):
        return line
    if is_promise:
        own = _with_details(localizer, own, _due_details(localizer, memory.content))
    return _until(localizer, memory, own)


def with_sentence(localizer: Localizer, memory: Memory, line: str, text: str) -> str:
    """Return `text`, and below it the quoted sentence of a memory if that says more than `line`."""
    evidence = ""
    if memory.sources:
        # Of the newest source, which was judged.
        evidence = str(memory.sources[-1].get("evidence") or "")
    sentence = one_line(evidence)
    bare = escaped(sentence).strip(_FINAL_MARKS).casefold()
    what = subject(memory.kind, memory.content)
    if bare in line.casefold() or _only_names(what, sentence):
        return text
    shortened = escaped(truncate(sentence, _SAID_LIMIT))
    said = localizer.say("row_said", what=shortened)
    return f"{text}\n{said}"


def _only_names(what: str, text: str) -> bool:
    """Return whether a text only names a subject, as “I like ramen” does for ramen.

    Without the subject, few letters are left of it. They must not belong to the subject, as they do
    in “miso ramen” or 「味噌ラーメン」.
    """
    if not what:
        return False
    before, found, after = text.casefold().partition(what.casefold())
    left = (before + after).strip(_FINAL_MARKS)
    if not found or len(left) > _FEW_LETTERS:
        return False
    if before[-1:].isalnum() and before[-1] not in _ENDS:
        return False
    is_one_word = len(left.split()) == 1
    return not (is_one_word and left.isascii())


def _sentence(localizer: Localizer, kind: str, what: str, content: Content) -> str:
    """Return what is liked or of interest, and how much, in words instead of a score."""
    levels = LEVELS.get(kind)
    if levels is None:
        return what
    score = content.get(LEVEL_FIELDS[kind])
    level = level_of(kind, score) or levels[1]
    return localizer.say(level.key, what=what)


def level_of(kind: str, score: object) -> Level | None:
    """Return the level of a score of a built-in kind; None if it is not a score."""
    if not isinstance(score, int):
        return None
    for level in LEVELS[kind]:
        if score >= level.least:
            return level
    return None


def memory_line(localizer: Localizer, memory: Memory) -> str:
    """Return a memory as a line of mrkdwn, without markup, with its last day if it ends.

    A memory without words, such as one of another version of its kind, is “…”.
    """
    text = escaped(describe(localizer, memory.kind, memory.content)) or "…"
    return _until(localizer, memory, text)


def _until(localizer: Localizer, memory: Memory, line: str) -> str:
    """Return a memory's line with its last day if it ends."""
    if memory.expires_at is None:
        return line
    return f"{line} {_last_day(localizer, memory.expires_at)}"


def audience_name(localizer: Localizer, audience: str) -> str:
    """Return where a memory may be used, as mrkdwn for the end of a sentence.

    Between two people, where *Remember This* can be used, the app is not.
    """
    if audience == DM or is_direct(audience):
        return localizer.say("audience_dm")
    if audience == PUBLIC:
        return localizer.say("audience_public")
    return localizer.say("audience_own", channel=f"<#{audience}>")


def _last_day(localizer: Localizer, end: datetime) -> str:
    """Return the last day of what ends at `end`, often a midnight, in parentheses."""
    last = (end - timedelta(seconds=1)).astimezone(localizer.zone)
    return localizer.say("change_until", day=localizer.calendar_day(last.date()))


# --- changes -----------------------------------------------------------------------------------


def change_line(localizer: Localizer, entry: Change) -> str:
    """Return a change as one line of mrkdwn."""
    before = content_line(localizer, entry.kind, entry.before)
    after = content_line(localizer, entry.kind, entry.after)
    line = _change_line(localizer, entry, before, after)
    if entry.undone_at is not None:
        return localizer.say("change_undone", line=line)
    if entry.expires_at and entry.action in ("remembered", "updated"):
        line += f" {_last_day(localizer, entry.expires_at)}"
    return line


def _change_line(localizer: Localizer, entry: Change, before: str, after: str) -> str:
    was_open = is_open_promise(entry.kind, entry.before or {})
    match entry.action:
        case "removed":
            return localizer.say(
                "forgotten", what=before or localizer.say("change_nameless")
            )
        case "moved":
            where = audience_name(localizer, entry.audience)
            return localizer.say("change_moved", what=after, where=where)
        case "confirmed":
            return localizer.say("change_confirmed", what=after)
        case "updated" if was_open and (entry.after or {}).get("state") in _ENDED:
            # The line of a promise that was kept or dropped says so.
            return after
        case "updated" if before and before != after:
            return localizer.say("change_updated", what=after, was=before)
        case "remembered" if after and entry.kind == PROMISE_KIND:
            return after
    return localizer.say("change_remembered", what=after)


def summary_lines(localizer: Localizer, entries: Sequence[Change]) -> list[str]:
    """Return a line for each change worth telling, at most `_NAMED`, and how many others there are.

    Undone changes are shown only if all were undone.
    """
    told = notable_changes(entries)
    shown = [entry for entry in told if entry.undone_at is None] or told
    lines = [change_line(localizer, entry) for entry in shown[:_NAMED]]
    more = len(shown) - _NAMED
    if more > 0:
        lines.append(localizer.say("forget_more", count=more))
    return lines


def notable_changes(entries: Sequence[Change]) -> list[Change]:
    """Return the changes worth telling, in the order they were made: the last of each memory.

    Confirmations are left out.
    """
    last: dict[str, Change] = {}
    for entry in sorted(entries, key=lambda entry: entry.at):
        if entry.action in _SHOWN:
            last[entry.key] = entry
    return list(last.values())


def content_line(localizer: Localizer, kind: str, content: Content | None) -> str:
    """Return what a memory says as one line of mrkdwn; empty for None."""
    if content is None:
        return ""
    return escaped(describe(localizer, kind, content))


# --- questions, off ---------------------------------------------------------------


def question_line(localizer: Localizer, question: Question) -> str:
    """Return a question that formation left to the person, as one line of mrkdwn."""
    before = content_line(localizer, question.said.kind, question.before)
    after = content_line(localizer, question.said.kind, question.after)
    match question.asks:
        case "replace" | "older":
            day = localizer.stored_day(question.said_on)
            return localizer.say(
                f"ask_{question.asks}_line", was=before, day=day, what=after
            )
        case "remove":
            return localizer.say("forget_ask", what=before)
    where = audience_name(localizer, question.said.audience)
    return localizer.say("ask_store_line", what=after, where=where)


def refusal_line(localizer: Localizer, reason: str, sentence: str) -> str:
    """Return why a sentence of the person was not stored; `reason` is a `memory.Reason`."""
    what = escaped(one_line(sentence))
    key = _REFUSED_AS.get(reason, reason)
    return localizer.say(f"refused_{key}", what=what, limit=MAX_MEMORIES)


def asked_text(localizer: Localizer, question: str) -> str:
    """Return a stored question with words in place of the marks for what came with it."""
    lines: list[str] = []
    for line in question.split("\n"):
        mark = _BROUGHT.get(line)
        lines.append(localizer.say(mark) if mark else line)
    return "\n".join(lines)


def off_line(localizer: Localizer, off: Off) -> str:
    """Return that memory is off, where and until when."""
    if off.scope:
        return localizer.say("off_here", where=place_name(localizer, off.scope))
    if off.until is None:
        return localizer.say("off")
    return localizer.say("off_until", until=localizer.minute(off.until))


def off_sentences(localizer: Localizer, off: Off) -> str:
    """Return that memory is off, and what that means."""
    return f"{off_line(localizer, off)}\n{localizer.say('off_means')}"


def place_name(localizer: Localizer, scope: str) -> str:
    """Return the conversation of `bot.people.Off`."""
    if is_direct(scope):
        # Slack shows the link to a direct message with an internal name.
        return localizer.say("place_dm")
    return f"<#{scope}>"


def retention_text(localizer: Localizer, days: int | None) -> str:
    """Return how long something is kept, in words."""
    if days is None:
        return localizer.say("settings_kept_always")
    return localizer.say("settings_kept_days", count=days)


def due_line(localizer: Localizer, content: Content) -> str:
    """Return the day and time of a promise as the person reads them; empty if it has no day."""
    due = due_of(content)
    return localizer.day(*due) if due else ""
