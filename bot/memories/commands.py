"""The slash commands: each use is passed to the object that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from bot.locale import Language, say
from bot.memories.actions import MemoryActions
from bot.memories.adding import MemoryAdder
from bot.memories.changes import ChangeHistory
from bot.memories.controls import MemoryControls
from bot.memories.data_requests import Exporter
from bot.slack.ephemeral import same_for_everyone
from bot.slack.messages import plain
from bot.views.blocks import Payload, ephemeral_payload, escaped, note, section
from bot.views.export import export_offer
from bot.views.subcommands import (
    EVERYTHING,
    PERIODS,
    THREAD,
    closest_subcommand,
    forget_words,
    help_groups,
    parse_forget,
    parse_memories,
)
from memory import Person

# Person, language, the words after the name of the use, and the conversation.
CommandHandler: TypeAlias = Callable[[Person, Language, str, str], Awaitable[Payload]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlashCommands:
    """Each answer is for the person alone."""

    actions: MemoryActions
    controls: MemoryControls
    adding: MemoryAdder
    changes: ChangeHistory
    exporting: Exporter

    @property
    def answers(self) -> dict[str, CommandHandler]:
        """The answers to the uses of `MEMORIES` in `bot.views.subcommands`, by name."""
        return {
            "list": self.actions.listed,
            "page": self.actions.listed,
            "number": self.actions.numbered_one,
            "search": self.actions.searched,
            "add": self.adding.added,
            "history": self.changes.history,
            "export": self.exporting.exported,
            "pause": self.controls.paused,
            "resume": self.controls.resume_typed,
            "incognito": self.controls.incognito.typed,
            "help": same_for_everyone(_help),
        }

    @property
    def shows(self) -> dict[str, CommandHandler]:
        """Views that a person can ask for in plain words, by the tool's action."""
        return {
            "show_memories": self.actions.listed,
            "show_settings": self.controls.settings_shown,
            "show_history": self.changes.history,
            "show_help": same_for_everyone(_help),
            "export": same_for_everyone(export_offer),
        }

    async def memories(
        self, person: Person, language: Language, text: str, channel: str
    ) -> Payload:
        """Answer ``/memories``."""
        if (forgets := forget_words(text)) is not None:
            return await self.forget(person, language, forgets, channel)
        found = parse_memories(text)
        if found is None:
            return ephemeral_payload(_unknown(language, text.split()[0]))
        use, words = found
        return await self.answers[use.name](person, language, plain(words), channel)

    async def forget(self, person: Person, language: Language, text: str, channel: str) -> Payload:
        """Answer ``/forget``."""
        text = plain(text)
        if not text.strip():
            return ephemeral_payload(say(language, "forget_usage"))
        if (asked := parse_memories(text)) and asked[0].name == "help" and not asked[1]:
            return _help(language)
        use = parse_forget(text)
        if use is EVERYTHING:
            return await self.actions.everything_proposed(person, language)
        if use is THREAD:
            return await self.actions.thread_proposed(person, language, channel)
        if use in PERIODS:
            return await self.actions.period_typed(person, language, text)
        return await self.actions.forget_asked(person, language, text)


def _help(language: Language) -> Payload:
    title, words = say(language, "help_title"), say(language, "help_words")
    groups = help_groups(language)
    blocks = [section(title), *map(section, groups), note(words)]
    return ephemeral_payload("\n".join([title, *groups, words]), blocks)


def _unknown(language: Language, word: str) -> str:
    use = closest_subcommand(word)
    if use is None:
        return say(language, "use_unknown", word=escaped(word[:40]))
    return say(language, "use_meant", word=escaped(word[:40]), usage=say(language, use.usage))
