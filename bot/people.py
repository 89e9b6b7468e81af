"""People: their settings, what Slack says about them, what they were told, when memory is off.

The tables are `person_settings` and `memory_off`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, TypeAlias, TypedDict
from zoneinfo import ZoneInfo

from psycopg import OperationalError
from psycopg.rows import DictRow

from bot.config import ConsentMode
from bot.locale import Language, Localizer, language_of
from bot.logs import fault
from bot.slack.messages import API_TEAM
from bot.slack.names import Names
from memory import Person, Pool
from memory.model import Json, Until
from memory.postgres import (
    PersonTransaction,
    Query,
    load_statements,
    person_statement,
    person_transaction,
    transaction_timeout,
)
from memory.store import change_zone

log = logging.getLogger(__name__)

_SQL = load_statements("bot", "people")

Eagerness: TypeAlias = Literal["asked", "balanced", "lot"]

PROFILE_TRUSTED = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """Memory is neither read nor written, until a time or until the person switches it on.

    `scope` is the id of a conversation, or "" for everywhere.
    """

    until: Until | None = None
    scope: str = ""


class Choices(TypedDict):
    """The fields of `PersonSettings` that a person chooses in a form."""

    notices: bool
    eagerness: Eagerness
    language: Language | None
    retention_days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSettings:
    """One person's choices, and what Slack last said about them.

    `switched_off`: memory is off everywhere. `off_until`: when it ends by itself, if ever.
    `agreed`: the person agreed to memory, which `KIOKU_CONSENT=ask` needs. `deactivated`: their
    account is. `language` overrides Slack's. `informed`: they were told that there is a memory.
    `eagerness` is how much is remembered without being asked. `retention_days` is how long their
    memories and conversations are kept; None: as long as the installation keeps them.
    """

    switched_off: bool = False
    off_until: Until | None = None
    agreed: bool = False
    notices: bool = True
    eagerness: Eagerness = "balanced"
    language: Language | None = None
    informed: bool = False
    retention_days: int | None = None
    locale: str | None = None
    time_zone: str | None = None
    profile_at: datetime | None = None
    deactivated: bool = False

    def retention(self, limit: int | None) -> int | None:
        """Return how long memories are kept, where the installation keeps them for `limit` days."""
        if limit and self.retention_days:
            return min(limit, self.retention_days)
        return limit or self.retention_days

    @property
    def zone(self) -> tzinfo:
        """The person's time zone, or UTC if Slack has not named it."""
        if not self.time_zone:
            return UTC
        try:
            return ZoneInfo(self.time_zone)
        except (LookupError, ValueError, OSError):  # no such zone on this machine
            return UTC

    def localizer(self, text: str = "") -> Localizer:
        """Return the localizer for this person: the language to answer in, and their time zone.

        The language is the one they chose, else that of their Slack, else that of `text`: Slack
        may not tell it.
        """
        language = self.language or language_of(self.locale, text)
        return Localizer(language, self.zone)

    def asks(self, mode: ConsentMode) -> bool:
        """Return whether memory waits for this person to agree to it or to refuse."""
        return mode == "ask" and not (self.agreed or self.switched_off)

    def off(self, mode: ConsentMode) -> Off | None:
        """Return `Off` if memory is off for this person everywhere, or None."""
        lacks_consent = mode == "ask" and not self.agreed
        if self.switched_off or self.deactivated or lacks_consent:
            return Off(until=self.off_until)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryState:
    """Whether memory may be read and written for one message.

    `off`: nothing is read or written while it is answered. `on_record`: its words may be formed and
    its texts kept, because memory is on, and was on when the message was stored and edited.
    `asks`: memory needs this person's consent, and they have not agreed.
    """

    settings: PersonSettings
    off: Off | None = None
    on_record: bool = True
    asks: bool = False

    @property
    def needs_introduction(self) -> bool:
        """Whether this answer is the first to mention memory, which is on."""
        return self.off is None and not self.settings.informed

    @property
    def is_first(self) -> bool:
        """Whether the answer is the first that tells the person about Kioku."""
        return self.needs_introduction or self.needs_consent_question

    @property
    def needs_consent_question(self) -> bool:
        """Whether to ask the person, for the first time, if they agree to memory."""
        return self.asks and not self.settings.informed


