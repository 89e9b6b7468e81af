"""What is said when memory was switched off or on."""

from __future__ import annotations

from bot.acts.blocks import button
from bot.acts.buttons import on_button
from bot.acts.kinds import Switch
from bot.acts.lines import off_sentences, place_name
from bot.acts.receipt import Receipt
from bot.locale import Localizer
from bot.people import Off


def off_done(localizer: Localizer, off: Off) -> Receipt:
    """Return that memory was switched off, with the button that switches it on."""
    line = off_sentences(localizer, off)
    return Receipt(line=line, button=on_button(localizer, off.scope))


def on_done(localizer: Localizer, scope: str) -> Receipt:
    """Return that memory was switched on; everywhere, with the button that switches it off."""
    means = localizer.say("on_means")
    if scope:
        here = localizer.say("switched_on_here", where=place_name(localizer, scope))
        return Receipt(line=f"{here}\n{means}")
    off = button(localizer.say("off_button"), Switch(to="off"))
    return Receipt(line=f"{localizer.say('panel_on')}\n{means}", button=off)
