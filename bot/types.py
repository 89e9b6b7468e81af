"""Values that several packages of bot share: settings and replies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from bot.locale import Language, language_of
from memory import Erased

ConsentMode: TypeAlias = Literal["notice", "ask"]
Eagerness: TypeAlias = Literal["asked", "balanced", "lot"]
Refusal: TypeAlias = Literal["policy_person", "policy_place"]
CutReason: TypeAlias = Literal["cut_short", "cut_slow", "cut_filtered"]
TaskState: TypeAlias = Literal["in_progress", "complete", "error"]

PROFILE_TRUSTED = timedelta(hours=12)
WEB_SEARCH = "web_search"
COMMENTARY = "commentary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One call of a tool: `id` names it within an answer, `name` is the tool's.

    `detail` is what it is about: the query of a web search, or the text of commentary, which the
    model writes on its way to the answer.
    """

    id: str
    name: str
    state: TaskState
    detail: str = ""

    @property
    def takes_long(self) -> bool:
        """Whether the person waits for it noticeably: it is shown before there is text."""
        return self.name in (WEB_SEARCH, COMMENTARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """Memory is neither read nor written: until a time, or until the person switches it on.

    `here`: in one conversation only, not everywhere.
    """

    until: datetime | None = None
    here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSettings:
    """One person's choices, and what Slack last said of them.

    `switched_off`: memory is off everywhere, `off_until` a time or until it is switched on.
    `agreed`: the person agreed to memory, which `KIOKU_CONSENT=ask` needs. `deactivated`: their
    account was. `language` overrides Slack's. `informed`: they were told that there is a memory.
    `eagerness` is how much is remembered without being asked. `retention_days` is how long their
    memories and conversations are kept; None: as long as the installation keeps them.
    """

    switched_off: bool = False
    off_until: datetime | None = None
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

    @property
    def zone(self) -> tzinfo:
        """The person's time zone; UTC where Slack has not said it."""
        try:
            return ZoneInfo(self.time_zone) if self.time_zone else UTC
        except (LookupError, ValueError, OSError):  # no such zone on this machine
            return UTC

    @property
    def profile_is_fresh(self) -> bool:
        """Whether Slack need not be asked again for locale and time zone."""
        at = self.profile_at
        return at is not None and datetime.now(UTC) - at < PROFILE_TRUSTED

    def reply_language(self, text: str = "") -> Language:
        """Return the language to answer in: chosen, else Slack's, else that of `text`."""
        return self.language or language_of(self.locale, text)

    def off(self, mode: ConsentMode) -> Off | None:
        """Return whether memory is off for this person everywhere; None while it is on."""
        if self.switched_off or self.deactivated or (mode == "ask" and not self.agreed):
            return Off(until=self.off_until)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryState:
    """Whether memory may be read and written for one message.

    `off`: nothing is read and nothing is written while it is answered. `on_record`: its words may
    be formed and its texts be kept, since memory was on when it was written and edited. `asks`:
    memory needs this person's consent, and they have not agreed.
    """

    settings: PersonSettings
    off: Off | None = None
    on_record: bool = True
    asks: bool = False

    @property
    def needs_introduction(self) -> bool:
        """Whether this answer is the first to mention memory, which needs no consent here."""
        return self.off is None and not self.settings.informed

    @property
    def is_first(self) -> bool:
        """Whether the answer is the first that tells the person about Kioku."""
        return self.needs_introduction or self.needs_consent_question

    @property
    def needs_consent_question(self) -> bool:
        """Whether the person is to be asked, for the first time, if they agree to memory."""
        return self.asks and not self.settings.informed


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A page that a web search cites."""

    url: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer in Markdown.

    `cut` is set if the answer ended before the model did, at a limit of length (``cut_short``) or
    of time (``cut_slow``), or at the provider's content filter (``cut_filtered``); `refused` if the
    model declined to answer. `model` is the name of the model that answered.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    cut: CutReason | None = None
    refused: bool = False
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonErased(Erased):
    """The receipt: what was erased, what will be deleted in Slack, and what stays.

    `files` is the number of the app's files that will be deleted in Slack. `never_formed_messages`
    counts messages (channel and time) that no memory is formed from again.
    """

    files: int
    never_formed_messages: int