# --- settings, and whether memory is off now ---------------------------------------------------


async def read_settings(transaction: PersonTransaction) -> PersonSettings:
    """Return a person's settings; defaults for a person who never chose any."""
    [row] = await transaction.fetch(_SQL["state"])
    return PersonSettings(**row)


async def read_off_scopes(transaction: PersonTransaction) -> list[str]:
    """Return the conversations in which memory is off now."""
    rows = await transaction.fetch(_SQL["off_scopes"])
    return [row["scope"] for row in rows]


async def read_memory_state(
    transaction: PersonTransaction, channel: str, ts: str, mode: ConsentMode
) -> MemoryState:
    """Return what memory may do now for a message of the person, as `memory_state` does."""
    values = {"channel": channel, "ts": ts}
    person_rows = await transaction.fetch(_SQL["state"])
    message_rows = await transaction.fetch(_SQL["message_state"], values)
    return memory_state(person_rows, message_rows, mode)


def memory_state_queries(person: Person, channel: str, ts: str) -> tuple[Query, Query]:
    """Return the queries for the rows that `memory_state` reads for a message that is stored."""
    values = {**person.ids, "channel": channel, "ts": ts}
    return (
        Query(_SQL["state"], person.ids, prepare=True),
        Query(_SQL["message_state"], values, prepare=True),
    )


def memory_state(
    person_rows: Sequence[DictRow], message_rows: Sequence[DictRow], mode: ConsentMode
) -> MemoryState:
    """Return what memory may do for a message, from the rows of `memory_state_queries`.

    A message that is not stored is on the record while memory is on: it was not written to the app,
    but is read because the person points at it.
    """
    [person_row] = person_rows
    [row] = message_rows
    settings = PersonSettings(**person_row)
    off = settings.off(mode)
    if off is None and row["off_scope"]:
        off = Off(scope=row["off_scope"])
    return MemoryState(
        settings=settings,
        off=off,
        on_record=off is None and row["on_record"] is not False,
        asks=settings.asks(mode),
    )


# --- when they were told why a message is not answered -------------------------------------------


async def may_tell(pool: Pool, person: Person, ts: str, seconds: float) -> bool:
    """Return whether to tell a person why their message `ts` is not answered; note that they are.

    They are told once in so many `seconds`, and again when they have been answered since. The same
    message always gets True again, because an earlier attempt at it may have failed before the
    sentence was sent.
    """
    values = {"ts": ts, "since": float(ts) - seconds}
    return bool(await person_statement(pool, person, _SQL["claim_told"], values))


async def may_tell_unread(pool: Pool, person: Person, ts: str) -> bool:
    """Return whether to tell, as `may_tell` does, that words could not be read: once a day."""
    statement = _SQL["claim_unread_told"]
    return bool(await person_statement(pool, person, statement, {"ts": ts}))


async def note_answered(
    transaction: PersonTransaction, *, deleted: str | None = None
) -> None:
    """Let the person be told again, in the caller's transaction.

    With `deleted` only if they were told below this message, by its ts, with which that is gone.
    """
    await transaction.execute(_SQL["end_told"], {"ts": deleted})


# --- what Slack says of people -----------------------------------------------------------------

# After this time without PostgreSQL, settings come from Slack alone.
_DATABASE_SECONDS = 1.0
# How long what Slack has said may take to be stored.
_STORING_SECONDS = 3.0
_FAILED = timedelta(seconds=20)


