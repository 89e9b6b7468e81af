"""The failures that a click, a form or a tool is expected to have, and the sentence for each."""

from __future__ import annotations

from bot.access import QuotaExceeded
from bot.acts.blocks import Block
from bot.acts.lines import refusal_line
from bot.acts.receipt import Receipt
from bot.locale import Localizer
from bot.under_way import AlreadyUnderWay
from memory import (
    ChangedSince,
    ChangeGone,
    EmbeddingsUnavailable,
    FormationUnavailable,
    InvalidContent,
    MemoryFull,
    Overtaken,
)


class NotDone(Exception):
    """Something is not done; `receipt` says why, perhaps with the button that changes that."""

    def __init__(self, line: str, button: Block | None = None) -> None:
        super().__init__("Something is not done.")
        self.receipt = Receipt(line=line, button=button)


EXPECTED = (
    InvalidContent,
    MemoryFull,
    ChangeGone,
    ChangedSince,
    AlreadyUnderWay,
    Overtaken,
    QuotaExceeded,
    NotDone,
    EmbeddingsUnavailable,
    FormationUnavailable,
)
"""The exceptions for which `explain` has a sentence."""


def explain(localizer: Localizer, problem: Exception) -> Receipt:
    """Return what explains one of the `EXPECTED` exceptions."""
    line = localizer.say("command_failed")
    match problem:
        case NotDone():
            return problem.receipt
        case InvalidContent():
            line = localizer.say("form_invalid")
        case MemoryFull():
            line = refusal_line(localizer, "full", "")
        case ChangeGone():
            line = localizer.say("memory_gone")
        case ChangedSince() | Overtaken():
            line = localizer.say("changed_meanwhile")
        case QuotaExceeded():
            line = localizer.say(
                "limit_reached", limit=problem.limit, until=problem.until(localizer)
            )
        case AlreadyUnderWay():
            line = localizer.say("under_way")
    return Receipt(line=line)
