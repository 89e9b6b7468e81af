"""What a person typed, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from memory.model.dates import slack_time
from memory.model.statement import Actor, MessageKey, message_key


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonMessage:
    """Words of the person: one of their messages, or what they typed in a form or command.

    `text` is unescaped, without quotes, code and attachments; it is "" for a click. `channel` and
    `ts` name the message, and are "" for words that are in none. `actor` makes the statements of
    what it says. `removal_proposed`: a button asks the person whether to do the removal that these
    words requested; the words themselves remove nothing. `zone` is the person's time zone,
    `UTC` or a `zoneinfo.ZoneInfo`: it is stored by its name. Raises `ZoneInfoNotFoundError`.
    `reply_to` is the question from Kioku that these words answer: context for "yes", never evidence
    by itself.
    """

    text: str = ""
    channel: str = ""
    ts: str = ""
    actor: Actor = "formation"
    removal_proposed: bool = False
    zone: tzinfo = UTC
    reply_to: str | None = None

    def __post_init__(self) -> None:
        ZoneInfo(str(self.zone))

    @property
    def key(self) -> MessageKey | None:
        """The channel and ts of the message; None for words that are in none."""
        return message_key(self.channel, self.ts)

    @property
    def said_at(self) -> datetime:
        """The time of the message; the current time without one."""
        return slack_time(self.ts) or datetime.now(UTC)