class People:
    """``users.info``, kept in `person_settings` until it changes.

    While Slack's rate limit lasts it is not asked, and people are answered in the language they
    write.
    """

    def __init__(self, pool: Pool, names: Names) -> None:
        self._pool = pool
        self._names = names

    async def localizer(
        self,
        person: Person,
        text: str = "",
        *,
        settings: PersonSettings | None = None,
        keep_new: bool = True,
        may_be_old: bool = False,
    ) -> Localizer:
        """Return the localizer for a person who reads an answer to `text`.

        The other arguments are those of `settings`.
        """
        current = await self.settings(
            person, settings=settings, keep_new=keep_new, may_be_old=may_be_old
        )
        return current.localizer(text)

    async def settings(
        self,
        person: Person,
        *,
        settings: PersonSettings | None = None,
        keep_new: bool = True,
        may_be_old: bool = False,
    ) -> PersonSettings:
        """Return a person's settings with what Slack says about them; `settings` if just read.

        What Slack says is stored. Without `keep_new` that is only done for a person who has a row,
        so that showing something to an erased person stores nothing about them. With `may_be_old`
        Slack is not asked again for what it said long ago, which may take seconds. While PostgreSQL
        is away, the settings are what Slack says.
        """
        try:
            if settings is None:
                settings = await self._read(person)
            at = settings.profile_at
            is_fresh = at is not None and datetime.now(UTC) - at < PROFILE_TRUSTED
            if is_fresh or may_be_old or person.team_id == API_TEAM:
                return settings
            return await self._look_up(person, settings, keep_new=keep_new)
        except OperationalError as error:
            log.warning(
                "a person's settings could not be read or kept: %s", fault(error)
            )
        if settings is not None:
            return settings
        if person.team_id == API_TEAM:
            return PersonSettings()
        user = await self._names.find_user(person.team_id, person.user_id) or {}
        return PersonSettings(locale=_text(user, "locale"), time_zone=_text(user, "tz"))

    async def _read(self, person: Person) -> PersonSettings:
        with transaction_timeout(_DATABASE_SECONDS):
            async with person_transaction(self._pool, person) as transaction:
                return await read_settings(transaction)

    async def _look_up(
        self, person: Person, settings: PersonSettings, *, keep_new: bool
    ) -> PersonSettings:
        """Ask Slack about a person; return their settings with the answer, which is stored.

        Without an answer, or of a person whom Slack does not know, it is asked again soon, but not
        for each message.
        """
        user = await self._names.find_user(person.team_id, person.user_id) or {}
        at = datetime.now(UTC)
        if not user:
            at += _FAILED - PROFILE_TRUSTED
        with transaction_timeout(_STORING_SECONDS):
            async with person_transaction(
                self._pool, person, locked=True
            ) as transaction:
                if keep_new:
                    await transaction.execute(_SQL["insert"])
                await _note_profile(transaction, user, at)
        return replace(
            settings,
            locale=_text(user, "locale") or settings.locale,
            time_zone=_text(user, "tz") or settings.time_zone,
            profile_at=at,
            deactivated=bool(user.get("deleted", settings.deactivated)),
        )

    async def store_change(self, person: Person, user: Json) -> None:
        """Store a ``user_change``; if it lacks the locale, Slack is asked next time."""
        at = None
        if user.get("locale"):
            at = datetime.now(UTC)
        async with person_transaction(self._pool, person, locked=True) as transaction:
            await _note_profile(transaction, user, at)

    async def is_active(self, person: Person) -> bool | None:
        """Ask Slack whether a person's account is active, and store it; None without an answer.

        An account that Slack does not know is not active.
        """
        user = await self._names.find_user(person.team_id, person.user_id)
        if user is None:
            return None
        known = user or {"deleted": True}
        await self.store_change(person, known)
        return not known.get("deleted")


async def _note_profile(
    transaction: PersonTransaction,
    user: Json,
    at: datetime | None,
) -> None:
    """Store the locale, zone and deactivation in Slack's user object, for a person known here.

    Their reminders are planned for that zone. What `user` does not have stays as it is. `at` is
    when Slack said it; if it is None, Slack is asked again next time.
    """
    zone = _text(user, "tz")
    values = {
        "locale": _text(user, "locale"),
        "zone": zone,
        "at": at,
        "gone": user.get("deleted"),
    }
    await transaction.execute(_SQL["note_profile"], values)
    if zone:
        await change_zone(transaction, PersonSettings(time_zone=zone).zone)


def _text(user: Json, name: str) -> str | None:
    """Return a text of Slack's user object; None if there is none."""
    value = user.get(name)
    return value if isinstance(value, str) and value else None
