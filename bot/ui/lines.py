"""Memories, changes, questions, audiences and "off", each as one line that a person understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from bot.locale import Localizer
from bot.people import Off
from bot.slack.messages import is_direct
from bot.ui.blocks import LINE_LIMIT, as_mrkdwn, spoken, truncate
from bot.ui.promises import due_line, due_of, is_open
from memory import (
    COLLEAGUES,
    DM,
    PUBLIC,
    Change,
    Memory,
    Question,
    subject,
)
from memory.model import EPISODE_KIND, KEPT_KIND, LEVEL_FIELDS, PROMISE_KIND, kept_channel
from memory.store import MAX_MEMORIES, NotRemembered


class Level(NamedTuple):
    """A word for scores from `least` up: its typical score, and the key of its sentence."""

    least: int
    typical: int
    key: str


LEVELS: Mapping[str, Sequence[Level]] = {
    "UserFoodPreference": (
        Level(90, 95, "food_loved"),
        Level(60, 75, "food"),
        Level(40, 50, "food_fine"),
        Level(0, 10, "food_disliked"),
    ),
    "UserTechInterest": (
        Level(85, 90, "tech_very"),
        Level(40, 60, "tech"),
        Level(15, 25, "tech_little"),
        Level(0, 10, "tech_hardly"),
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
}
_SAID_LIMIT = 120  # characters of the sentence of a memory in its row
_ENDED = ("done", "dropped")
_TITLE_LIMIT = 100  # characters of a memory in a title, which Slack limits to 150
# Reasons that mean the same to a person as another reason.
_REFUSED_AS = {"no_evidence": "unusable", "unreadable": "unusable"}
_SHOWN = frozenset({"remembered", "updated", "removed", "moved"})


# --- memories ----------------------------------------------------------------------------------


def describe(localizer: Localizer, kind: str, content: Mapping[str, Any]) -> str:
    """Return one memory as a plain line, cut at `LINE_LIMIT`."""
    what = subject(kind, content)
    if kind == EPISODE_KIND:
        parts = (what, content.get("action"), content.get("result"))
        return _one_line(" → ".join(str(part) for part in parts if part))
    if kind == PROMISE_KIND:
        return _one_line(_promise(localizer, what, content))
    if kind == KEPT_KIND:
        return _one_line(str(content.get("text", "")))
    if kind in _DETAILS:
        values = (content.get(name) for name in _DETAILS[kind])
        details = [str(value) for value in values if value not in (None, "", what)]
    else:
        details = _named_fields(content, what)
    line = sentence = _sentence(localizer, kind, what, content)
    if details:
        listed = localizer.say("listed").join(details)
        line = localizer.say("detailed", what=sentence, details=listed)
    description = str(content.get("description") or "")
    if description and description not in line and not _only_names(what, description):
        line = localizer.say("explained", what=line, more=description)
    return _one_line(line)


def _promise(localizer: Localizer, what: str, content: Mapping[str, Any]) -> str:
    """Return a promise: what, to whom, by when, and whether it was kept."""
    line = _with_details(localizer, what, content)
    state = content.get("state")
    return localizer.say(f"promise_line_{state if state in _ENDED else 'open'}", what=line)


def _with_details(localizer: Localizer, what: str, content: Mapping[str, Any]) -> str:
    details = _promise_details(localizer, content)
    if not details:
        return what
    return localizer.say("detailed", what=what, details=localizer.say("listed").join(details))


def _promise_details(localizer: Localizer, content: Mapping[str, Any]) -> list[str]:
    """Return to whom a promise was made, and by when it is to be kept."""
    details: list[str] = []
    if to := content.get("to"):
        details.append(localizer.say("promise_to", who=to))
    if due := due_of(content):
        details.append(localizer.say("promise_by", when=due_line(localizer, due)))
    return details


def promise_line(localizer: Localizer, memory: Memory) -> str:
    """Return what was promised, to whom and by when, as one line of mrkdwn."""
    what = subject(memory.kind, memory.content)
    return as_mrkdwn(_one_line(_with_details(localizer, what, memory.content)))


def promise_details(localizer: Localizer, memory: Memory) -> str:
    """Return a promise as a row of a reminder: what, and, below it, to whom and by when."""
    what = as_mrkdwn(_one_line(subject(memory.kind, memory.content)))
    details = as_mrkdwn(" · ".join(_promise_details(localizer, memory.content)))
    return f"*{what}*\n{details}" if details else f"*{what}*"


def sentence_of(memory: Memory) -> str:
    """Return the sentence of a memory's newest source, which was judged; "" if it is gone."""
    said = [str(one.get("evidence") or "") for one in memory.sources]
    return " ".join("".join(said[-1:]).split())


