"""``/memories merge``: memories that say the same, shown first and then merged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.locale import Language, say
from bot.memories.importing import batch_undone
from bot.users.quotas import Quotas
from bot.views.blocks import Payload
from bot.views.duplicates import (
    MEMORIES_SHOWN,
    chosen_groups,
    duplicates_view,
    merged_view,
)
from bot.views.views import SlackView, sentence_view
from memory import (
    ChangedSince,
    Embedder,
    EmbeddingsUnavailable,
    FormationUnavailable,
    Memory,
    Person,
    Pool,
    Verifier,
    find_similar,
    merge_memories,
    transaction_timeout,
)

log = logging.getLogger(__name__)

# Up to 2,000 memories are compared with one another.
_DATABASE_SECONDS = 60.0
_VERDICT_SECONDS = 60.0
_GROUPS = 20  # judged in one call


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateMerger:
    """The modals of a merge. Nothing changes before the person has seen what would."""

    pool: Pool
    embedder: Embedder
    verifier: Verifier | None
    quotas: Quotas

    async def found(self, person: Person, language: Language, *_: str) -> SlackView:
        """Return the duplicates that the model confirms, to be chosen from.

        Each call of the model counts as a request of the person. Groups that a used-up quota or a
        failed call leaves unchecked are reported like those that do not fit.
        """
        if self.verifier is None:
            return sentence_view(language, "merge_title", say(language, "merge_no_model"))
        with transaction_timeout(_DATABASE_SECONDS):
            found = await find_similar(self.pool, person)
        groups, judged = found.groups, 0
        same: list[Sequence[Memory]] = []
        unchecked, used_up = False, None
        try:
            async with asyncio.timeout(_VERDICT_SECONDS):
                while judged < len(groups) and sum(map(len, same)) < MEMORIES_SHOWN:
                    if used_up := await self.quotas.admit(person):
                        break
                    answer = await self.verifier.duplicates(groups[judged : judged + _GROUPS])
                    await self.quotas.spend(person.team_id, answer.tokens)
                    same += answer.groups
                    unchecked |= answer.problem is not None
                    judged += _GROUPS
        except (FormationUnavailable, TimeoutError):
            unchecked = True
        if used_up and not same:
            return sentence_view(language, "merge_title", used_up.refusal(language))
        if unchecked and not same:
            return sentence_view(language, "merge_title", say(language, "merge_unchecked"))
        return duplicates_view(language, same, found, more=unchecked or judged < len(groups))

    async def merged(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Merge the ticked groups; what has changed since it was shown is left out."""
        groups = chosen_groups(view)
        if not groups:
            return sentence_view(language, "merge_title", say(language, "merge_none_chosen"))
        try:
            with transaction_timeout(_DATABASE_SECONDS):
                done = await merge_memories(self.pool, self.embedder, person, groups)
        except (ChangedSince, EmbeddingsUnavailable):
            return sentence_view(language, "merge_title", say(language, "command_failed"))
        log.info("merging changed %d memories", len(done.changes))
        return merged_view(language, done)

    async def undone(self, person: Person, language: Language, value: str) -> Payload:
        """Undo the merge that a button names, as `merged_view` has it."""
        return await batch_undone(self.pool, self.embedder, person, language, "merge", value)
