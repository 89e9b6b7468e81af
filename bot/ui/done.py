"""A click of a person, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.locale import Localizer
from bot.ui.acts import Place, Undo
from bot.ui.blocks import Block, explained_button
from memory import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a click did, as one line; `undo` is what its *Undo* does, `buttons` are the others.

    `beside`: the clicked message stays, and the line is shown separately. `below` are the other
    rows of the message.
    """

    line: str
    undo: Undo | None = None
    buttons: Sequence[Block] = ()
    beside: bool = False
    below: Sequence[Block] = ()

    def shown_buttons(self, localizer: Localizer) -> list[Block]:
        """Return its buttons, *Undo* first."""
        buttons = list(self.buttons)
        if self.undo is not None:
            undo = explained_button(localizer, "undo_button", self.undo, self.line)
            buttons.insert(0, undo)
        return buttons


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A click, a command, a shortcut or a submitted form of a person, and where its result goes."""

    person: Person
    localizer: Localizer
    place: Place

    def say(self, key: str, *, beside: bool = False) -> Done:
        """Return a sentence of the catalogues as what the click did."""
        return Done(line=self.localizer.say(key), beside=beside)