def said_line(localizer: Localizer, memory: Memory, line: str) -> str:
    """Return the quoted sentence of a memory; empty if it says no more than its `line`."""
    sentence = truncate(sentence_of(memory), _SAID_LIMIT)
    if not says_more(subject(memory.kind, memory.content), sentence, line):
        return ""
    return localizer.say("row_said", what=as_mrkdwn(sentence))


def says_more(what: str, sentence: str, line: str) -> bool:
    """Return whether the sentence of a memory says more than its line; `what` is its subject."""
    bare = as_mrkdwn(sentence).strip(_FINAL_MARKS).casefold()
    if bare in line.casefold():
        return False
    return not _only_names(what, sentence)


def _only_names(what: str, text: str) -> bool:
    """Return whether a text only names a subject, as “I like ramen” does for ramen.

    Without the subject, few letters are left of it. They must not belong to the subject, as they do
    in “miso ramen” or 「味噌ラーメン」.
    """
    before, found, after = text.casefold().partition(what.casefold()) if what else ("", "", "")
    left = (before + after).strip(_FINAL_MARKS)
    if not found or len(left) > _FEW_LETTERS or (before[-1:].isalnum() and before[-1] not in _ENDS):
        return False
    return not left.isascii() or len(left.split()) != 1


def _one_line(text: str) -> str:
    return truncate(" ".join(text.split()), LINE_LIMIT)


def _sentence(localizer: Localizer, kind: str, what: str, content: Mapping[str, Any]) -> str:
    """Return what is liked or of interest, and how much, in words instead of a score."""
    levels = LEVELS.get(kind)
    if levels is None:
        return what
    level = level_of(kind, content.get(LEVEL_FIELDS[kind])) or levels[1]
    return localizer.say(level.key, what=what)


def level_of(kind: str, score: object) -> Level | None:
    """Return the level of a score of a built-in kind; None if it is not a score."""
    if not isinstance(score, int):
        return None
    return next((one for one in LEVELS[kind] if score >= one.least), None)


def _named_fields(content: Mapping[str, Any], what: str) -> list[str]:
    """Return the fields beside the subject, each with its name."""
    return [
        f"{name.replace('_', ' ')}: {value}"
        for name, value in sorted(content.items())
        if isinstance(value, str | int | float) and value != what
    ]


def memory_line(localizer: Localizer, memory: Memory) -> str:
    """Return a memory as a line of mrkdwn, without markup, with its last day if it ends.

    A memory without words, such as one of another version of its kind, is “…”.
    """
    text = as_mrkdwn(describe(localizer, memory.kind, memory.content)) or "…"
    return f"{text} {_last_day(localizer, memory.expires_at)}" if memory.expires_at else text


def audience_of(memory: Memory) -> str:
    """Return the widest audience, besides direct messages, that knows a memory."""
    others = [one for one in memory.audiences if one != COLLEAGUES]
    if PUBLIC in others:
        return PUBLIC
    return others[0] if others else DM


def audience_name(localizer: Localizer, audience: str) -> str:
    """Return where a memory may be used, as mrkdwn for the end of a sentence."""
    if audience == DM:
        return localizer.say("audience_dm")
    if audience == PUBLIC:
        return localizer.say("audience_public")
    if audience == COLLEAGUES:
        return localizer.say("audience_colleagues")
    if (channel := kept_channel(audience)) is not None:
        return localizer.say("audience_kept", channel=f"<#{channel}>")
    return localizer.say("audience_own", channel=f"<#{audience}>")


def _last_day(localizer: Localizer, end: datetime) -> str:
    """Return the last day of what ends at `end`, often a midnight, in parentheses."""
    return localizer.say("change_until", day=localizer.day(end - timedelta(seconds=1)))


# --- changes -----------------------------------------------------------------------------------


def change_line(localizer: Localizer, entry: Change) -> str:
    """Return a change as one line of mrkdwn."""
    before = value_line(localizer, entry.before)
    after = value_line(localizer, entry.after)
    line = _change_line(localizer, entry, before, after)
    if entry.undone_at is not None:
        return localizer.say("change_undone", line=line)
    if entry.expires_at and entry.action in ("remembered", "updated"):
        line += f" {_last_day(localizer, entry.expires_at)}"
    return line


def _change_line(localizer: Localizer, entry: Change, before: str, after: str) -> str:
    match entry.action:
        case "removed":
            return localizer.say("forgotten", what=before or localizer.say("change_nameless"))
        case "moved":
            where = audience_name(localizer, entry.namespace.audience)
            return localizer.say("change_moved", what=after, where=where)
        case "confirmed":
            return localizer.say("change_confirmed", what=after)
        case "updated" if _ends_promise(entry):
            return after
        case "updated" if before and before != after:
            return localizer.say("change_updated", what=after, was=before)
    return localizer.say("change_remembered", what=after)


