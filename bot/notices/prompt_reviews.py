"""Review of prompt versions by the admins: messages to them, and what their clicks do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError

from bot.locale import Language, say
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.client import (
    NOTICE_METADATA,
    Installations,
    error_code,
    is_passing,
    retry_on_rate_limit,
)
from bot.slack.messages import mentions
from bot.types import PromptVersion
from bot.users.profiles import Profiles
from bot.users.prompt_versions import decide, edit, find_version, read_shared
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.improvement import (
    REFUSALS,
    prompt_cases_view,
    prompt_form,
    prompt_version_payload,
    read_prompt_form,
)
from bot.views.views import SlackView, form_with_errors, metadata_of, sentence_view
from memory import Person, Pool, PromptRefusal, RatedExchange, prompt_refusal, transaction

log = logging.getLogger(__name__)

REVIEW = "review_prompt"
# An exchange behind a version, with its row.
_Case: TypeAlias = tuple[DictRow, RatedExchange]


async def schedule_review(
    queue: Queue,
    where: AsyncConnection[DictRow] | Pool,
    team: str,
    version: str,
    users: Iterable[str] = ("",),
) -> None:
    """Add the job that has a version shown to the admins, or a job for each of `users`."""
    jobs = {
        f"{REVIEW}:{version}:{user}": {"team": team, "version": version, "user": user}
        for user in users
    }
    await queue.defer_each(where, REVIEW, jobs, queue=BACKGROUND)


@dataclass(frozen=True, slots=True)
class PromptReviews:
    """Shows versions to a workspace's admins by direct message; refuses clicks of other people.

    `admins` returns the user ids of a workspace's.
    """

    pool: Pool
    queue: Queue
    slack: Installations
    people: Profiles
    admins: Callable[[str], Collection[str]]

    async def review(self, team: str, version: str, user: str = "") -> None:
        """Show a proposal to the admin `user`; without one, add a job for each admin.

        Run as a job. A proposal is refused if it names or quotes one of the people behind it, or if
        an exchange that it was made from is no longer shared. Raises the error of Slack that may
        pass.
        """
        found = await find_version(self.pool, team, version)
        if found is None or found.status != "proposed":
            return
        cases = await self._cases(found)
        if _is_withdrawn(found, cases) or await self._refusals(found, found.sections, cases):
            log.warning("a proposed prompt was refused: a name, a quotation, or sharing ended")
            await decide(self.pool, team, found.id, "refused", by="kioku")
            return
        if not user:
            if not (admins := sorted(self.admins(team))):
                log.error("no admin of %s in KIOKU_ADMINS can review the proposed prompt", team)
            await schedule_review(self.queue, self.pool, team, version, admins)
            return
        language = await self.people.language(Person(team, user))
        payload = prompt_version_payload(language, found)
        try:
            await self._call(
                team, "chat_postMessage", channel=user, metadata=NOTICE_METADATA, **payload
            )
        except SlackApiError as error:
            if is_passing(error):
                raise
            log.warning("an admin was not shown a prompt: %s", error_code(error))

    async def _call(self, team: str, method: str, **arguments: Any) -> Any:
        client = self.slack.client(team)
        return await retry_on_rate_limit(lambda: getattr(client, method)(**arguments))

    async def decided(self, person: Person, language: Language, value: str) -> Payload:
        """Set the status that a button names; return the message as it is then.

        A proposal is not approved but refused if an exchange behind it is no longer shared.
        """
        status, _, name = value.partition(" ")
        version = await self._version(person, name)
        if version is None:
            return {**ephemeral_payload(say(language, "prompt_admins_only")), "stays": True}
        by = person.user_id
        if status == "active" and _is_withdrawn(version, await self._cases(version)):
            status, by = "refused", "kioku"
        done = await decide(self.pool, person.team_id, version.id, status, by=by)
        version = await self._version(person, name) or version
        return prompt_version_payload(language, version, late=not done)

    async def edit_form(self, person: Person, language: Language, value: str) -> SlackView:
        """Return the form with the texts of a proposal."""
        version = await self._version(person, value)
        if version is None or version.status != "proposed":
            return _answer(language, "prompt_late" if version else "prompt_admins_only")
        return prompt_form(language, version)

    async def edited(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Propose the texts of a submitted form instead; return the form if one is refused.

        The same checks apply as to what a model proposes.
        """
        name, sections = metadata_of(view)["version"], read_prompt_form(view)
        version = await self._version(person, name)
        if version is None:
            return _answer(language, "prompt_admins_only")
        cases = await self._cases(version)
        if refusals := await self._refusals(version, sections, cases):
            said = {name: say(language, REFUSALS[reason]) for name, reason in refusals.items()}
            return form_with_errors(view, said)
        if _is_withdrawn(version, cases) and await decide(
            self.pool, person.team_id, version.id, "refused", by="kioku"
        ):
            return _answer(language, "prompt_refused")
        async with transaction(self.pool) as connection:
            edited = await edit(connection, version, sections, by=person.user_id)
            if edited is None:
                return _answer(language, "prompt_late")
            await schedule_review(self.queue, connection, person.team_id, str(edited))
        return _answer(language, "prompt_saved")

    async def cases(self, person: Person, language: Language, value: str) -> SlackView:
        """Return the exchanges behind a version that are still shared."""
        version = await self._version(person, value)
        if version is None:
            return _answer(language, "prompt_admins_only")
        cases = await self._cases(version)
        return prompt_cases_view(language, [case for _, case in cases])

    async def _version(self, person: Person, name: str) -> PromptVersion | None:
        if person.user_id not in self.admins(person.team_id):
            return None
        return await find_version(self.pool, person.team_id, name)

    async def _cases(self, version: PromptVersion) -> list[_Case]:
        return await read_shared(self.pool, version.team_id, version.id)

    async def _refusals(
        self, version: PromptVersion, sections: Mapping[str, str], cases: Sequence[_Case]
    ) -> dict[str, PromptRefusal]:
        """Return why changed sections must not be used, by section. Raises the error of Slack."""
        texts = [text for _, case in cases for text in case.texts]
        names: set[str] = set()
        for user in {row["user_id"] for row, _ in cases} | mentions(" ".join(texts)):
            names |= await self._names(version.team_id, user)
        found = {
            name: prompt_refusal(text, version.base[name], texts=texts, names=names)
            for name, text in sections.items()
            if text != version.base[name]
        }
        return {name: reason for name, reason in found.items() if reason}

    async def _names(self, team: str, user: str) -> set[str]:
        try:
            known = (await self._call(team, "users_info", user=user))["user"]
        except SlackApiError as error:
            if error_code(error) not in ("user_not_found", "user_not_visible"):
                raise
            return set()
        shown = (known.get("profile") or {}).get("display_name")
        return {str(one) for one in (known.get("name"), known.get("real_name"), shown) if one}


def _is_withdrawn(version: PromptVersion, cases: Sequence[_Case]) -> bool:
    """Return whether an exchange behind a version can no longer be read.

    Then the texts of the version cannot be checked against what it says or who said it.
    """
    return len(cases) < version.cases


def _answer(language: Language, key: str) -> SlackView:
    return sentence_view(language, "prompt_title", say(language, key))
