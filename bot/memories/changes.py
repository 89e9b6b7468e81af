"""Changes of a person's memories: history, Undo, and answers to questions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from bot.conversation.callbacks import UpdateFromChanged
from bot.locale import Language, say
from bot.notices.change_notices import NOTICE, ChangeNotices
from bot.slack.permalinks import Permalinks, last_source_message
from bot.users.profiles import Profiles
from bot.views.blocks import Payload, beside_payload
from bot.views.changes import DONE, EVERY_CHANGE, changes_made_payload, changes_of
from bot.views.history import HISTORY_PAGE, HistoryPage, history_payload, history_view, parse_since
from bot.views.home import HOME
from bot.views.notices import NoticeContent, notice_payload
from bot.views.views import SlackView, payload_view, sentence_view
from memory import (
    Change,
    ChangedSince,
    ChangeGone,
    Embedder,
    EmbeddingsUnavailable,
    Person,
    Pool,
    answer_question,
    list_changes,
    open_questions,
    undo_change,
    undo_changes,
)

log = logging.getLogger(__name__)

HISTORY = "history"
_ANSWERS: Mapping[str, Literal["yes", "no", "both"]] = {"yes": "yes", "no": "no", "both": "both"}


@dataclass(frozen=True, slots=True)
class ChangeHistory:
    """Each answer is for the person alone and covers their own memories only."""

    pool: Pool
    embedder: Embedder
    notices: ChangeNotices
    links: Permalinks
    people: Profiles
    update_from_changed: UpdateFromChanged

    async def history(self, person: Person, language: Language, *_: str) -> Payload:
        """Answer ``/memories history``: the newest changes."""
        return await self.page(person, language, "")

    async def page(self, person: Person, language: Language, value: str) -> Payload:
        """Return a page of changes: ``SINCE REFERENCE``; without a reference those of all."""
        page, zone = await self._page(person, value), await self.people.zone(person)
        return history_payload(language, page, zone)

    async def page_in_modal(self, person: Person, language: Language, value: str) -> SlackView:
        """Return the same in a modal."""
        page, zone = await self._page(person, value), await self.people.zone(person)
        return history_view(language, page, zone)

    async def notice_view(self, person: Person, language: Language, surface: str) -> SlackView:
        """Return the changes of a notice in a modal, each with its source."""
        surface_kind, _, rest = surface.partition(" ")
        if surface_kind == HISTORY:
            return await self.page_in_modal(person, language, rest)
        if surface_kind == DONE:
            content = await self._done(person, surface)
        else:
            content = await self.notices.content(person, surface)
        entries = sorted(content.entries, key=lambda entry: entry.at, reverse=True)
        page = HistoryPage(
            entries=tuple(entries),
            questions=content.questions,
            links=await self._linked(person, entries),
            notice=surface,
        )
        return history_view(language, page, await self.people.zone(person))

    async def undone(self, person: Person, language: Language, value: str) -> Payload | None:
        """Undo the change that a button names: ``CHANGE SURFACE``."""
        change, _, surface = value.partition(" ")
        problem = await self.undo(person, change, surface)
        return await self._payload(person, language, problem, surface)

    async def undone_in_modal(self, person: Person, language: Language, value: str) -> SlackView:
        """Undo the change that a button in a modal names."""
        change, _, surface = value.partition(" ")
        return await self._view(person, language, await self.undo(person, change, surface), surface)

    async def answered(self, person: Person, language: Language, value: str) -> Payload | None:
        """Do what a button names: ``QUESTION ANSWER SURFACE``."""
        question, answer, surface = _answer_of(value)
        done = await self.answer(person, question, answer, surface)
        if done and not isinstance(done, str) and surface.startswith((HOME, DONE)):
            shown = changes_of(surface) if surface.startswith(DONE) else []
            return await self._made(person, language, [*shown, *(change.id for change in done)])
        problem = done if isinstance(done, str) else None
        return await self._payload(person, language, problem, surface)

    async def answered_in_modal(self, person: Person, language: Language, value: str) -> SlackView:
        """Do what a button in a modal names."""
        question, answer, surface = _answer_of(value)
        done = await self.answer(person, question, answer, surface)
        problem = done if isinstance(done, str) else None
        return await self._view(person, language, problem, surface)

    async def undo(self, person: Person, change: str, surface: str = "") -> str | None:
        """Undo a change, or every change shown on `surface` that can be undone.

        Returns the key of the sentence that says why nothing was undone. A change of another
        person is not found.
        """
        try:
            if change == EVERY_CHANGE:
                if surface.startswith(DONE):
                    changes = changes_of(surface)
                else:
                    entries = (await self.notices.content(person, surface)).entries
                    changes = [entry.id for entry in entries]
                if not await undo_changes(self.pool, self.embedder, person, ids=changes):
                    return "undo_gone"
            else:
                await undo_change(self.pool, self.embedder, person, UUID(change))
        except ChangedSince:
            return "undo_changed_since"
        except (ChangeGone, ValueError):
            return "undo_gone"
        except EmbeddingsUnavailable:
            return "command_failed"
        log.info("a person undid a change")
        await self.update_from_changed(person)
        return None

    async def answer(
        self, person: Person, question: str, answer: str, surface: str = ""
    ) -> list[Change] | str:
        """Do what the person answered; return the changes that it made.

        If nothing could be done, return the key of the sentence that says why not. The result
        replaces the question.
        """
        decided = _ANSWERS.get(answer)
        if decided is None:
            return "ask_gone"
        try:
            done = await answer_question(self.pool, self.embedder, person, UUID(question), decided)
        except ChangedSince:
            return "ask_changed"
        except (ChangeGone, ValueError):
            return "ask_gone"
        except EmbeddingsUnavailable:
            return "command_failed"
        log.info("a person answered a question about a memory")
        if done:
            await self.notices.add(person, surface, [change.id for change in done])
        return done

    async def _payload(
        self, person: Person, language: Language, problem: str | None, surface: str
    ) -> Payload | None:
        """Return what takes the place of the message in which something was clicked.

        `problem` is the key of a sentence that is shown beside it. None in App Home, which is
        published as a whole.
        """
        if problem:
            return beside_payload(say(language, problem))
        surface_kind, _, rest = surface.partition(" ")
        if surface_kind == HOME:
            return None
        if surface_kind == HISTORY:
            return await self.page(person, language, rest)
        if surface_kind == DONE:
            return await self._made(person, language, changes_of(surface))
        content = await self.notices.content(person, surface)
        return notice_payload(language, content, await self.people.zone(person))

    async def _done(self, person: Person, surface: str) -> NoticeContent:
        entries = await list_changes(self.pool, person, ids=changes_of(surface))
        return NoticeContent(surface=surface, entries=tuple(entries)[::-1])

    async def _made(self, person: Person, language: Language, changes: Sequence[UUID]) -> Payload:
        entries = await list_changes(self.pool, person, ids=changes)
        return changes_made_payload(language, entries[::-1], await self.people.zone(person))

    async def _view(
        self, person: Person, language: Language, problem: str | None, surface: str
    ) -> SlackView:
        """Return what takes the place of the modal in which something was clicked."""
        if problem:
            return sentence_view(language, "memory_title", say(language, problem))
        surface_kind, _, rest = surface.partition(" ")
        if surface_kind == NOTICE:
            await self.notices.show_now(person, UUID(rest))
        if surface_kind == DONE:
            payload = await self._made(person, language, changes_of(surface))
            return payload_view(language, "memory_title", payload)
        return await self.notice_view(person, language, surface)

    async def _page(self, person: Person, value: str) -> HistoryPage:
        word, _, reference = value.partition(" ")
        since = parse_since(word)
        found = await list_changes(
            self.pool, person, limit=HISTORY_PAGE + 1, before=since, key=reference or None
        )
        first = since is None and not reference
        shown = found[:HISTORY_PAGE]
        return HistoryPage(
            entries=tuple(shown),
            questions=tuple(await open_questions(self.pool, person)) if first else (),
            links=await self._linked(person, shown),
            since=since,
            older=len(found) > HISTORY_PAGE,
            reference=reference,
        )

    async def _linked(self, person: Person, entries: Sequence[Change]) -> dict[str, str]:
        messages = {
            str(e.id): said_in
            for e in entries
            if (said_in := last_source_message(e.after or e.before))
        }
        return await self.links.by_name(person.team_id, messages)


def _answer_of(value: str) -> tuple[str, str, str]:
    question, answer, surface = f"{value} ".split(" ", 2)
    return question, answer, surface.strip()
