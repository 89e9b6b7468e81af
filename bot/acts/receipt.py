"""What an act did, as one sentence that stands where the person clicked.

In Home and in a window the list is drawn again, with the receipt where the clicked block stood. In
a message the receipt takes the place of that block, or of a row of buttons and what is above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.access import QuotaExceeded
from bot.acts.blocks import (
    FALLBACK_LIMIT,
    Block,
    Payload,
    explained_button,
    fitted,
    section,
)
from bot.acts.kinds import Place, Undo
from bot.acts.lines import refusal_line
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
    Person,
)

_ID = "receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an act did, or why it was not done: a sentence with at most one button."""

    line: str
    button: Block | None = None

    @property
    def payload(self) -> Payload:
        """The receipt as a message."""
        text = fitted(self.line, FALLBACK_LIMIT)
        return {"text": text, "blocks": [section(self.line, self.button)]}


def undoable(localizer: Localizer, line: str, undo: Undo, note: str = "") -> Receipt:
    """Return a receipt with *Undo*, which says the line to screen readers; `note` is below it."""
    button = explained_button(localizer, "undo_button", undo, line)
    told = "\n".join(filter(None, [line, note]))
    return Receipt(line=told, button=button)


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A click, a command, a shortcut or a submitted form of a person, and where it was made."""

    person: Person
    localizer: Localizer
    place: Place

    def say(self, key: str) -> Receipt:
        """Return a sentence of the catalogues as what the click did."""
        return Receipt(line=self.localizer.say(key))


def blocks_above(blocks: Sequence[Mapping[str, Any]], block_id: str) -> int:
    """Return how many blocks of a view, receipts apart, stand above a clicked one; 0: unknown."""
    above = 0
    for block in blocks:
        name = block.get("block_id")
        if name == block_id:
            return above
        above += name != _ID
    return 0


def with_receipt(
    blocks: Sequence[Block], receipt: Receipt | None, above: int
) -> list[Block]:
    """Return the blocks of a view with a receipt below the first ones, and no earlier one."""
    shown = [one for one in blocks if one.get("block_id") != _ID]
    if receipt is not None:
        shown.insert(above, section(receipt.line, receipt.button, _ID))
    return shown


def replaced_in(message: Mapping[str, Any], block_id: str, receipt: Receipt) -> Payload:
    """Return a message with a receipt in place of the clicked block.

    With a row of buttons go the rows that it is for, and the text above: they name what is gone.
    Slack does not say what stands in an ephemeral message: all of it is replaced.
    """
    shown = receipt.payload
    blocks = message.get("blocks") or []
    names = [block.get("block_id") for block in blocks]
    if block_id in names:
        last = names.index(block_id)
        first = last
        if blocks[last]["type"] == "actions":
            first = max(last - 1, 0)
            while first and "accessory" in blocks[first]:
                first -= 1
        shown["blocks"] = [*blocks[:first], *shown["blocks"], *blocks[last + 1 :]]
    return shown


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
