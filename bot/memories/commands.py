"""The slash commands: each use is passed to the object that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from bot.locale import Language, say
from bot.memories.actions import MemoryActions
from bot.memories.adding import MemoryAdder
from bot.memories.controls import MemoryControls
from bot.slack.text import plain
from bot.views.blocks import Payload, ephemeral_payload, escaped, note, section
from bot.views.subcommands import (
    EVERYTHING,
    PERIODS,
    THREAD,
    closest_subcommand,
    help_groups,
    parse_forget,
    parse_memories,
)
from memory import Person, folded

# Person, language, the words after the name of the use, and the conversation.
Answer: TypeAlias = Callable[[Person, Language, str, str], Awaitable[Payload]]


class SlashCommands:
    """Each answer is for the person alone.

    `more` are answers to further uses of `MEMORIES` in `bot.views.subcommands`, by name; `offers`
    what is only offered when it is asked for in plain words, by the action of ``memory_settings``.
    """

    def __init__(
        self,
        own: MemoryActions,
        controls: MemoryControls,
        adding: MemoryAdder,
        *,
        more: Mapping[str, Answer] | None = None,
        offers: Mapping[str, Answer] | None = None,
    ) -> None:
        self._offers = dict(offers or {})
        self._own = own
        self._controls = controls
        self.adding = adding
        self.answers: dict[str, Answer] = {
            "list": self._list,
            "search": self._search,
            "add": adding.added,
            "pause": self._pause,
            "resume": self._resume,
            "incognito": controls.incognito_typed,
            "help": self._help,
            **(more or {}),
        }

    @property
    def shows(self) -> dict[str, Answer]:
        """Views that a person can ask for in plain words, by the tool's action."""
        named = {"show_history": "history", "show_preview": "preview"}
        return {
            "show_memories": self._list,
            "show_settings": self._settings,
            **{show: self.answers[use] for show, use in named.items() if use in self.answers},
            "show_help": self._help,
            **self._offers,
        }

    async def memories(
        self, person: Person, language: Language, text: str, channel: str
    ) -> Payload:
        """Answer ``/memories``."""
        found = parse_memories(text)
        if found is None:
            return ephemeral_payload(_unknown(language, text.split()[0]))
        use, words = found
        # Only a preview needs to know which channel a link leads to.
        words = words if use.name == "preview" else plain(words)
        return await self.answers[use.name](person, language, words, channel)

    async def forget(self, person: Person, language: Language, text: str, channel: str) -> Payload:
        """Answer ``/forget``."""
        if not folded(text):
            return ephemeral_payload(say(language, "forget_usage"))
        use = parse_forget(text)
        if use is EVERYTHING:
            return await self._own.everything_proposed(person, language)
        if use is THREAD:
            return await self._own.thread_proposed(person, language, channel)
        if use in PERIODS:
            return await self._own.period_typed(person, language, text)
        return await self._own.forget_asked(person, language, text)

    async def _list(self, person: Person, language: Language, words: str, _: str) -> Payload:
        return await self._own.listed(person, language, words)

    async def _search(self, person: Person, language: Language, words: str, _: str) -> Payload:
        if not folded(words):
            return ephemeral_payload(say(language, "search_usage"))
        return await self._own.searched(person, language, words)

    async def _pause(self, person: Person, language: Language, words: str, _: str) -> Payload:
        return await self._controls.paused(person, language, words)

    async def _resume(self, person: Person, language: Language, *_: str) -> Payload:
        return await self._controls.resumed(person, language)

    async def _settings(self, person: Person, language: Language, *_: str) -> Payload:
        return await self._controls.settings_shown(person, language)

    async def _help(self, person: Person, language: Language, *_: str) -> Payload:
        del person
        title, words = say(language, "help_title"), say(language, "help_words")
        groups = help_groups(language)
        blocks = [section(title), *map(section, groups), note(words)]
        return ephemeral_payload("\n".join([title, *groups, words]), blocks)


def _unknown(language: Language, word: str) -> str:
    use = closest_subcommand(word)
    if use is None:
        return say(language, "use_unknown", word=escaped(word[:40]))
    return say(language, "use_meant", word=escaped(word[:40]), usage=say(language, use.usage))
