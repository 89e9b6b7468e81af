"""What a person does with their own memories: see them, ask to forget, forget."""

from __future__ import annotations

import html
import json
import logging

from bot.locale import Language, say
from bot.surfaces.memories import Payload, describe, forget_question, memory_list, private
from memory import Person, Pool, folded, forget, list_memories, matching

log = logging.getLogger(__name__)


class OwnMemories:
    """Each answer is for the person alone and covers their own memories only."""

    def __init__(self, pool: Pool, *, stand_in: bool) -> None:
        self._pool = pool
        self._stand_in = stand_in

    async def listed(self, person: Person, language: Language, words: str) -> Payload:
        """Return the page that `words` names, else the first."""
        page = int(words) if words.isdecimal() and len(words) < 6 else 1
        memories = await list_memories(self._pool, person)
        return memory_list(language, memories, page=page, stand_in=self._stand_in)

    async def asked_to_forget(self, person: Person, language: Language, words: str) -> Payload:
        """Return what `words` (a number of the list, or words of a memory) would forget."""
        if not folded(words):
            return private(say(language, "forget_usage"))
        memories = await list_memories(self._pool, person)
        numbered = list(enumerate(memories, start=1))
        if words.isdecimal():
            number = int(words) if len(words) < 6 else 0
            found = [pair for pair in numbered if pair[0] == number]
            if not found:
                return private(
                    say(language, "forget_no_number", number=words[:20], count=len(memories))
                )
        else:
            hits = {memory.reference for memory in matching(memories, words)}
            found = [pair for pair in numbered if pair[1].reference in hits]
            if not found:
                shown = html.escape(words[:80], quote=False)
                return private(say(language, "forget_no_match", words=shown))
        return forget_question(language, found, stand_in=self._stand_in)

    async def forgotten(self, person: Person, language: Language, value: str) -> Payload:
        """Forget what a button names; pressing it twice does no harm."""
        reference = str(json.loads(value)["memory"])
        removed = await forget(self._pool, person, [reference])
        if not removed:
            return private(say(language, "forgotten_already"))
        log.info("a person forgot %d memory", len(removed))
        what = html.escape(describe(language, removed[0].kind, removed[0].content), quote=False)
        return private(say(language, "forgotten", what=what))