def _ends_promise(entry: Change) -> bool:
    """Return whether a promise was kept or dropped, which its line says."""
    before = (entry.before or {}).get("content") or {}
    after = (entry.after or {}).get("content") or {}
    return is_open(entry.kind, before) and after.get("state") in _ENDED


def history_title(localizer: Localizer, changes: Sequence[Change]) -> str:
    """Return the title of the changes of one memory, in plain text."""
    stored = (one.after or one.before for one in changes)
    newest = next((value for value in stored if value), None)
    if newest is None:
        return localizer.say("changes_title")
    what = truncate(spoken(value_line(localizer, newest)), _TITLE_LIMIT)
    return localizer.say("history_title", what=what)


def changes_line(localizer: Localizer, entries: Sequence[Change]) -> str:
    """Return changes in one line: a single one in words, several by their number.

    Undone changes are shown only if all were undone. Empty if none is worth telling.
    """
    told = notable_changes(entries)
    if not told:
        return ""
    undone = [entry for entry in told if entry.undone_at is not None]
    kept = [entry for entry in told if entry.undone_at is None]
    over = bool(undone) and not kept
    shown = undone if over else kept
    if len(shown) == 1 and len(line := change_line(localizer, shown[0])) <= LINE_LIMIT:
        return line
    remembered = all(entry.action == "remembered" for entry in shown)
    line = localizer.say("notice_remembered" if remembered else "notice_changed", count=len(shown))
    return localizer.say("change_undone", line=line) if over else line


def notable_changes(entries: Sequence[Change]) -> list[Change]:
    """Return the changes worth telling, in the order they were made: the last of each memory.

    Confirmations are left out.
    """
    shown = (entry for entry in entries if entry.action in _SHOWN)
    ordered = sorted(shown, key=lambda entry: entry.at)
    return list({entry.key: entry for entry in ordered}.values())


def value_line(localizer: Localizer, value: Mapping[str, Any] | None) -> str:
    """Return a stored value as one line of mrkdwn; empty for None."""
    if value is None:
        return ""
    return as_mrkdwn(describe(localizer, str(value.get("kind")), value.get("content") or {}))


# --- questions, off ---------------------------------------------------------------


def question_line(localizer: Localizer, question: Question) -> str:
    """Return a question that formation left to the person, as one line of mrkdwn."""
    before = value_line(localizer, question.before)
    after = value_line(localizer, question.after)
    match question.asks:
        case "replace" | "older":
            day = localizer.plain_day(date.fromisoformat(question.said_on))
            return localizer.say(f"ask_{question.asks}_line", was=before, day=day, what=after)
        case "remove":
            return localizer.say("forget_ask", what=before)
    where = audience_name(localizer, question.namespace.audience)
    return localizer.say("ask_store_line", what=after, where=where)


def refusal_line(localizer: Localizer, reason: str, sentence: str) -> str:
    """Return why a sentence of the person was not stored; `reason` is a `memory.Reason`."""
    what = as_mrkdwn(" ".join(sentence.split()))
    key = _REFUSED_AS.get(reason, reason)
    return localizer.say(f"refused_{key}", what=what, limit=MAX_MEMORIES)


def not_remembered_line(localizer: Localizer, refused: NotRemembered) -> str:
    """Return a sentence that was not remembered, and why."""
    return refusal_line(localizer, refused.reason, truncate(refused.sentence, LINE_LIMIT))


def off_line(localizer: Localizer, off: Off) -> str:
    """Return that memory is off, where and until when."""
    if off.here:
        return localizer.say("off_here", where=place_name(localizer, off.scope))
    if off.until is None:
        return localizer.say("off")
    return localizer.say("off_until", until=localizer.minute(off.until))


def off_sentences(localizer: Localizer, off: Off) -> str:
    """Return that memory is off, and what that means."""
    return f"{off_line(localizer, off)} {localizer.say('off_effect')}"


def place_name(localizer: Localizer, scope: str) -> str:
    """Return the conversation or thread of `bot.people.Off`, to somebody who is there."""
    if "." in scope:
        return localizer.say("place_thread")
    # Slack shows the link to a direct message with an internal name.
    return localizer.say("place_dm") if is_direct(scope) else f"<#{scope}>"


def kept_for(localizer: Localizer, days: int | None) -> str:
    """Return how long something is kept, in words."""
    if days is None:
        return localizer.say("settings_kept_always")
    return localizer.say("settings_kept_days", count=days)
