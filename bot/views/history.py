"""Recent changes: what was remembered, changed and forgotten, when and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from bot.locale import Language, say
from bot.views.blocks import (
    Block,
    Payload,
    actions,
    button,
    ephemeral_payload,
    header,
    note,
    section,
)
from bot.views.changes import change_block, change_line, question_blocks
from bot.views.dates import minute
from bot.views.views import SlackView, information_view
from memory import Change, Question

HISTORY_PAGE = 8
_QUESTIONS = 10  # of two blocks each; a message has 50
HISTORY_ACTION = "history_page"
_FIRST = "-"
ALL_CHANGES = f"history {_FIRST}"

_BY: Mapping[str, str] = {
    "formation": "by_message",
    "tool": "by_message",
    "command": "by_command",
    "modal": "by_modal",
    "source": "by_source",
    "expiry": "by_expiry",
    "undo": "by_undo",
    "question": "by_question",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Some changes, newest first; `links` lead to the messages they came from, by entry id.

    `since` is the moment before which all of them were made, None on the first page; `older` says
    that there are more. `reference` is set where they are those of one memory, `notice` where they
    are those of one notice: its surface.
    """

    entries: tuple[Change, ...]
    questions: tuple[Question, ...] = ()
    links: Mapping[str, str]
    since: datetime | None = None
    older: bool = False
    reference: str = ""
    notice: str = ""

    @property
    def surface(self) -> str:
        """This page as a button's value: the page to show again after a click."""
        since = self.since.isoformat() if self.since else _FIRST
        return self.notice or f"history {since} {self.reference}".strip()


def parse_since(word: str) -> datetime | None:
    """Read the moment that a button's value names; None for the first page."""
    return None if word in ("", _FIRST) else datetime.fromisoformat(word)


def history_payload(language: Language, page: HistoryPage, zone: tzinfo) -> Payload:
    """Return a page of changes for the person alone."""
    title = say(language, "history_title")
    if not page.entries and not page.questions:
        return ephemeral_payload(say(language, "history_none"))
    lines = [entry_line(language, entry, page.links, zone) for entry in page.entries]
    blocks: list[Block] = [
        header(title),
        *_blocks(language, page, zone),
        note(say(language, "history_note")),
        *_page_buttons(language, page),
    ]
    return ephemeral_payload("\n".join([title, *lines]), blocks)


def history_view(language: Language, page: HistoryPage, zone: tzinfo) -> SlackView:
    """Return the same in a modal."""
    none = say(language, "notice_gone" if page.notice else "history_none")
    blocks = _blocks(language, page, zone) or [section(none)]
    title = "details_button" if page.notice else "history_modal_title"
    return information_view(language, title, [*blocks, *_page_buttons(language, page)])


def _blocks(language: Language, page: HistoryPage, zone: tzinfo) -> list[Block]:
    blocks: list[Block] = []
    for question in page.questions[:_QUESTIONS]:
        blocks += question_blocks(language, question, page.surface, zone)
    if left := len(page.questions[_QUESTIONS:]):
        blocks.append(note(say(language, "history_questions", count=left)))
    for entry in page.entries:
        line = entry_line(language, entry, page.links, zone)
        blocks.append(change_block(language, entry, line, page.surface))
    return blocks


def entry_line(language: Language, entry: Change, links: Mapping[str, str], zone: tzinfo) -> str:
    """Return a change with its moment and who made it, as two lines of mrkdwn.

    `links` are those of `HistoryPage`.
    """
    key = _BY[entry.actor]
    by = say(language, key)
    if key == "by_message" and (link := links.get(str(entry.id))):
        by = f"<{link}|{by}>"
    return f"{change_line(language, entry, zone)}\n{minute(entry.at, zone, language)} · {by}"


def _page_buttons(language: Language, page: HistoryPage) -> list[Block]:
    """Return the buttons to older changes, and back to the newest."""
    elements = []
    if page.since is not None:
        value = f"{_FIRST} {page.reference}".strip()
        elements.append(button(f"{HISTORY_ACTION}_first", say(language, "history_newest"), value))
    if page.older:
        value = f"{page.entries[-1].at.isoformat()} {page.reference}".strip()
        elements.append(button(f"{HISTORY_ACTION}_next", say(language, "history_older"), value))
    return [actions(*elements)] if elements else []
